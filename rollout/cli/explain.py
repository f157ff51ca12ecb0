"""`rollout explain`: the history of one rollout in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Group
from rich.text import Text

from rollout.analysis.report import Finding
from rollout.cli import markdown
from rollout.cli.controller import in_path
from rollout.cli.entries import entries_table, entry_told
from rollout.cli.glance import glance, next_step, replaces
from rollout.cli.keys_explained import ROTATION_IN, explain_keys
from rollout.cli.talk import Talk, markdown_option, talks
from rollout.cli.words import evidence_told, guard_name
from rollout.core.head import HistoryEntry
from rollout.core.traffic import Traffic
from rollout.views import RolloutView


@click.command(epilog="\b\nExamples:\n  rollout explain churn\n  rollout explain churn --json")
@click.argument("ref")
@markdown_option
@talks
def explain(talk: Talk, ref: str, as_markdown: bool) -> None:
    """Retell the rollout of REF in words: what came in, why, the numbers, who, what was done.

    REF may be the id of a rotation of keys too.
    """
    if ROTATION_IN.search(ref):
        explain_keys(talk, ref, as_markdown=as_markdown)
        return
    body = talk.controller.read(f"rollouts/{in_path(ref)}")
    view = talk.controller.view(body)
    entries = talk.controller.history(view.id)
    data = {"rollout": body, "entries": [entry.model_dump(mode="json") for entry in entries]}
    told = Text(in_markdown(view, entries)) if as_markdown else _retold(view, entries)
    talk.answer(data, lambda: told)


def _retold(view: RolloutView, entries: Sequence[HistoryEntry]) -> Group:
    about, asked = _heading(view)
    title = Text.assemble((view.endpoint, "bold"), f": {about}\n{asked}\n")
    return Group(title, *(entry_told(one, _details) for one in entries), _now(view))


def _heading(view: RolloutView) -> tuple[str, str]:
    """What is rolled out under which policy; who asked for it."""
    asked = f"asked by {view.who}" + (f": {view.why}" if view.why else "")
    return f"{replaces(view)}, under {view.policy}@{view.policy_version}", asked


def _details(entry: HistoryEntry) -> Iterator[tuple[str, str]]:
    if seen := entry.numbers.get("seen"):
        yield "seen", str(Traffic.model_validate(seen))
    for finding in entry.numbers.get("findings", ()):
        yield "number", _finding(finding)
        if evidence := finding.get("evidence"):
            yield "", evidence_told(evidence)
    if budget := entry.numbers.get("budget"):
        yield (
            "budget",
            (
                f"{budget['failures']:g} failed requests until a bad canary is noticed;"
                f" that allows {budget['share_allowed']} %"
            ),
        )
    if heard := entry.numbers.get("heard_after_seconds"):
        yield "number", f"heard of {heard:.1f} s after it fired"
    if took := entry.numbers.get("seconds_after_decision"):
        told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
        yield "number", f"after the decision: {told}"
    for action in entry.actions:
        yield "did", action
    if entry.before is not entry.after:
        where = f" ({entry.stage})" if entry.stage else ""
        yield "phase", f"{entry.before} → {entry.after}{where}"


def _finding(finding: Mapping[str, Any]) -> str:
    metric = str(finding["metric"]).replace("_", " ")
    verdict = str(finding["verdict"]).replace("_", " ")
    return f"{metric} ({finding['severity']}): {verdict}; {finding['because']}"


def _found(finding: Finding) -> str:
    """The same of a finding that is looked at now."""
    metric, verdict = guard_name(finding.guard), finding.verdict.name.lower()
    said = verdict.replace("_", " ")
    return f"{metric} ({finding.guard.severity}): {said}; {finding.because}"


def _now(view: RolloutView) -> Text:
    seen = glance(view)
    told = Text.assemble(("Now", "bold"), "  ", (f"{seen.words}\n", seen.style))
    if not view.outcome:
        told.append("    waits  ", "dim").append(f"{view.waits_for}\n")
        for finding in view.findings:
            told.append("    number ", "dim").append(f"{_found(finding)}\n")
    if view.trouble:
        told.append("    trouble ", "dim").append(f"{view.trouble}\n", "red")
    return told.append("    next   ", "dim").append(next_step(view))


def in_markdown(view: RolloutView, entries: Sequence[HistoryEntry]) -> str:
    """The same for a page, such as the summary of a CI job."""
    seen, (about, asked) = glance(view), _heading(view)
    return markdown.page(
        f"### {seen.mark} {markdown.plain(seen.words)}",
        f"**{markdown.plain(view.endpoint)}**: {markdown.plain(about)}; {markdown.plain(asked)}",
        f"Trouble: {markdown.plain(view.trouble)}" if view.trouble else "",
        f"Next: {markdown.plain(next_step(view))}",
        entries_table(entries, _details),
        f"Rollout {markdown.plain(view.id)}",
    )
