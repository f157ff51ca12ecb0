"""Whole rollouts at the judge's own pace: how soon a good canary is done, what a bad one costs."""

from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.judge.measure import Task
from benchmarks.judge.worlds import Endpoint, history
from rollout.analysis.bound import excess_bound
from rollout.analysis.dispersion import Past, learn
from rollout.analysis.excess import Margin, Trace, weigh
from rollout.analysis.pace import NEARLY_ALL, Seen, next_share
from rollout.analysis.split import Split
from rollout.analysis.threshold import threshold

MINUTES_MAX = 60


@dataclass(frozen=True, slots=True)
class Paced:
    """How the seeds of one task ended, at the budget's pace with the schedule's latest times."""

    task: Task
    promoted_after: tuple[int, ...]
    rolled_back: float
    cost: float
    """Excess failures, in minutes of the endpoint's whole traffic."""

    @property
    def done(self) -> float | None:
        return median(self.promoted_after) if self.promoted_after else None


def run(task: Task) -> Paced:
    ends = [_rollout(task, seed) for seed in task.seeds]
    promoted = tuple(minute for minute, back, _ in ends if not back and minute <= MINUTES_MAX)
    per_minute = task.cell.requests_per_minute
    return Paced(
        task,
        promoted,
        fmean(back for _, back, _ in ends),
        fmean(excess for _, _, excess in ends) / per_minute,
    )


def _rollout(task: Task, seed: int) -> tuple[int, bool, float]:
    """The minute it ended, whether by a rollback, and the excess failures until minute 60."""
    lag = task.scenarios.lag_minutes
    past = learn(history(task.cell, task.world, task.scenarios.history_minutes, seed))
    endpoint = Endpoint.begin(task.cell, task.world, task.effect, MINUTES_MAX, seed)
    enough = threshold(len(task.scenarios.shares), past.phi, strict=False)
    shares, minutes = list[int](), list[Split]()
    share, since = _first(task), 1
    for number in range(1, MINUTES_MAX + 1):
        shares.append(share)
        minutes.append(endpoint.minute(number, share))
        readable = minutes[: max(0, number - lag)]
        trace = weigh(readable, past, Margin(), _restarts(shares[: len(readable)]))
        if trace.most >= enough:
            return number, True, _excess(task, minutes)
        wanted = _next(task, past, readable, trace, (share, number - since + 1))
        if wanted == 100:
            rest = MINUTES_MAX - number
            return number, False, _excess(task, minutes) + rest * _excess_at_full(task)
        if wanted != share:
            share, since = wanted, number + 1
    return MINUTES_MAX + 1, False, _excess(task, minutes)


def _first(task: Task) -> int:
    begin = Seen(0, task.cell.requests_per_minute, task.scenarios.lag_minutes)
    return next_share(begin).share


def _next(
    task: Task, past: Past, readable: list[Split], trace: Trace, held: tuple[int, int]
) -> int:
    """The pace's share, or the schedule's latest one if that is more and nothing is suspected."""
    share, minutes_at_share = held
    phi = trace.phi[-1] if trace.phi else past.phi
    seen = Seen(
        share=share,
        requests_per_minute=task.cell.requests_per_minute,
        lag_minutes=task.scenarios.lag_minutes,
        excess_bound=excess_bound(readable, phi),
        ln_e=trace.now,
        usual_rate=past.rate or 0.0,
        minutes_at_share=minutes_at_share,
    )
    paced = next_share(seen).share
    scheduled = _scheduled(task, len(readable) + task.scenarios.lag_minutes + 1)
    if trace.now >= 1.6:
        return share
    if share < NEARLY_ALL and paced < scheduled:
        return min(scheduled, NEARLY_ALL)
    return paced


def _scheduled(task: Task, number: int) -> int:
    shares = task.scenarios.shares
    return shares[min(number, len(shares)) - 1]


def _restarts(shares: list[int]) -> list[int | None]:
    changes = [at for at in range(1, len(shares)) if shares[at] != shares[at - 1]][:3]
    return [*changes, *(None,) * (3 - len(changes))]


def _excess(task: Task, minutes: list[Split]) -> float:
    rate = task.cell.baseline_rate
    return sum(one.canary for one in minutes) * (min(1.0, rate * task.effect) - rate)


def _excess_at_full(task: Task) -> float:
    rate = task.cell.baseline_rate
    return task.cell.requests_per_minute * (min(1.0, rate * task.effect) - rate)
