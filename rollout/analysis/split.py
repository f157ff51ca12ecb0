"""One minute of one rate as a two-by-two table: requests and bad answers of both arms."""

from collections.abc import Sequence
from typing import NamedTuple

from rollout.analysis.samples import Counts


class Split(NamedTuple):
    canary: int
    canary_bad: int
    baseline: int
    baseline_bad: int

    @property
    def bad(self) -> int:
        return self.canary_bad + self.baseline_bad

    @property
    def paired(self) -> bool:
        """Whether both arms answered something, so that they can be compared."""
        return self.canary > 0 and self.baseline > 0

    @property
    def tells(self) -> bool:
        """Whether the minute says anything about who fails more often."""
        return self.canary > 0 < self.baseline and self.canary_bad + self.baseline_bad > 0


NOTHING = Counts()


def total(parts: Sequence[Split]) -> Split:
    """All minutes in one: for telling, never for judging (shares change between minutes)."""
    columns = zip(*parts, strict=True) if parts else ((0,),) * 4
    return Split(*(sum(column) for column in columns))
