"""`rollout doctor`: whether an installation is well, and what to do where it is not."""

from collections.abc import Mapping

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollout.cli.endings import Exit
from rollout.cli.talk import Talk, talks
from rollout.doctor import Condition, Report

_MARKS: Mapping[Condition, tuple[str, str]] = {
    Condition.OK: ("green", "✔ ok"),
    Condition.NOT_CHECKED: ("dim", "· not checked"),
    Condition.WARNING: ("yellow", "! warning"),
    Condition.FAILED: ("bold red", "✘ failed"),
}


@click.command(
    epilog="""\b
Examples:
  rollout doctor                  # exit code 1 when something failed
  rollout doctor --json"""
)
@talks
def doctor(talk: Talk) -> None:
    """See whether an installation is well: identity, rights, numbers, queue, store, timer, alerts.

    It writes one row of its own, sends one message that wakes nobody and, where keys are rotated,
    writes one secret of its own; no endpoint is changed.
    """
    body = talk.controller.read("doctor")
    report = talk.controller.parsed(Report, body)
    talk.answer(body, lambda: _told(report, str(talk.controller.place)))
    if not report.well:
        raise click.exceptions.Exit(Exit.ROLLED_BACK)


def _told(report: Report, place: str) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for one in report.diagnoses:
        style, mark = _MARKS[one.condition]
        told = Text(one.told)
        if one.remedy:
            told.append(f"\ndo: {one.remedy}", style if one.condition is Condition.FAILED else "")
        table.add_row(Text(mark, style), one.part, told)
    counts = [
        f"{sum(one.condition is condition for one in report.diagnoses)} {condition.value}"
        for condition in _MARKS
    ]
    return Group(table, Text(f"\n{place}: {', '.join(counts)}"))
