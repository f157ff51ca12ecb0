"""`rollout replay`: what a policy would have decided on recorded minutes; `rollout minutes`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from rollout.cli.controller import in_path
from rollout.cli.endings import Exit, Failure
from rollout.cli.named_policy import named_policy
from rollout.cli.policy_files import read_text
from rollout.cli.talk import MayTalk, Talk, may_talk, say_json, talks
from rollout.cli.words import clock_time, date_time
from rollout.errors import Malformed
from rollout.rehearsal.recording import Recording, of_kubernetes, parse_recording
from rollout.rehearsal.replay import Ending, ReplayView
from rollout.rehearsal.replay import replay as replayed

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

EXIT_OF: Mapping[Ending, Exit] = {
    Ending.PROMOTED: Exit.OK,
    Ending.PASSED: Exit.OK,
    Ending.ROLLED_BACK: Exit.ROLLED_BACK,
    Ending.UNDECIDED: Exit.UNDECIDED,
}
_STYLES: Mapping[str, str] = {
    "passed": "green",
    "rolled back": "bold red",
    "held": "yellow",
    "asked": "yellow",
}
_VERDICTS: Mapping[Ending, str] = {Ending.ROLLED_BACK: "bold red", Ending.UNDECIDED: "yellow"}


@click.command(
    epilog="""\b
Examples:
  rollout replay policies/churn.yaml --rollout churn
  rollout minutes churn > churn.json
  rollout replay policies/churn.yaml --history churn.json"""
)
@click.argument("policy")
@click.option("--history", type=_FILE, help="Recorded minutes, as `rollout minutes` writes them.")
@click.option("--rollout", "ref", metavar="REF", help="Instead: the minutes of that rollout.")
@click.option(
    "--kubernetes",
    is_flag=True,
    help="The record is of a Kubernetes endpoint, and does not say so.",
)
@may_talk
def replay(
    late: MayTalk, policy: str, history: Path | None, ref: str | None, *, kubernetes: bool
) -> None:
    """Tell what POLICY (a file, or a name) would have decided on recorded minutes.

    The record's shares are taken as they are: each minute is judged by this policy's guards, and
    traffic that never was is not invented. With --history and a file no controller is needed. On a
    Kubernetes endpoint 502 and 504 are failures too; records of old rollouts may not tell the kind.
    """
    if (history is None) == (ref is None):
        raise click.UsageError("give either --history FILE or --rollout REF")
    named = named_policy(policy)
    read = named.read(late)
    try:
        recording = _from_file(history) if history else _from_controller(late, ref or "")
        view = replayed(read, named.name, of_kubernetes(recording) if kubernetes else recording)
    except Malformed as error:
        raise Failure(str(error), remedy="record it anew: rollout minutes REF > FILE") from error
    late.answer(view.model_dump(mode="json"), lambda: _told(view))
    if EXIT_OF[view.ending] is not Exit.OK:
        raise click.exceptions.Exit(EXIT_OF[view.ending])


def _from_file(path: Path) -> Recording:
    return parse_recording(read_text(path), str(path))


def _from_controller(late: MayTalk, ref: str) -> Recording:
    talk = late.begin()
    return talk.controller.parsed(Recording, _minutes(talk, ref))


@click.command(epilog="\b\nExamples:\n  rollout minutes churn > churn.json")
@click.argument("ref")
@talks
def minutes(talk: Talk, ref: str) -> None:
    """Write the recorded minutes of the rollout of REF as JSON, for `rollout replay`."""
    say_json(_minutes(talk, ref))


def _minutes(talk: Talk, ref: str) -> Any:  # noqa: ANN401 - JSON
    return talk.controller.read(f"rollouts/{in_path(ref)}/minutes")


def _told(view: ReplayView) -> Group:
    title = Text.assemble(
        (f"{view.policy}@{view.version}", "bold"),
        f" on the minutes of {view.recorded}\n",
        (f"{date_time(view.since)} to {date_time(view.until)}\n", "dim"),
    )
    outcome = Text(f"\nWould have been {view.verdict}", _VERDICTS.get(view.ending, "green"))
    told = Text("\n").join([Text(), *(Text(f"  {note}", "dim") for note in view.notes)])
    return Group(title, _moments(view), outcome, told)


def _moments(view: ReplayView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("at", "minute", "", "stage"):
        table.add_column(heading, no_wrap=True)
    table.add_column("why", overflow="fold")
    for one in view.moments:
        decided = Text(one.decided, _STYLES.get(one.decided, ""))
        table.add_row(clock_time(one.at), str(one.minute), decided, one.stage, one.why)
    return table
