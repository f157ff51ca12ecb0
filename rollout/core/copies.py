"""Whether mirrored requests are counted under their target: Azure does not say, so it is looked."""

from collections.abc import Mapping, Sequence

from rollout.core.frozen import Frozen
from rollout.core.source import Source

LEAST_EXPECTED = 40
"""So many copies should have been counted before anything is concluded."""
COUNTED_PART, MISSING_PART = 0.3, 0.05
"""Copies may be dropped; from so much of them on they are counted, and below it they are not."""


class CopiesSeen(Frozen):
    """What a source should have counted of the copies in a mirror stage, and what it has."""

    source: Source
    expected: int
    counted: int

    @property
    def seen(self) -> bool | None:
        """None: that cannot be told yet."""
        if self.expected < LEAST_EXPECTED:
            return None
        part = self.counted / self.expected
        return True if part >= COUNTED_PART else (False if part <= MISSING_PART else None)

    def __str__(self) -> str:
        appear = "appear" if self.seen else "do not appear"
        numbers = f"{self.counted} counted, about {self.expected} expected"
        return f"mirrored requests {appear} in {self.source} here ({numbers})"


def news(known: Mapping[Source, bool], told: Sequence[CopiesSeen]) -> Sequence[CopiesSeen]:
    """What was not known of the endpoint, or has changed."""
    return [one for one in told if one.seen is not None and known.get(one.source) != one.seen]
