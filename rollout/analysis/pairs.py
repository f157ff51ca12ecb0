"""Mirrored pairs and drift: the same request answered by both arms, or scores without their pairs.

All of it is evidence as in `excess`: a martingale while nothing is wrong, so one may look any time.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout.analysis.grid import iterated, log_mean

TIMES = iterated(1.25, 30, 8)
FLIPS = (1.5, 2.0, 4.0, 10.0)
STAKES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
STEEPNESS = (0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True, slots=True)
class Flips:
    """Pairs whose class differs: only the canary says yes (`up`), only the baseline (`down`)."""

    up: int
    down: int

    def __post_init__(self) -> None:
        if self.up < 0 or self.down < 0:
            raise ValueError(f"pairs are counted from 0 up, not {self}")


def disagreement(pairs: int, differing: int, tolerance: float) -> float:
    """The ln E that more than `tolerance` of the pairs differ.

    Raises ValueError for more differing pairs than pairs, or a tolerance outside 0 to 1.
    """
    if not 0 <= differing <= pairs or not 0 < tolerance < 1:
        raise ValueError(
            f"{differing} of {pairs} pairs at a tolerance of {tolerance} is not possible"
        )
    same = pairs - differing
    rates = [tolerance * g for g in TIMES if tolerance * g < 1]
    logs = [
        differing * math.log(rate / tolerance) + same * math.log((1 - rate) / (1 - tolerance))
        for rate in rates or [(1 + tolerance) / 2]
    ]
    return log_mean(logs)


class Wealth:
    """The ln E that the mean clipped score difference is beyond the tolerance, either way.

    A gambler with even odds bets a part of what they have on each pair; a difference counts at most
    `clip`, so that a few wild pairs do not decide. Raises ValueError for what is no number.
    """

    def __init__(self, clip: float, tolerance: float = 0.0) -> None:
        if clip <= 0 or tolerance < 0:
            raise ValueError("clip and tolerance must be numbers; clip above 0")
        self._clip = clip
        self._allowed = tolerance / clip
        self._bets = [(sign, stake / (1 + self._allowed)) for sign in (1, -1) for stake in STAKES]
        self._logs = [0.0] * len(self._bets)

    def add(self, differences: Sequence[float]) -> None:
        if not all(map(math.isfinite, differences)):
            raise ValueError("score differences must be numbers")
        clipped = [min(1.0, max(-1.0, one / self._clip)) for one in differences]
        self._logs = [
            log + sum(math.log1p(bet * (sign * one - self._allowed)) for one in clipped)
            for log, (sign, bet) in zip(self._logs, self._bets, strict=True)
        ]

    @property
    def ln_e(self) -> float:
        return log_mean(self._logs)


def class_flips(flips: Flips) -> float:
    """The ln E that classes flip one way more often than the other (McNemar), either way."""
    logs = list[float]()
    for g in FLIPS:
        more, less = math.log(2 * g / (1 + g)), math.log(2 / (1 + g))
        logs += [flips.up * more + flips.down * less, flips.down * more + flips.up * less]
    return log_mean(logs)


def drift(
    canary: Mapping[float, int], baseline: Mapping[float, int], usual: Mapping[float, int]
) -> float:
    """The ln E that two histograms of scores (by bin centre) differ in level, either way.

    `usual` is a histogram from before, which sets the scale; nothing is known without it. Raises
    ValueError for negative counts.
    """
    if any(count < 0 for bins in (canary, baseline, usual) for count in bins.values()):
        raise ValueError("a histogram counts from 0 up")
    requests = sum(usual.values())
    if not requests or not sum(canary.values()) or not sum(baseline.values()):
        return 0.0
    mean = sum(at * n for at, n in usual.items()) / requests
    deviation = math.sqrt(sum((at - mean) ** 2 * n for at, n in usual.items()) / requests)
    heights = {at: (at - mean) / (deviation or 1.0) for at in {*canary, *baseline}}
    tilts = [sign * each for each in STEEPNESS for sign in (1, -1)]
    return log_mean([_tilted(canary, baseline, heights, tilt) for tilt in tilts])


def _tilted(
    canary: Mapping[float, int],
    baseline: Mapping[float, int],
    heights: Mapping[float, float],
    tilt: float,
) -> float:
    """The log-likelihood ratio of which of the pooled scores are the canary's."""
    mine, theirs = sum(canary.values()), sum(baseline.values())
    share = mine / (mine + theirs)
    logs = {at: min(4.0, max(-3.0, tilt * z - tilt * tilt / 2)) for at, z in heights.items()}
    found = sum(n * logs[at] for at, n in canary.items())
    pooled = sum(
        (canary.get(at, 0) + baseline.get(at, 0)) * math.log1p(share * math.expm1(log))
        for at, log in logs.items()
    )
    return found - pooled
