"""The rules of the judge's peers, as their documentation gives them, on the same lagged minutes.

Each takes a trial (the minutes it had served, oldest first), its history and the lag, and answers
after which minute it rolls back. At the end of minute t the minutes up to t - lag are readable.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from rollout.analysis.case import SHARE_CHANGES
from rollout.analysis.dispersion import learn
from rollout.analysis.excess import Margin, weigh
from rollout.analysis.split import Split, total
from rollout.analysis.threshold import threshold


@dataclass(frozen=True, slots=True)
class Trial:
    minutes: Sequence[Split]
    shares: Sequence[int]
    history: Sequence[tuple[int, int]]
    lag: int

    def ticks(self, every: int = 1) -> range:
        """The minutes after which a rule looks, before the canary has all traffic."""
        return range(every, len(self.minutes) + 1, every)

    def readable(self, tick: int) -> Sequence[Split]:
        return self.minutes[: max(0, tick - self.lag)]


Rule = Callable[[Trial], int | None]


def judge(trial: Trial) -> int | None:
    """The judge of this repository with no margin, as the bound it is measured by has none."""
    past = learn(trial.history)
    trace = weigh(trial.minutes, past, Margin(), share_changes(trial))
    enough = threshold(len(trial.shares), past.phi, strict=False)
    reached = (at for at, ln_e in enumerate(trace.ln_e, 1) if ln_e >= enough)
    return _within(next(reached, None), trial)


def share_changes(trial: Trial) -> list[int | None]:
    """The minutes at which the judge starts fresh accounts: at the first changes of the share."""
    changes = [at for at in range(1, len(trial.shares)) if trial.shares[at] != trial.shares[at - 1]]
    restarts = [at for at in changes if at < len(trial.minutes)][:SHARE_CHANGES]
    return [*restarts, *(None,) * (SHARE_CHANGES - len(restarts))]


def _within(minute: int | None, trial: Trial) -> int | None:
    """What a minute's counts say is known a lag later, if the rollout still goes on."""
    tick = None if minute is None else minute + trial.lag
    return tick if tick is not None and tick <= len(trial.minutes) else None


FLAGGER_SUCCESS = 0.99
FLAGGER_CHECKS = 5


def flagger(trial: Trial) -> int | None:
    """Five checks with success below 99 % or no value; rolled back at the tick after the fifth."""
    failed = 0
    for tick in trial.ticks():
        if failed >= FLAGGER_CHECKS:
            return tick
        readable = trial.readable(tick)
        if readable:
            last = readable[-1]
            failed += not last.canary or 1 - last.canary_bad / last.canary < FLAGGER_SUCCESS
    return None


def argo(trial: Trial) -> int | None:
    """Every five minutes over five: success below 95 % fails; the fourth failure aborts."""
    failed = 0
    for tick in trial.ticks(every=5):
        window = total(trial.readable(tick)[-5:])
        failed += not window.canary or 1 - window.canary_bad / window.canary < 0.95
        if failed > 3:
            return tick
    return None


def kayenta(trial: Trial) -> int | None:
    """Every six minutes, on all minutes' rates: Mann-Whitney, 98 %, and a higher mean."""
    for tick in trial.ticks(every=6):
        there = [one for one in trial.readable(tick) if one.paired]
        canary = [one.canary_bad / one.canary for one in there]
        baseline = [one.baseline_bad / one.baseline for one in there]
        if there and _kayenta_high(canary, baseline):
            return tick
    return None


def _kayenta_high(canary: Sequence[float], baseline: Sequence[float]) -> bool:
    shifts = sorted(x - y for x in canary for y in baseline)
    low = _lowest_shift(canary, baseline, shifts)
    return low > 0.25 * abs(median(shifts)) and sum(canary) >= sum(baseline)


def _lowest_shift(x: Sequence[float], y: Sequence[float], shifts: Sequence[float]) -> float:
    """The lower end of the 98 % interval; the smallest shift itself where too little was seen."""
    pairs, n = len(shifts), len(x) + len(y)
    ties = sum(t**3 - t for arm in (x, y) for t in Counter(arm).values())
    sigma = math.sqrt(pairs / 12 * (n + 1 - ties / (n * (n - 1))))
    above = math.floor(pairs / 2 + 0.5 + sigma * NormalDist().inv_cdf(0.99))
    return shifts[0] if above >= pairs else shifts[pairs - 1 - above]


def sagemaker(trial: Trial) -> int | None:
    """One minute with one percent of failures."""
    for tick in trial.ticks():
        last = trial.readable(tick)[-1:]
        if last and last[0].canary and last[0].canary_bad / last[0].canary >= 0.01:
            return tick
    return None


def codedeploy(trial: Trial) -> int | None:
    """Any failure in two consecutive minutes."""
    for tick in trial.ticks():
        last = trial.readable(tick)[-2:]
        if len(last) == 2 and all(one.canary_bad for one in last):
            return tick
    return None


def pooled(trial: Trial) -> int | None:
    """An always-valid interval of the difference of the cumulative rates."""
    return _cumulative(trial, _always_valid)


def peeking(trial: Trial) -> int | None:
    """A two-proportion test at one percent, every minute."""
    return _cumulative(trial, lambda sums: _z(sums) >= 2.326)


def _cumulative(trial: Trial, rolls_back: Callable[[Split], bool]) -> int | None:
    sums = Split(0, 0, 0, 0)
    for tick in trial.ticks():
        last = trial.readable(tick)[-1:]
        sums = total([sums, *last])
        if sums.paired and rolls_back(sums):
            return tick
    return None


def _always_valid(sums: Split) -> bool:
    canary, baseline = sums.canary_bad / sums.canary, sums.baseline_bad / sums.baseline
    of_canary = canary * (1 - canary) / sums.canary
    variance = of_canary + baseline * (1 - baseline) / sums.baseline
    excess, scale = canary - baseline, 0.01**2
    if excess <= 0:
        return False
    if not variance:
        return True
    spread = variance + scale
    ln_e = 0.5 * math.log(variance / spread) + scale * excess**2 / (2 * variance * spread)
    return ln_e >= math.log(20)


def _z(sums: Split) -> float:
    rate = sums.bad / (sums.canary + sums.baseline)
    variance = rate * (1 - rate) * (1 / sums.canary + 1 / sums.baseline)
    excess = sums.canary_bad / sums.canary - sums.baseline_bad / sums.baseline
    return excess / math.sqrt(variance) if variance else 0.0


RULES: dict[str, Rule] = {
    "judge": judge,
    "Flagger": flagger,
    "Argo Rollouts": argo,
    "Kayenta, every 6 min": kayenta,
    "SageMaker": sagemaker,
    "CodeDeploy": codedeploy,
    "pooled always-valid": pooled,
    "peeking": peeking,
}
