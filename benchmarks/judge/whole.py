"""Whole rollouts by the product's own machine: how soon good ones are done, what bad ones cost.

State machine, judge and pace are those that run on Azure; only the endpoint is played.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import fmean, median

from benchmarks.judge.measure import Task
from benchmarks.judge.scenarios import Scenarios
from benchmarks.judge.worlds import Endpoint, history
from rollout.analysis.capacity import Load
from rollout.analysis.pace import NEARLY_ALL
from rollout.analysis.report import Guard, Metric
from rollout.analysis.samples import Counts
from rollout.analysis.split import Split
from rollout.core.endpoint import DeploymentView, EndpointId, EndpointView, Provisioning
from rollout.core.events import Event, Looked, StartRequested
from rollout.core.guards import DEFAULT_GUARDS
from rollout.core.head import Head
from rollout.core.machine.decide import decide
from rollout.core.policy import Policy
from rollout.core.rollout import Order, Phase, Rollout
from rollout.core.source import SourceFacts
from rollout.core.traffic import Traffic
from rollout.looks import MEASURED
from rollout.measuring.minutes import counted
from rollout.measuring.verdict import judged

MINUTES_MAX = 60
CANARY, BASELINE = "canary", "baseline"
NO_MARGIN = Guard(Metric.ERROR_RATE, worse_by_ratio=1.0)
BY_DEFAULT = next(one for one in DEFAULT_GUARDS if one.metric is Metric.ERROR_RATE)
_ENDPOINT = EndpointId(subscription="b", resource_group="b", workspace="b", name="b")
_NOON, _MINUTE = datetime(2026, 3, 2, 12, tzinfo=UTC), timedelta(minutes=1)
_SECONDS_A_REQUEST = 0.05


@dataclass(frozen=True, slots=True)
class Paced:
    """How the seeds of one task ended, under `policy_of` the task's scenarios."""

    task: Task
    promoted_after: tuple[int, ...]
    rolled_back: float
    cost: float
    """Excess failures, in minutes of the endpoint's whole traffic."""

    @property
    def done(self) -> float | None:
        return median(self.promoted_after) if self.promoted_after else None


def policy_of(scenarios: Scenarios, margin: Guard = NO_MARGIN) -> Policy:
    """The scenario's shares and 95 % as weights, in adaptive pace; the rest by default.

    The guard has no margin, as the judge has none where it is measured beside its peers.
    """
    shares = dict.fromkeys(share for share, _ in scenarios.schedule if share < NEARLY_ALL)
    rules = {
        "match": {"endpoint": _ENDPOINT.name},
        "stages": [
            {"canary": {"weight": share, "shortest_minutes": 1}}
            for share in sorted([*shares, NEARLY_ALL])
        ],
        "guards": [margin],
        "pace": "adaptive",
        "capacity": "ignore",
    }
    return Policy.model_validate(rules)


def run(task: Task, margin: Guard = NO_MARGIN) -> Paced:
    policy = policy_of(task.scenarios, margin)
    ends = [_rollout(task, policy, seed) for seed in task.seeds]
    promoted = tuple(minute for minute, back, _ in ends if not back and minute <= MINUTES_MAX)
    per_minute = task.cell.requests_per_minute
    return Paced(
        task,
        promoted,
        fmean(back for _, back, _ in ends),
        fmean(excess for _, _, excess in ends) / per_minute,
    )


def run_by_default(task: Task) -> Paced:
    """With the margin of the guard that a policy has where it names none."""
    return run(task, BY_DEFAULT)


def _rollout(task: Task, policy: Policy, seed: int) -> tuple[int, bool, float]:
    """The minute it ended, whether by a rollback, and the excess failures until minute 60."""
    endpoint = Endpoint.begin(task.cell, task.world, task.effect, MINUTES_MAX, seed)
    past = history(task.cell, task.world, task.scenarios.history_minutes, seed)
    course = _Course(task, policy, past)
    served = 0
    for number in range(1, MINUTES_MAX + 1):
        minute = endpoint.minute(number, course.share)
        served += minute.canary
        course.live_through(minute)
        if course.rollout.phase is Phase.ROLLING_BACK:
            return number, True, served * _excess_rate(task)
        if course.share == 100:
            rest = (MINUTES_MAX - number) * task.cell.requests_per_minute
            return number, False, (served + rest) * _excess_rate(task)
    return MINUTES_MAX + 1, False, served * _excess_rate(task)


def _excess_rate(task: Task) -> float:
    rate = task.cell.baseline_rate
    return min(1.0, rate * task.effect) - rate


@dataclass
class _Course:
    """One rollout: its head row, the minutes it could read, and the time."""

    task: Task
    policy: Policy
    past: list[tuple[int, int]]
    head: Head = field(default_factory=lambda: Head(endpoint=_ENDPOINT))
    now: datetime = _NOON

    def __post_init__(self) -> None:
        begins = self.now - len(self.past) * _MINUTE
        self._read = {
            begins + place * _MINUTE: {BASELINE: _counts(*one)}
            for place, one in enumerate(self.past)
        }
        self._lag = self.task.scenarios.lag_minutes * _MINUTE
        self._decide(self._start())
        self._look()

    @property
    def rollout(self) -> Rollout:
        assert self.head.rollout is not None, self.head
        return self.head.rollout

    @property
    def share(self) -> int:
        return self.rollout.observed.share(CANARY)

    def live_through(self, minute: Split) -> None:
        """A minute passes with these counts; those of the lag are not known yet."""
        self._read[self.now] = {
            CANARY: _counts(minute.canary, minute.canary_bad),
            BASELINE: _counts(minute.baseline, minute.baseline_bad),
        }
        self.now += _MINUTE
        self._look()

    def _look(self) -> None:
        """Look; a map that was asked for is there at once."""
        self._decide(self._looked(self.rollout.observed))
        while self.rollout.phase is Phase.SHIFTING:
            self._decide(self._looked(self.rollout.wanted))

    def _decide(self, event: Event) -> None:
        self.head = decide(self.head, event, self.now).head

    def _start(self) -> StartRequested:
        return StartRequested(
            id="start",
            order=Order(endpoint=_ENDPOINT, deployment=CANARY, who="benchmark"),
            policy=self.policy,
            policy_name="benchmark",
            view=_view(Traffic.all_to(BASELINE)),
            owner="benchmark",
            sources=SourceFacts(logs=False),
            minute=_MINUTE,
        )

    def _looked(self, seen: Traffic) -> Looked:
        until, rollout = self.now - self._lag, self.rollout
        report = None
        if rollout.phase in MEASURED and rollout.shares:
            report = judged(rollout, counted(rollout, self._read, until), {}, managed=True)
        return Looked(
            id=f"look:{self.now}",
            view=_view(seen),
            report=report,
            readable_until=until,
            heard_until=until,
            lag=self._lag,
            load=Load(self.task.cell.requests_per_second, _SECONDS_A_REQUEST),
        )


def _counts(requests: int, bad: int) -> Counts:
    return Counts({200: requests - bad, 424: bad})


def _view(traffic: Traffic) -> EndpointView:
    ready = Provisioning.SUCCEEDED
    return EndpointView(
        id=_ENDPOINT,
        state=ready,
        traffic=traffic,
        deployments={
            name: DeploymentView(name=name, state=ready, fingerprint="v1")
            for name in (CANARY, BASELINE)
        },
    )
