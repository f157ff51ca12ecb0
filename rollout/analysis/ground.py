"""What the guards of one judgment are judged on, reckoned once for all of them."""

import operator
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain, compress
from typing import TypeAlias

from rollout.analysis.bound import excess_bound, ratio_interval
from rollout.analysis.dispersion import Past, Scatter, learn
from rollout.analysis.samples import Counts, Minute, Pairs
from rollout.analysis.silence import baseline_silent, canary_silent
from rollout.analysis.split import NOTHING, Split, total

Asked: TypeAlias = tuple[Sequence[Mapping[int, int]], Sequence[int]]
"""One arm's minutes: their answers by status, and how many there were."""


class Ground:
    """Minutes of a trial, oldest first and each once, and the baseline's minutes before it."""

    def __init__(
        self,
        minutes: Sequence[Minute],
        history: Sequence[Minute],
        pairs: Sequence[Pairs] = (),
        usual_scores: Mapping[float, int] | None = None,
        pasts: dict[frozenset[int], Past] | None = None,
        whole: "Ground | None" = None,
    ) -> None:
        """`pasts` is what was learnt from the same history; `whole`, of what this is a part."""
        self.minutes = tuple(minutes)
        self.history = tuple(history)
        self.pairs = tuple(pairs)
        self.usual_scores = usual_scores or {}
        self.pasts = {} if pasts is None else pasts
        self.whole = whole or self
        self._rates: dict[frozenset[int], Rates] = {}

    def rates(self, statuses: frozenset[int]) -> "Rates":
        """The same for one rate, which several guards may be about."""
        if statuses not in self._rates:
            self._rates[statuses] = Rates(self, statuses)
        return self._rates[statuses]

    @property
    def _asked(self) -> tuple[Sequence[int], Sequence[int]]:
        (_, canary), (_, baseline) = self.requests
        return canary, baseline

    @cached_property
    def canary_silent(self) -> str | None:
        return canary_silent(self.minutes, *self._asked)

    @cached_property
    def baseline_silent(self) -> str | None:
        return baseline_silent(self.minutes, *self._asked)

    @cached_property
    def share_changes(self) -> tuple[int, ...]:
        """The minute numbers at which the share changed."""
        pairs = zip(self.minutes, self.minutes[1:], strict=False)
        return tuple(at for at, (one, two) in enumerate(pairs, 1) if one.share != two.share)

    @cached_property
    def beside(self) -> "Ground":
        """The minutes in which the baseline answers too."""
        _, (_, asked) = self.requests
        return self._of([*compress(self.minutes, asked)])

    @cached_property
    def alone(self) -> "Ground":
        """The other minutes."""
        _, (_, asked) = self.requests
        return self._of([*compress(self.minutes, map(operator.not_, asked))])

    def since(self, since: datetime) -> "Ground":
        return self._of([one for one in self.minutes if one.at >= since])

    def _of(self, minutes: Sequence[Minute]) -> "Ground":
        pairs, usual = self.pairs, self.usual_scores
        return Ground(minutes, self.history, pairs, usual, self.pasts, self.whole)

    @cached_property
    def requests(self) -> tuple[Asked, Asked]:
        """What the canary, and what the baseline, was asked in each minute."""
        canary = [one.canary or NOTHING for one in self.minutes]
        return _asked(canary), _asked([one.baseline or NOTHING for one in self.minutes])

    @cached_property
    def past_requests(self) -> Asked:
        return _asked([one.baseline for one in self.history if one.baseline])


def _asked(arm: Sequence[Counts]) -> Asked:
    statuses = [one.statuses for one in arm]
    return statuses, [sum(one.values()) for one in statuses]


def _having(minutes: Sequence[Mapping[int, int]], bad: frozenset[int]) -> list[int]:
    """How many answers of each minute had one of these statuses."""
    found = [0] * len(minutes)
    for status in bad.intersection(chain.from_iterable(minutes)):
        found = [*map(operator.add, found, [one.get(status, 0) for one in minutes])]
    return found


class Rates:
    """One rate's minutes as two-by-two tables, and what does not depend on a guard's margin."""

    def __init__(self, ground: Ground, statuses: frozenset[int]) -> None:
        self._ground = ground
        self._statuses = statuses

    @cached_property
    def past(self) -> Past:
        known, bad = self._ground.pasts, self._statuses
        if bad not in known:
            counted, requests = self._ground.past_requests
            known[bad] = learn([*zip(requests, _having(counted, bad), strict=True)])
        return known[bad]

    @cached_property
    def canary_fails(self) -> bool:
        """At all: without a failure of its own nothing speaks against it."""
        (answers, _), _ = self._ground.requests
        return any(_having(answers, self._statuses))

    @cached_property
    def table(self) -> tuple[Split, ...]:
        bad = self._statuses
        (canary, mine), (baseline, theirs) = self._ground.requests
        return tuple(map(Split, mine, _having(canary, bad), theirs, _having(baseline, bad)))

    @cached_property
    def paired(self) -> tuple[Split, ...]:
        return tuple([one for one in self.table if one.paired])

    @cached_property
    def both(self) -> Split:
        return total(self.paired)

    @cached_property
    def scatter(self) -> Scatter:
        return Scatter(self.table, self.past)

    @cached_property
    def phi(self) -> float:
        """The dispersion at the last minute."""
        return self.scatter.phi(len(self.scatter))

    @cached_property
    def excess_bound(self) -> float:
        return excess_bound(self.paired, self.phi)

    @cached_property
    def ratio_interval(self) -> tuple[float, float | None]:
        return ratio_interval(self.paired, self.phi)
