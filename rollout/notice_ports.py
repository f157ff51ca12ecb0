"""What telling people needs from outside, and what it must promise."""

from typing import Protocol

from rollout.core.letter import Letter
from rollout.core.notify import Target


class Notices(Protocol):
    """The places where people are told things, by the names that the settings give them."""

    def send(self, target: Target, letter: Letter) -> None:
        """Tell it there, under the letter's id; a repeat may be told twice.

        Raises Unavailable where it is worth another try, Refused where it is not.
        """
        ...
