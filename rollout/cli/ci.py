"""What a CI job keeps of the rollout it waited for: a summary in Markdown, and named outputs."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from rollout.cli import explain, markdown, plan
from rollout.cli.endings import Exit, Failure
from rollout.cli.talk import Talk
from rollout.rehearsal.plan import PlanView
from rollout.views import RolloutView

_STRANGE = re.compile(r"[^\w.~/-]")
"""What no id has, and what would make a line of outputs say more than one thing."""

_WITHOUT_OUTCOME: Mapping[int, str] = {
    Exit.OK: "started",
    Exit.UNDECIDED: "undecided",
    Exit.STOPPED: "superseded",
    Exit.REFUSED: "refused",
    Exit.UNREACHABLE: "unreachable",
    Exit.INTERRUPTED: "interrupted",
}
"""The output `outcome` where the rollout itself tells none."""

summary_option = click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append the plan and the explanation, in Markdown.",
)
outputs_option = click.option(
    "--outputs",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append the lines rollout-id=ID and outcome=OUTCOME.",
)


@dataclass
class Record:
    """One rollout as it is written down; a file that was not asked for is not written."""

    talk: Talk
    summary: Path | None
    outputs: Path | None
    rollout_id: str | None = None

    def begun(self, view: RolloutView) -> None:
        """It has an id now: kept at once, for a job that is cancelled later."""
        self.rollout_id = view.id
        self._put(self.outputs, f"rollout-id={_STRANGE.sub('', view.id)}\n")
        if self.summary:
            self._put(self.summary, self._plan(view) + "\n")

    def ended(self, code: int, said: str) -> None:
        """What became of it; where the controller is silent, the exit code tells what is known."""
        outcome = _WITHOUT_OUTCOME.get(code, "unknown")
        told = f"### {markdown.plain(outcome)}\n\n{markdown.plain(said)}\n"
        try:
            if self.rollout_id:
                view = self.talk.controller.rollout(self.rollout_id)
                outcome = view.outcome.value if view.outcome else outcome
                told = explain.in_markdown(view, self.talk.controller.history(view.id))
        except Failure as silent:
            told += f"\nThe explanation is missing: {markdown.plain(silent.message)}\n"
        self._put(self.outputs, f"outcome={outcome}\n")
        self._put(self.summary, told)

    def check(self) -> None:
        """Raises Failure for a file that cannot be written, before anything has begun."""
        self._put(self.summary, "")
        self._put(self.outputs, "")

    def _plan(self, view: RolloutView) -> str:
        try:
            wanted = {"policy": view.policy, "endpoint": view.endpoint}
            answer = self.talk.controller.change("POST", "plans", wanted)
            return plan.in_markdown(self.talk.controller.parsed(PlanView, answer.body))
        except Failure as no:
            return f"There is no plan: {markdown.plain(no.message)}\n"

    @staticmethod
    def _put(path: Path | None, text: str) -> None:
        if path is None:
            return
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise Failure(
                f"{path} cannot be written: {error.strerror}",
                where="--summary and --outputs",
                remedy="name a file in a folder that exists and is yours",
            ) from error


@contextmanager
def recorded(talk: Talk, summary: Path | None, outputs: Path | None) -> Iterator[Record]:
    """However the command ends, the files tell it."""
    record = Record(talk, summary, outputs)
    record.check()
    try:
        yield record
    except click.exceptions.Exit as ending:
        record.ended(ending.exit_code, "")
        raise
    except Failure as no:
        record.ended(no.exit_code, no.format_message())
        raise
    record.ended(Exit.OK, "")
