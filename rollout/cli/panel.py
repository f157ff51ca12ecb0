"""The picture of one rollout in a terminal: first what to know at night, then the numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rollout.analysis.report import Finding, Verdict
from rollout.analysis.words import span
from rollout.cli.glance import glance, late, next_step, replaces, risk, trouble
from rollout.cli.words import (
    VERDICTS,
    clock_time,
    date_time,
    guard_name,
    measured,
    samples,
    verdict_text,
)
from rollout.core.head import HistoryEntry
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.views import RolloutView

EVENTS_TOLD = 5
BAR_WIDTH = 24

_STAGE_MARKS: Mapping[str, tuple[str, str]] = {
    "done": ("green", "✔"),
    "here": ("bold", "▶"),
    "ahead": ("dim", "·"),
    "back": ("yellow", "↩"),
}


def panel(
    view: RolloutView, entries: Sequence[HistoryEntry] = (), notice: str = "", footer: str = ""
) -> RenderableType:
    """All of one rollout; `notice`, on top, tells that what is shown is old."""
    parts: list[RenderableType] = [Text(f"  {notice}", "bold yellow"), Text()] if notice else []
    parts += [_headline(view), Text(), _facts(view)]
    if view.findings:
        parts += [Text(), _findings(view)]
    if entries:
        parts += [Text(), _events(entries)]
    parts += [Text(), Text(f"  {footer}", "dim")] if footer else []
    return Group(*parts)


def _headline(view: RolloutView) -> Text:
    seen = glance(view)
    return Text.assemble(
        ("  " + view.endpoint, "bold"),
        f"   {replaces(view)}",
        (f"   {view.policy}@{view.policy_version}\n\n", "dim"),
        (f"  {seen.mark} {seen.words}\n", seen.style),
        f"    {risk(view)}",
    )


def _facts(view: RolloutView) -> Table:
    """Label and text, in the order in which they are asked for."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows: tuple[tuple[str, RenderableType | None], ...] = (
        ("late", Text(late(view), "bold yellow") if late(view) else None),
        ("next", Text(next_step(view), "bold" if view.needs_person else "")),
        ("waits", None if view.outcome else Text(view.waits_for)),
        ("asked", _asked(view)),
        ("frozen", Text(view.frozen, "yellow") if view.frozen else None),
        ("trouble", Text(trouble(view), "red") if view.trouble else None),
        ("because", Text(str(view.rollback["why"])) if view.rollback else None),
        ("stages", _stages(view)),
        ("time", None if _stopped(view) else Text(time_told(view))),
        ("traffic", _traffic(view)),
        ("owed", _owed(view)),
        ("queued", Text(f"{view.queued} starts when this is over") if view.queued else None),
    )
    for label, told in rows:
        if told:
            table.add_row(f"  {label}", told)
    return table


def _asked(view: RolloutView) -> Text | None:
    """Who may approve, how many are needed and have, and what happens if nobody does."""
    if view.quorum is None or view.until is None:
        return None
    may = ", ".join(view.approvers) or "anybody"
    given = f" ({', '.join(view.approved_by)})" if view.approved_by else ""
    then = (view.then or "").replace("_", " ")
    return Text(
        f"{may} may say yes; {len(view.approved_by)} of {view.quorum} have{given};"
        f" at {date_time(view.until)}: {then}"
    )


def _stopped(view: RolloutView) -> bool:
    return view.outcome is not None or view.phase is Phase.ROLLING_BACK


def _stages(view: RolloutView) -> RenderableType:
    back = _stopped(view)
    told = []
    for stage in view.stages:
        style, mark = _STAGE_MARKS["back" if back and stage.state == "here" else stage.state]
        told.append(Text(f"{mark} {stage.name}", style))
    return _Row(told)


@dataclass(frozen=True, slots=True)
class _Row:
    """Texts in a row, none of them broken at the line's end."""

    parts: Sequence[Text]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        line = Text()
        for part in self.parts:
            if line.cell_len + part.cell_len > options.max_width:
                yield line
                line = Text()
            line = line + part + Text("  ")
        yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        del console
        whole = sum(part.cell_len + 2 for part in self.parts)
        longest = max((part.cell_len for part in self.parts), default=0)
        return Measurement(longest, min(whole, options.max_width))


def time_told(view: RolloutView) -> str:
    """Which stage of how many, and how much of its time is left."""
    here = view.stages[view.stage]
    told = f"stage {view.stage + 1} of {len(view.stages)}"
    if here.shortest_seconds is None or here.longest_seconds is None:
        return told
    gone = view.elapsed_seconds
    if view.phase is Phase.HOLDING:
        return f"{told}; {span(gone)} gone, its clock stands still"
    least, most = here.shortest_seconds - gone, here.longest_seconds - gone
    left = f"at least {span(least)} to go" if least > 0 else "its shortest time is over"
    return f"{told}; {span(gone)} gone, {left}, at most {span(most)}"


def _traffic(view: RolloutView) -> Text:
    told = _bar(view.observed, view.canary)
    told.append(f"  {view.observed}")
    if view.observed != view.wanted:
        told.append(f"\nasked for {view.wanted}, not seen yet", "yellow")
    return told


def _bar(traffic: Traffic, canary: str) -> Text:
    """The canary's part of the live requests, from the left."""
    share = traffic.share(canary)
    part = round(share * BAR_WIDTH / 100)
    if 0 < share < 100:
        part = min(max(part, 1), BAR_WIDTH - 1)
    rest = BAR_WIDTH - part
    return Text.assemble(("█" * part, "green"), ("░" * rest, "dim"))


def _owed(view: RolloutView) -> Text | None:
    put_off = [debt for debt in view.owed if debt.last_error]
    lines = [
        f"{debt.action}: tried {debt.attempts} times, again at {clock_time(debt.next_at)} UTC"
        f" ({debt.last_error})"
        for debt in put_off
    ]
    return Text("\n".join(lines), "yellow") if lines else None


def _findings(view: RolloutView) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("  guard")
    table.add_column("if bad", style="dim")
    for title in ("canary", "requests", "baseline", "requests"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    for finding in view.findings:
        table.add_row(*_finding(finding))
    told = [
        Padding(Text(one.because, VERDICTS[one.verdict][0]), (0, 0, 0, 2))
        for one in _telling(view.findings)
    ]
    until = f"  numbers up to {clock_time(view.readable_until)} UTC" if view.readable_until else ""
    return Group(table, *told, *([Text(until, "dim")] if until else []))


def _finding(finding: Finding) -> tuple[RenderableType, ...]:
    return (
        f"  {guard_name(finding.guard)}",
        finding.guard.severity.value,
        measured(finding, finding.canary),
        samples(finding.canary),
        measured(finding, finding.baseline),
        samples(finding.baseline),
        Text(verdict_text(finding), VERDICTS[finding.verdict][0]),
    )


def _telling(findings: Sequence[Finding]) -> list[Finding]:
    """Whose reasons are worth reading: those that do not pass, the worst alone where one fails."""
    worst = max(finding.verdict for finding in findings)
    told = [one for one in findings if one.verdict is not Verdict.PASS]
    return [one for one in told if one.verdict is worst] if worst is Verdict.FAIL else told


def _events(entries: Sequence[HistoryEntry]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for entry in entries:
        table.add_row(f"  {clock_time(entry.at)}", entry.why)
    return table
