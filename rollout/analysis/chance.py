"""The chance that a schedule shows a canary to be worse, from what is known before it begins."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from rollout.analysis.case import SHARE_CHANGES
from rollout.analysis.excess import Counted, Margin, foreseen
from rollout.analysis.threshold import threshold

FEW = 20.0
"""Failures a minute up to which each number of them is looked at; beyond, their mean."""
NO_MARGIN = Margin()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a guard asks for before it fails: as `Case` and `Terms` have it in a rollout."""

    margin: Margin = NO_MARGIN
    stake: float = 1.0
    planned_minutes: float = 0.0
    strict: bool = False

    def enough(self, phi: float) -> float:
        return threshold(self.planned_minutes, phi, strict=self.strict) - math.log(self.stake)


class Course(NamedTuple):
    """So many minutes with the same requests to both arms in each."""

    minutes: int
    canary: float
    baseline: float


class Rates(NamedTuple):
    """How often either arm fails, and how much more than by chance that scatters."""

    canary: float
    baseline: float
    phi: float = 1.0


def chance(course: Sequence[Course], rates: Rates, asked: Asked) -> float:
    """How likely the evidence reaches what is asked for, in one of the minutes.

    The logarithm of the best alternative's evidence is taken for a Brownian motion with its own
    mean and variance. The judge bets on many alternatives and has that much less: as much as it has
    less where every minute counts what is expected. So the motion has to reach what is asked for
    and that, at any time (Bachelier and Levy), not only at the end.
    """
    mean, variance = 0.0, 0.0
    for one in course:
        drift, spread = _best(one, rates, asked.margin)
        mean += one.minutes * drift / rates.phi
        variance += one.minutes * spread / rates.phi
    if mean <= 0 or variance <= 0:
        return 0.0
    stretches = [(one.minutes, tuple(_minutes(one, rates))) for one in course]
    has = foreseen(stretches, asked.margin, rates.baseline, rates.phi, SHARE_CHANGES)
    return reaches(asked.enough(rates.phi) + mean - has, mean, variance)


def reaches(level: float, mean: float, variance: float) -> float:
    """How likely a Brownian motion with that mean and variance at its end was ever so high."""
    if level <= 0:
        return 1.0
    law, deviation = NormalDist(), math.sqrt(variance)
    at_end, turned = law.cdf((mean - level) / deviation), law.cdf((-mean - level) / deviation)
    before = math.exp(2 * mean * level / variance + math.log(turned)) if turned else 0.0
    return min(1.0, at_end + before)


def _best(one: Course, rates: Rates, margin: Margin) -> tuple[float, float]:
    """Mean and variance of what a minute adds to the alternative that is the truth."""
    null = margin.ratio + margin.points / rates.baseline
    ratio = rates.canary / rates.baseline
    if ratio <= null or not one.canary or not one.baseline:
        return 0.0, 0.0
    both = (one.canary * ratio + one.baseline) / (one.canary * null + one.baseline)
    of_canary, of_baseline = math.log(ratio / null) - math.log(both), -math.log(both)
    bad, others = one.canary * rates.canary, one.baseline * rates.baseline
    return (
        bad * of_canary + others * of_baseline,
        bad * of_canary**2 + others * of_baseline**2,
    )


def _minutes(one: Course, rates: Rates) -> Iterator[tuple[float, Counted]]:
    """What a minute may count, and how likely.

    How many fail is a Poisson number; which of them are the canary's is taken as it is expected.
    """
    bad, others = one.canary * rates.canary, one.baseline * rates.baseline
    of_both = bad + others
    if of_both > FEW:
        yield 1.0, (one.canary, bad, one.baseline, others)
        return
    part, likely = bad / of_both if of_both else 0.0, math.exp(-of_both)
    for failed in range(1, math.ceil(of_both + 8 * math.sqrt(of_both) + 8)):
        likely *= of_both / failed
        yield likely, (one.canary, failed * part, one.baseline, failed * (1 - part))
