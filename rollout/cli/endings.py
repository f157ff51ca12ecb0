"""How a command ends: its exit code, and what a person is told when it could not do its work."""

from collections.abc import Mapping
from enum import IntEnum
from typing import IO, Any

import click

from rollout.core.rollout import Outcome


class Exit(IntEnum):
    """What CI reads. 1 to 3 are for `watch` and `start --wait`; 1 for `policy diff`, `doctor`."""

    OK = 0
    ROLLED_BACK = 1
    UNDECIDED = 2
    STOPPED = 3
    REFUSED = 4
    UNREACHABLE = 5
    USAGE = 64
    BROKEN = 70
    INTERRUPTED = 130


EXIT_MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "done; for `watch`, `--wait` and `replay`: promoted, or passed so far",
    Exit.ROLLED_BACK: "rolled back (`policy diff`: the texts differ; `doctor`: something failed)",
    Exit.UNDECIDED: "undecided when the time, or the record, was over",
    Exit.STOPPED: "aborted, superseded, undone or released",
    Exit.REFUSED: "refused: the answer says why and what to do",
    Exit.UNREACHABLE: "the controller did not answer, or not in a usable way",
    Exit.USAGE: "the command line was not understood",
    Exit.BROKEN: "a fault in this program; nothing is known of the rollout",
    Exit.INTERRUPTED: "interrupted by Ctrl-C, or nobody reads any more; the rollout goes on",
}

EXIT_OF: Mapping[Outcome, Exit] = {
    Outcome.PROMOTED: Exit.OK,
    Outcome.ROLLED_BACK: Exit.ROLLED_BACK,
    Outcome.ABORTED: Exit.STOPPED,
    Outcome.SUPERSEDED: Exit.STOPPED,
    Outcome.UNDONE: Exit.STOPPED,
    Outcome.RELEASED: Exit.STOPPED,
    Outcome.REFUSED: Exit.REFUSED,
}


class Failure(click.ClickException):
    """Refused, by us or by the controller: what is wrong, where, and what to do."""

    exit_code = Exit.REFUSED

    def __init__(self, what: str, *, where: str = "", remedy: str = "", status: int = 0) -> None:
        """`status` is that of the answer, where a controller said it."""
        super().__init__(what)
        self.status = status
        self.where = where
        self.remedy = remedy

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.format_message(), file=file, err=file is None)

    def format_message(self) -> str:
        first, *more = self.message.splitlines() or [""]
        told = [f"rollout: {first}", *(f"         {line}" for line in more)]
        told += [f"  where: {self.where}"] if self.where else []
        told += [f"  do:    {self.remedy}"] if self.remedy else []
        return "\n".join(told)


class Unreachable(Failure):
    """No controller answered, or it said "later"."""

    exit_code = Exit.UNREACHABLE
