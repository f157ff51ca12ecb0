"""Pairs of answers that the platform has written down: two to one request, joined by its ids."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollout.analysis.samples import Counts, Pairs, Probed
from rollout.core.agreement import Agreement, Status
from rollout.core.comparison import score
from rollout.core.minutes import floor
from rollout.measuring.pairing import OK, with_pair
from rollout.pair_ports import Served
from rollout.ports import Minutes

PAIRS_MAX = 600
"""So many pairs of one minute are compared: those whose ids have the smallest hashes."""

Joined = tuple[str, Served, Served]
"""The name of a request, the canary's answer to it, and the baseline's."""


@dataclass(frozen=True, slots=True)
class Join:
    """How the records of two deployments become minutes of pairs; `scored` wants histograms."""

    agreement: Agreement
    minute: timedelta
    of: str
    scored: bool

    def minutes(self, canary: str, mine: Sequence[Served], theirs: Sequence[Served]) -> Minutes:
        """Each pair in the minute of its live answer; the histograms of both in their own."""
        pairs: dict[datetime, list[Joined]] = defaultdict(list)
        for one in joined(mine, theirs):
            pairs[floor(one[2].at, self.minute)].append(one)
        my_scores, their_scores = self._scores(mine), self._scores(theirs)
        known = {floor(one.at, self.minute) for one in theirs} | {*pairs, *my_scores}
        return {
            at: {canary: Counts(probed=self._minute(at, pairs[at], my_scores, their_scores))}
            for at in sorted(known)
        }

    def _minute(
        self,
        at: datetime,
        pairs: Sequence[Joined],
        mine: Mapping[datetime, Counter[float]],
        theirs: Mapping[datetime, Counter[float]],
    ) -> Probed:
        scored = Pairs(
            at, canary_scores=dict(mine.get(at, {})), baseline_scores=dict(theirs.get(at, {}))
        )
        found = Probed(scored, of=self.of)
        for name, canary, baseline in _chosen(pairs):
            found = with_pair(found, self.agreement, name, canary.answer, baseline.answer)
        return found

    def _scores(self, served: Sequence[Served]) -> Mapping[datetime, Counter[float]]:
        found: dict[datetime, Counter[float]] = defaultdict(Counter)
        how = self.agreement.compare.how
        if not self.scored or isinstance(how, Status):
            return found
        for one in served:
            value = score(how, one.answer.body) if one.answer.status == OK else None
            if value is not None:
                found[floor(one.at, self.minute)][rounded(value)] += 1
        return found


def joined(mine: Sequence[Served], theirs: Sequence[Served]) -> Iterator[Joined]:
    """Those with an id in common; an id that comes twice in one deployment joins nothing."""
    known = _by_id(mine)
    taken = set[int]()
    for name, baseline in _by_id(theirs).items():
        canary = known.get(name)
        if canary is not None and id(baseline) not in taken and id(canary) not in taken:
            taken |= {id(baseline), id(canary)}
            yield name, canary, baseline


def _by_id(served: Sequence[Served]) -> Mapping[str, Served]:
    times = Counter(name for one in served for name in one.ids)
    return {name: one for one in served for name in sorted(one.ids) if times[name] == 1}


def _chosen(pairs: Sequence[Joined]) -> Sequence[Joined]:
    if len(pairs) <= PAIRS_MAX:
        return pairs
    return sorted(pairs, key=lambda one: hashlib.sha256(one[0].encode()).digest())[:PAIRS_MAX]


def rounded(value: float) -> float:
    """To two digits: the bins of a histogram, whatever the scale."""
    return float(f"{value:.1e}") if math.isfinite(value) else 0.0
