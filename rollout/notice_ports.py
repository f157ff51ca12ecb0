"""What telling people, and asking programs, needs from outside, and what it must promise."""

from dataclasses import dataclass
from typing import Protocol

from rollout.core.actions import AskHook
from rollout.core.letter import Letter
from rollout.core.notify import Target
from rollout.core.rollout import HookWord


class Notices(Protocol):
    """The places where people are told things, by the names that the settings give them."""

    def send(self, target: Target, letter: Letter) -> None:
        """Tell it there, under the letter's id; a repeat may be told twice.

        Raises Unavailable where it is worth another try, Refused where it is not.
        """
        ...


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a hook said, and why, in its own words: one short line."""

    word: HookWord
    reason: str = ""


class HookPlaces(Protocol):
    """The programs that may be asked whether a stage may begin, by their names in the settings."""

    def ask(self, question: AskHook, question_id: str) -> HookAnswer:
        """Go or veto; a repeat has the same id. It takes no longer than the question allows.

        Raises Unavailable where it is worth another try, Refused where it is not. No text of them
        holds an address or a secret.
        """
        ...
