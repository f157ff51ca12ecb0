"""Reading and starting rollouts: `list`, `get`, `start`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollout.cli.ci import Record, outputs_option, recorded, summary_option
from rollout.cli.controller import in_path
from rollout.cli.endings import Exit
from rollout.cli.glance import glance, late, next_step, replaces, trouble
from rollout.cli.panel import EVENTS_TOLD, panel
from rollout.cli.queued import Place, wait_for_turn
from rollout.cli.talk import Talk, changes, talks
from rollout.cli.watch import timeout_option, watch_view
from rollout.cli.words import date_time
from rollout.core.rollout import Phase
from rollout.views import RolloutView, needing_a_person_first

LIST_MAX = 20
NOTHING: Mapping[str, str] = {
    "all": "No rollouts yet. Start one: rollout start ENDPOINT DEPLOYMENT --wait",
    "live": "No rollout is on the way. Those that are over: rollout list --state ended",
    "ended": "No rollout is over yet. All there are: rollout list",
}
"""Where there is none, by the state that was asked for."""


@click.command("list", epilog="\b\nExamples:\n  rollout list\n  rollout list --state live --json")
@click.option(
    "--state",
    type=click.Choice(["live", "ended", "all"]),
    default="all",
    show_default=True,
    help="Which ones.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=LIST_MAX,
    show_default=True,
    help="How many at most.",
)
@talks
def list_rollouts(talk: Talk, state: str, limit: int) -> None:
    """List rollouts: first those that need a person, with the command that helps."""
    body = talk.controller.rollouts(state, limit)
    views = [talk.controller.view(one) for one in talk.controller.items(body, "rollouts")]
    waiting = body.get("waiting", [])  # an older controller does not tell
    more = f"rollout list --state {state} --limit {2 * limit}" if body.get("next") else ""
    told = _told(needing_a_person_first(views), waiting, more)
    talk.answer(body, lambda: Text("\n\n").join(told) if told else Text(NOTHING[state]))


def _told(
    views: Sequence[RolloutView], waiting: Sequence[Mapping[str, Any]], more: str
) -> Sequence[Text]:
    groups: Mapping[str, list[RolloutView]] = {
        "Needs a person": sorted((one for one in views if one.needs_person), key=_is_safe),
        "On the way": [one for one in views if not one.needs_person and not one.outcome],
        "Over": [one for one in views if one.outcome],
    }
    told = [_group(title, members) for title, members in groups.items() if members]
    if waiting:
        rows = [Text(f"Waiting to start ({len(waiting)})", "bold"), *map(_waits, waiting)]
        told.append(Text("\n").join(rows))
    if more:
        told.append(Text(f"There are more: {more}", "dim"))
    return told


def _waits(start: Mapping[str, Any]) -> Text:
    until = start.get("until")
    when = f"until {date_time(datetime.fromisoformat(until))}" if until else "for its turn"
    behind = f" behind {start['behind']}" if start.get("behind") else ""
    endpoint = start["endpoint"]
    return Text(
        f"  {endpoint}  {start['deployment']} waits {when}{behind}; started by {start['who']}\n"
        f"      → rollout cancel {endpoint}"
    )


def _is_safe(view: RolloutView) -> bool:
    """A rollback that does not come through is read before a question."""
    return view.phase is not Phase.ROLLING_BACK


def _group(title: str, members: Sequence[RolloutView]) -> Text:
    width = max(len(view.endpoint) for view in members)
    rows = [_row(view, width) for view in members]
    return Text("\n").join([Text(f"{title} ({len(members)})", "bold"), *rows])


def _row(view: RolloutView, width: int) -> Text:
    """What is the matter, then what it is about; where a person is needed, the command."""
    seen = glance(view)
    where = date_time(view.phase_since) if view.outcome else _stage(view)
    told = Text.assemble(
        (f"  {seen.mark} ", seen.style),
        (f"{view.endpoint:<{width}}", "bold"),
        (f"  {seen.words}\n", seen.style),
        (f"      {replaces(view)}; {where}", "dim"),
    )
    if late(view):
        told.append(f"\n      {late(view)}", "bold yellow")
    if view.needs_person:
        told.append(f"\n      {trouble(view) or view.waits_for}")
        told.append(f"\n      → {next_step(view)}", "bold")
    return told


def _stage(view: RolloutView) -> str:
    return f"{view.stages[view.stage].name}, stage {view.stage + 1} of {len(view.stages)}"


@click.command(epilog="\b\nExamples:\n  rollout get churn\n  rollout get contoso/churn --json")
@click.argument("ref")
@talks
def get(talk: Talk, ref: str) -> None:
    """Show one rollout in full: by endpoint its live or last one, or any by its id."""
    body = talk.controller.read(f"rollouts/{in_path(ref)}")
    view = talk.controller.view(body)
    talk.answer(body, lambda: _in_full(talk, view))


def _in_full(talk: Talk, view: RolloutView) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for label, told in _facts(view).items():
        if told:
            facts.add_row(f"  {label}", told)
    entries = talk.controller.history(view.id)[-EVENTS_TOLD:]
    parts: list[RenderableType] = [panel(view, entries), Text(), facts]
    if view.needs_person:  # on a line of its own, so that it can be copied whole
        command = Text(f"  → {next_step(view)}", "bold", overflow="fold")
        parts += [Text(), command]
    return Group(*parts)


def _facts(view: RolloutView) -> Mapping[str, str]:
    back = view.rollback or {}
    next_look = date_time(view.next_look_at) if view.next_look_at else ""
    return {
        "id": view.id,
        "asked by": f"{view.who}, {date_time(view.started_at)}"
        + (f": {view.why}" if view.why else ""),
        "before": f"{view.recorded} (what a rollback restores)",
        "back": f"{back['why']} (decided {back['decided_at']})" if back else "",
        "owed": "; ".join(f"{debt.action} (tried {debt.attempts} times)" for debt in view.owed),
        "alerts": "; ".join(f"{one.rule} ({one.severity}) fires" for one in view.alerts),
        "looks": next_look,
        "endpoint": view.endpoint_id,
    }


@click.command(
    epilog="""\b
