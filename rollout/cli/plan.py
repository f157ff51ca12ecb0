"""`rollout plan`: what a policy would see, cost and miss, before a rollout."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rollout.analysis.words import count, figures, percent
from rollout.cli import markdown
from rollout.cli.endings import Failure
from rollout.cli.named_policy import NamedPolicy, named_policy
from rollout.cli.policy_files import read_text
from rollout.cli.talk import MayTalk, markdown_option, may_talk
from rollout.errors import Malformed
from rollout.rehearsal.plan import PlannedStage, PlanView, foretell
from rollout.rehearsal.sight import SightView
from rollout.rehearsal.traffic import TrafficView, given

MANY = 1000
_CAUTION = "Chances and costs are those of the earliest times; minutes count from a ready canary."
_STAGE_TITLES = ("stage", "begins", "ends", "live requests to the canary")
_SIGHT_TITLES = ("a canary that", "is noticed in", "by minute", "having answered")


@click.command(
    epilog="""\b
Examples:
  rollout plan churn --endpoint churn
  rollout plan policies/churn.yaml --endpoint churn
  rollout plan policies/churn.yaml --rps 40 --error-rate 0.004"""
)
@click.argument("policy")
@click.option("--endpoint", metavar="ENDPOINT", help="Whose traffic of the last two hours to read.")
@click.option("--rps", type=float, metavar="N", help="Instead: the endpoint's requests a second.")
@click.option("--error-rate", type=float, metavar="RATE", help="Of these fail usually, 0 to 1.")
@markdown_option
@may_talk
def plan(
    late: MayTalk, policy: str, endpoint: str | None, as_markdown: bool, **numbers: float | None
) -> None:
    """Tell before a rollout what POLICY (a file, or a name) will see, cost and miss.

    With --rps, --error-rate and a file no controller is needed.
    """
    if endpoint is None and None in numbers.values():
        raise click.UsageError("give --endpoint, or both --rps and --error-rate")
    if endpoint is not None and any(one is not None for one in numbers.values()):
        raise click.UsageError("--endpoint has its own numbers: leave out --rps and --error-rate")
    named = named_policy(policy)
    if endpoint is None and named.file is not None:
        view = _foretold(late, named, numbers["rps"] or 0.0, numbers["error_rate"] or 0.0)
    else:
        view = _asked(late, named, {"endpoint": endpoint} if endpoint else numbers)
    told = _told(view) if not as_markdown else Text(in_markdown(view))
    late.answer(view.model_dump(mode="json"), lambda: told)


def _foretold(late: MayTalk, named: NamedPolicy, rps: float, error_rate: float) -> PlanView:
    try:
        return foretell(named.read(late), named.name, given(rps, error_rate))
    except Malformed as error:
        raise Failure(str(error), remedy="mend the number") from error


def _asked(late: MayTalk, named: NamedPolicy, where: Mapping[str, Any]) -> PlanView:
    """The controller's plan; a file is read here first, so that its mistakes are told by line."""
    body = {"policy": named.name}
    if named.file is not None:
        named.read(late)
        body = {"text": read_text(named.file)}
    controller = late.begin().controller
    answer = controller.change("POST", "plans", {**body, **where})
    view = controller.parsed(PlanView, answer.body)
    return view.model_copy(update={"policy": named.name})


# -- in words --------------------------------------------------------------------------------------


def _told(view: PlanView) -> Group:
    return Group(*_parts(view))


def _parts(view: PlanView) -> Iterator[RenderableType]:
    on = f" on {view.endpoint}" if view.endpoint else ""
    yield Text.assemble(
        (f"{view.policy}@{view.version}", "bold"), f"{on}\n{_traffic(view.traffic)}\n"
    )
    yield _stages(view.stages)
    yield Text()
    if view.sees:
        yield _sees(view.sees)
        yield Text()
    for title, sentences in _lists(view).items():
        yield from _list(title, sentences)
    yield Text(_CAUTION, "dim")


def _lists(view: PlanView) -> Mapping[str, Sequence[str]]:
    return {
        "At risk": [view.at_risk.sentence],
        "What it cannot see": view.misses,
        "In vain": view.in_vain,
        "What to change": view.advice,
        "Frozen": view.freezes,
        "Hooks": view.hooks,
        "Warnings": view.warnings,
    }


def _traffic(traffic: TrafficView) -> str:
    whence = (
        f"counted on {traffic.baseline} over {count(traffic.minutes, 'minute')}"
        if traffic.minutes
        else "as given"
    )
    scatter = (
        f", scattered {figures(traffic.phi)} times as much as by chance" if traffic.phi > 1 else ""
    )
    return (
        f"{_number(traffic.requests_per_minute)} requests a minute,"
        f" {percent(traffic.error_rate)} fail{scatter}: {whence};"
        f" metrics {count(traffic.lag_minutes, 'minute')} behind"
    )


def _stages(stages: Sequence[PlannedStage]) -> Table:
    table = _table(*_STAGE_TITLES)
    for one in stages:
        table.add_row(*_stage_cells(one))
    return table


def _stage_cells(one: PlannedStage) -> tuple[str, ...]:
    return (
        one.name,
        _between(one.begins_earliest, one.begins_latest),
        _between(one.ends_earliest, one.ends_latest),
        _number(one.canary_requests) if one.canary_requests else "-",
    )


def _between(earliest: int, latest: int) -> str:
    return f"minute {earliest}" + (f" to {latest}" if latest > earliest else "")


def _sees(sees: Sequence[SightView]) -> Table:
    table = _table(*_SIGHT_TITLES)
    for one in sees:
        canary, detection, *rest = _sight_cells(one)
        table.add_row(canary, Text(detection, "green" if one.reliable else "yellow"), *rest)
    return table


def _sight_cells(one: SightView) -> tuple[str, ...]:
    cost = one.canary_requests
    return (
        one.canary,
        percent(round(one.detection, 2)),
        "-" if one.minute is None else str(one.minute),
        "-" if cost is None else f"{_number(cost)} requests",
    )


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in titles:
        table.add_column(title)
    return table


def _list(title: str, sentences: Sequence[str]) -> Iterator[RenderableType]:
    """A heading and its lines; nothing where there is none."""
    if sentences:
        yield Text(title, "bold")
        yield from (Padding(Text(one), (0, 0, 0, 2)) for one in sentences)
        yield Text()


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= MANY else figures(number, 3)


def in_markdown(view: PlanView) -> str:
    """The same for a page, such as the summary of a CI job."""
    name = f"{view.policy}@{view.version}" + (f" on {view.endpoint}" if view.endpoint else "")
    return markdown.page(
        f"### Plan: {markdown.plain(name)}",
        markdown.plain(_traffic(view.traffic)),
        markdown.table(_STAGE_TITLES, map(_stage_cells, view.stages)),
        markdown.table(_SIGHT_TITLES, map(_sight_cells, view.sees)) if view.sees else "",
        *(markdown.bullets(title, sentences) for title, sentences in _lists(view).items()),
        f"_{_CAUTION}_",
    )
