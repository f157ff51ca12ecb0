"""What was counted, minute by minute, in the two arms."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf, isfinite
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of one arm's minute in milliseconds; None where the source has none.

    Raises ValueError for one that is negative or not a number.
    """

    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None

    def __post_init__(self) -> None:
        for each in (self.p50, self.p90, self.p95, self.p99):
            if each is not None and not 0 <= each < inf:
                raise ValueError(f"a latency is a number of milliseconds, not {each}")


@dataclass(frozen=True, slots=True)
class Counts:
    """What one arm did in one minute: answers by HTTP status, and how long they took.

    ``bins`` is the 10 % log-histogram of the total duration, where the source has rows: bin k holds
    the answers that took from 5 ms x 1.1^k up to 5 ms x 1.1^(k+1). ``value`` is what a custom guard
    was told in place of counts, and ``said`` the words that came with it. ``probed`` goes with the
    counts of requests of our own. Raises ValueError for a count that is negative or not a number.
    """

    statuses: Mapping[int, int] = field(default_factory=dict)
    latency: Latency | None = None
    bins: Mapping[int, int] | None = None
    value: float | None = None
    said: str | None = None
    probed: "Probed | None" = None

    def __post_init__(self) -> None:
        for counted in (self.statuses, self.bins or {}):
            for name, count in counted.items():
                if not 0 <= count < inf:
                    raise ValueError(f"{count} answers under {name}: a count is 0 or more")
        if self.value is not None and not isfinite(self.value):
            raise ValueError(f"{self.value} is not a number that can be compared")

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())

    def having(self, statuses: Collection[int]) -> int:
        """How many answers had one of these statuses."""
        counted = self.statuses
        return sum([counted[status] for status in statuses if status in counted])


GOOD, BAD = 200, 500
"""How the counts of a custom guard are kept."""


def tallied(requests: int, failures: int) -> Counts:
    """The counts of a custom guard; raises ValueError for more failures than requests."""
    counts = {GOOD: requests - failures, BAD: failures}
    return Counts({status: count for status, count in counts.items() if count})


class Minute(NamedTuple):
    """One minute of both arms; an arm is None where the minute is a gap in its record.

    ``share`` is the canary's share of the traffic in percent, as asked for in that minute.
    """

    at: datetime
    share: int
    canary: Counts | None
    baseline: Counts | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """What one minute showed of both arms' answers: to the same requests, and of their scores.

    `compared` requests were answered by both, `disagreeing` of them differently; `differences` are
    the canary's scores less the baseline's, `up` and `down` the answers that only the canary, or
    only the baseline, took for a yes. The score histograms need no pairs: they count answers by the
    centre of their bin. Raises ValueError for what cannot be.
    """

    at: datetime
    compared: int = 0
    disagreeing: int = 0
    differences: tuple[float, ...] = ()
    up: int = 0
    down: int = 0
    canary_scores: Mapping[float, int] = field(default_factory=dict)
    baseline_scores: Mapping[float, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counted = (self.compared, self.up, self.down, self.disagreeing)
        bins = (*self.canary_scores.values(), *self.baseline_scores.values())
        if not all(0 <= number < inf for number in (*counted, *bins)):
            raise ValueError(f"pairs are counted from 0 up, not {self}")
        if self.disagreeing > self.compared or self.up + self.down > self.compared:
            raise ValueError(f"of {self.compared} pairs no more can differ: {self}")
        scores = (*self.differences, *self.canary_scores, *self.baseline_scores)
        if not all(-inf < score < inf for score in scores):
            raise ValueError(f"a score is a number: {self}")

    @property
    def scored_by_canary(self) -> int:
        return sum(self.canary_scores.values())

    @property
    def scored_by_baseline(self) -> int:
        return sum(self.baseline_scores.values())


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A request that the arms answered differently, by its name, and what each answered."""

    request: str
    canary: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Probed:
    """What requests of our own showed in one minute of their numbering.

    `sent` of them were spent, with or without two answers to compare; `of` is a mark of the file
    that they come from. `kept` is a sample of the disagreements.
    """

    pairs: Pairs
    of: str
    sent: int = 0
    kept: tuple[Disagreement, ...] = ()

    def without_one(self) -> "Probed":
        """With one request more that was answered by one arm at most."""
        return replace(self, sent=self.sent + 1)

    def with_one(
        self,
        difference: float | None,
        turned: tuple[bool, bool],
        kept: tuple[Disagreement, ...],
        *,
        differs: bool,
    ) -> "Probed":
        """With one request more that both arms answered."""
        up, down = turned
        known = self.pairs
        pairs = replace(
            known,
            compared=known.compared + 1,
            disagreeing=known.disagreeing + differs,
            differences=(*known.differences, *([] if difference is None else [difference])),
            up=known.up + up,
            down=known.down + down,
        )
        return replace(self, pairs=pairs, sent=self.sent + 1, kept=kept)


@dataclass(frozen=True, slots=True)
class Samples:
    """Readable minutes, oldest first: those of the trial, and the baseline's before it.

    `pairs` are what a prober or the traffic log compared; `usual_scores` the baseline's histogram
    of scores from before the trial.
    """

    minutes: tuple[Minute, ...] = ()
    history: tuple[Minute, ...] = ()
    pairs: tuple[Pairs, ...] = ()
    usual_scores: Mapping[float, int] = field(default_factory=dict)