Examples:
  rollout start churn green --wait
  rollout start contoso/churn green --policy churn --why "release 41"
  rollout start churn green --wait --idempotency-key "$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT"  # CI"""
)
@click.argument("endpoint")
@click.argument("deployment")
@click.option("--policy", metavar="NAME", help="By default the policy that matches best.")
@click.option("--adopt", is_flag=True, help="The deployment may have live traffic already.")
@click.option("--take-over", is_flag=True, help="Take the endpoint from another installation.")
@click.option(
    "--despite-alert",
    "despite_alerts",
    metavar="RULE",
    multiple=True,
    help="Overlook alerts of this rule, also one that fires already; may be repeated.",
)
@click.option("--despite-freeze", is_flag=True, help="Let no freeze of the policy hold it up.")
@click.option("--repository", metavar="OWNER/NAME", help="Where its code comes from, on GitHub.")
@click.option("--commit", metavar="SHA", help="The commit of it that GitHub is told about.")
@click.option("--wait", is_flag=True, help="Watch it afterwards, and exit as `watch` does.")
@timeout_option
@summary_option
@outputs_option
@changes
def start(
    talk: Talk,
    wait: bool,
    timeout: float | None,
    summary: Path | None,
    outputs: Path | None,
    **order: Any,  # noqa: ANN401
) -> None:
    """Start to roll out DEPLOYMENT on ENDPOINT."""
    if timeout is not None and not wait:
        raise click.UsageError("--timeout is for --wait: without it the command waits for nothing")
    with recorded(talk, summary, outputs) as record:
        _start(record, order, timeout * 60 if timeout is not None else None, wait=wait)


def _start(record: Record, order: dict[str, Any], seconds: float | None, *, wait: bool) -> None:
    talk, key = record.talk, order.pop("key")
    begun = talk.session.monotonic()
    if not order["despite_freeze"]:  # an older controller does not know it
        del order["despite_freeze"]
    body = {name: value for name, value in order.items() if value not in (None, ())}
    answer = talk.controller.change("POST", "rollouts", body, key)
    if answer.status != 202:
        view = talk.controller.view(answer.body)
        told = _started(view)
    else:
        told = _queued(answer.body)
        if wait:
            click.echo(told, err=True)
            if answer.body.get("behind") is None:
                raise click.exceptions.Exit(Exit.UNDECIDED)
            told_place = Place(order["deployment"], answer.body["order"], answer.body["behind"])
            view = wait_for_turn(talk, told_place, seconds)
    if wait or answer.status != 202:
        record.begun(view)
    if wait:
        left = seconds and max(0, begun + seconds - talk.session.monotonic())
        watch_view(talk, view, left)
    talk.answer(answer.body, lambda: told)


def _started(view: RolloutView) -> str:
    return (
        f"{view.endpoint}: {replaces(view)} has started under {view.policy}@{view.policy_version}\n"
        f"  id:    {view.id}\n"
        f"  waits: {view.waits_for}\n"
        f"  next:  rollout watch {view.endpoint}"
    )


def _queued(body: Mapping[str, str]) -> str:
    if body.get("behind") is None:
        return f"{body['why']}; it begins by itself"
    return (
        f"{body['queued']} waits for its turn: {body['why']}\n"
        f"  behind: {body['behind']}\n"
        f"  next:   rollout watch {body['behind']}"
    )
