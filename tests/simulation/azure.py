"""A simulated Azure: operations take time, may be refused, and what a GET shows may be old."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from random import Random

from rollout.analysis.samples import Counts, Latency
from rollout.core.creation import Creation
from rollout.core.endpoint import DeploymentView, EndpointId, EndpointView, Provisioning
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack
from rollout.errors import Refused, Unavailable, Unknown
from rollout.ports import (
    Accepted,
    Answer,
    Minutes,
    OperationStatus,
    OtherMap,
    Withdrawn,
)
from tests.fakes import FakeClock
from tests.simulation.chances import Chances

REMEMBERED = 256
"""Minutes whose counts are kept: the latest are read again and again."""


@dataclass
class Faults:
    """How the platform misbehaves; a rate is the chance for one call."""

    operation: tuple[float, float] = (2.0, 20.0)  # seconds a write takes, from and to
    creation: timedelta = timedelta(minutes=3)
    busy: float = 0.0  # 409 although nothing runs
    throttled: float = 0.0
    retry_after: timedelta | None = None
    lost_answer: float = 0.0  # the write is taken, the caller hears a broken connection
    never_done: float = 0.0  # a write is accepted and does nothing
    stale_seconds: float = 0.0  # a GET shows the map of so long ago
    metrics_down: float = 0.0
    metrics_refused: bool = False
    operation_failed: float = 0.0  # accepted, and ends with a failure and the old map
    late_landing: float = 0.0  # accepted and lost; lands minutes later, over whatever stands
    metrics_late: float = 0.0  # a minute's points come minutes after their time
    metrics_partial: float = 0.0  # a minute is counted in part at first, and revised later
    metrics_missing: float = 0.0  # a minute is never counted at all
    refused: tuple[datetime, datetime] | None = None  # every write is a 403 between these
    silent: tuple[datetime, datetime] | None = None  # no metric points between these
    copies_unseen: frozenset[str] = frozenset()  # sources that do not count mirrored requests


@dataclass
class Deployment:
    """One deployment: what it is made of, and how its model behaves."""

    error_rate: Callable[[datetime], float] = lambda _: 0.002
    latency_ms: float = 20.0
    state: Provisioning = Provisioning.SUCCEEDED
    fingerprint: str = "as created"
    ready_at: datetime | None = None
    instances: int = 2
    smoke_status: int = 200
    model: str | None = None


@dataclass
class Write:
    """One traffic write that was accepted, for the invariants to look at."""

    at: datetime
    traffic: Traffic
    expect: Traffic | None


@dataclass
class SimulatedAzure:
    """The ports Endpoints, Metrics and Scoring on one endpoint."""

    id: EndpointId
    clock: FakeClock
    random: Random
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    requests_per_minute: int = 3000
    deployments: dict[str, Deployment] = field(default_factory=dict)
    maps: list[tuple[datetime, Traffic]] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    read_at: list[datetime] = field(default_factory=list)
    create_fails: bool = False
    owner: str | None = None
    answers_at: datetime | None = None  # until then no smoke request comes through
    answers_take: timedelta = timedelta(0)  # so long each answer is waited for
    scored: list[bytes] = field(default_factory=list)  # requests that were answered
    answered: list[Callable[[], None]] = field(default_factory=list)
    asked: list[Callable[[Traffic], None]] = field(default_factory=list)  # for a map, not yet sent
    marking: str = "taken"  # what becomes of our mark: it may be "late", or "refused"
    way_back: WayBack | None = None
    aborted: AbortedAtAzure | None = None
    busy_until: datetime | None = None
    pending: tuple[datetime, Traffic] | None = None
    late: list[tuple[datetime, Traffic]] = field(default_factory=list)
    failed: str | None = None
    written: list[Callable[[Write], None]] = field(default_factory=list)
    source: str = "metrics"
    tardy: Callable[[datetime], bool] = lambda _: False  # minutes that come late for certain
    gone: bool = False
    managed: bool = True
    forbidden: bool = False
    chances: Chances = field(default_factory=lambda: Chances(0))

    @property
    def lag(self) -> timedelta:
        return 2 * self.clock.minute

    # -- what is true ------------------------------------------------------------------------

    def settle(self) -> None:
        """Bring the operation under way to its end when its time has come."""
        if self.pending and self.clock.now() >= self.pending[0]:
            self.maps.append(self.pending)
            self.pending = None
        for one in [late for late in self.late if late[0] <= self.clock.now()]:
            self.late.remove(one)
            self.maps.append(one)

    @property
    def traffic(self) -> Traffic:
        self.settle()
        return self.maps[-1][1]

    def set_by_hand(self, traffic: Traffic) -> None:
        """Someone else changes the traffic, at once; ARM refuses it while an operation runs."""
        self.settle()
        if self.pending:
            raise Unavailable("409 an operation is running")
        self.maps.append((self.clock.now(), traffic))

    def _at(self, time: datetime) -> Traffic:
        self.settle()
        place = bisect_right(self.maps, time, key=itemgetter(0))
        return self.maps[max(place - 1, 0)][1]

    # -- Endpoints -----------------------------------------------------------------------------

    def read(self, endpoint: EndpointId) -> EndpointView:
        self.read_at.append(self.clock.now())
        self._may_fail("throttled", "429 TooManyRequests")
        if self.forbidden:
            raise Refused("403 no right to read")
        if self.gone or endpoint != self.id:
            raise Unknown(f"404 {endpoint}")
        now = self.clock.now()
        seen = self._at(now - timedelta(seconds=self.faults.stale_seconds))
        if seen != self.maps[-1][1]:
            self.chances.struck["stale_seconds"] += 1
        running = self.pending is not None
        return EndpointView(
            id=self.id,
            state=Provisioning.UPDATING if running else Provisioning.SUCCEEDED,
            traffic=seen,
            deployments={name: self._view(name) for name in self.deployments},
            owner=self.owner,
            aborted=self.aborted,
            managed=self.managed,
        )

    def _view(self, name: str) -> DeploymentView:
        one = self.deployments[name]
        creating = one.ready_at is not None and self.clock.now() < one.ready_at
        state = Provisioning.CREATING if creating else one.state
        return _view(name, state, one.fingerprint, one.instances, one.model)

    def set_traffic(
        self,
        endpoint: EndpointId,
        traffic: Traffic,
        expect: Traffic | None,
        still_wanted: Callable[[], bool],
        way_back: WayBack | None = None,
    ) -> Accepted | OtherMap | Withdrawn:
        seen = self.read(endpoint)
        for tell in self.asked:
            tell(traffic)
        if seen.traffic == traffic and seen.state.settled:
            return Accepted(None)
        if expect is not None and seen.traffic != expect:
            return OtherMap(seen.traffic)
        if expect is not None and not still_wanted():
            return Withdrawn()
        if way_back:
            if self.aborted and self.aborted.rollout_id == way_back.rollout_id:
                return Withdrawn()
            self.way_back, self.aborted = way_back, None
        return self._write(traffic, expect)

    def _write(self, traffic: Traffic, expect: Traffic | None) -> Accepted:
        self._may_fail("busy", "409 Conflict")
        self._may_refuse()
        self.settle()
        if self.pending:
            raise Unavailable("409 an operation is running")
        missing = (traffic.live.keys() | traffic.mirror.keys()) - self.deployments.keys()
        if missing:
            raise Refused(f"400 no deployment {missing}")
        now = self.clock.now()
        write = Write(now, traffic, expect)
        self.writes.append(write)
        for tell in self.written:
            tell(write)
        self._begin(now, traffic, onward=expect is not None)
        self._may_fail("lost_answer", "connection reset")
        return Accepted("https://management.azure.com/operations/1")

    def _begin(self, now: datetime, traffic: Traffic, *, onward: bool) -> None:
        """What becomes of a write that was taken."""
        self.failed = None
        if onward and self.chances.strikes("late_landing", self.faults.late_landing):
            minutes = self.random.uniform(0.5, 8)
            self.late.append((now + timedelta(minutes=minutes), traffic))
        elif self.chances.strikes("operation_failed", self.faults.operation_failed):
            self.failed = "InternalServerError"
        elif not self.chances.strikes("never_done", self.faults.never_done):
            done = now + timedelta(seconds=self.random.uniform(*self.faults.operation))
            self.pending = (done, traffic)

    def _may_refuse(self) -> None:
        closed = self.faults.refused
        if closed and closed[0] <= self.clock.now() < closed[1]:
            self.chances.struck["refused"] += 1
            raise Refused("403 AuthorizationFailed")

    def give_back(
        self, endpoint: EndpointId, traffic: Traffic, mark: AbortedAtAzure | None
    ) -> Accepted:
        seen = self.read(endpoint)
        marked = mark and self.aborted and self.aborted.rollout_id == mark.rollout_id
        if marked and seen.traffic == traffic and seen.state.settled:
            return Accepted(None)
        before, taken = self.aborted, len(self.writes)
        self.aborted = mark or before
        try:
            return self._write(traffic, None)
        finally:
            if len(self.writes) == taken:
                self.aborted = before

    def claim(self, endpoint: EndpointId, owner: str) -> Accepted:
        self.read(endpoint)
        self._may_refuse()
        if self.marking == "late":
            raise Unavailable("409 an operation is running")
        if self.marking == "refused":
            raise Refused("403 no right to write tags")
        self.owner = owner
        return Accepted(None)

    def create(self, endpoint: EndpointId, deployment: str, creation: Creation) -> Accepted:
        self.read(endpoint)
        if self.create_fails:
            raise Unavailable("409 the endpoint is busy")
        there = self.deployments.get(deployment)
        if there and not creation.is_model_of(there.model):
            raise Refused(f"400 {deployment} has the model {there.model}")
        self.created.append(deployment)
        if there is None:
            ready_at = self.clock.now() + self.faults.creation
            self.deployments[deployment] = Deployment(ready_at=ready_at, model=creation.model)
        return Accepted(None)

    def scale(self, endpoint: EndpointId, deployment: str, instances: int) -> Accepted:
        self.read(endpoint)
        self._may_refuse()
        self.deployments[deployment].instances = instances
        return Accepted(None)

    def delete(self, endpoint: EndpointId, deployment: str) -> Accepted:
        self.read(endpoint)
        self._may_refuse()
        if self.traffic.share(deployment):
            raise Refused(f"400 {deployment} has live traffic")
        self.deployments.pop(deployment, None)
        return Accepted(None)

    def operation(self, url: str) -> OperationStatus:
        self._may_fail("throttled", f"429 for {url}")
        return OperationStatus(running=self.pending is not None, failure=self.failed)

    def _may_fail(self, fault: str, why: str) -> None:
        if self.chances.strikes(fault, getattr(self.faults, fault)):
            raise Unavailable(why, self.faults.retry_after)

    # -- Scoring -------------------------------------------------------------------------------

    def score(self, endpoint: EndpointId, deployment: str, body: bytes) -> Answer:
        self._may_fail("throttled", f"no answer to {len(body)} bytes from {endpoint}")
        if self.answers_at and self.clock.now() < self.answers_at:
            raise Unavailable("connection refused", timedelta(minutes=1))
        if self.gone or deployment not in self.deployments:
            raise Unknown(f"404 {deployment}")
        self.clock.advance(self.answers_take)
        self.scored.append(body)
        for tell in self.answered:
            tell()
        one = self.deployments[deployment]
        took = self.answers_take + timedelta(milliseconds=one.latency_ms)
        return Answer(one.smoke_status, b"{}", took)

    # -- Metrics -------------------------------------------------------------------------------

    def metrics_of(self, since: datetime, until: datetime, source: str = "metrics") -> Minutes:
        """Counts are a pure function of seed, minute and share: read twice, they are the same."""
        minutes: dict[datetime, dict[str, Counts]] = {}
        at, minute, copies = since, self.clock.minute, source not in self.faults.copies_unseen
        while at + minute <= until:
            counts = self._minute(at, copies=copies)
            if counts:
                minutes[at] = self._as_known(at, counts)
            at += minute
        return minutes

    def _minute(self, at: datetime, *, copies: bool) -> dict[str, Counts]:
        silent = self.faults.silent
        if silent and silent[0] <= at < silent[1]:
            self.chances.struck["silent"] += 1
            return {}
        if self._of_minute("missing", self.faults.metrics_missing, at) or self._is_late(at):
            return {}
        traffic = self._at(at + self.clock.minute / 2)
        shares = {**traffic.live, **(traffic.mirror if copies else {})}
        return {
            name: self._counts(name, at, share)
            for name, share in shares.items()
            if name in self.deployments
        }

    def _of_minute(self, what: str, rate: float, at: datetime) -> bool:
        """Whether it strikes this minute: the same whenever it is read."""
        if rate <= 0 or _dice(self.seed, what, at) >= rate:
            return False
        self.chances.struck[f"metrics_{what}"] += 1
        return True

    def _is_late(self, at: datetime) -> bool:
        return self._is_young(at, 4) and (
            self.tardy(at) or self._of_minute("late", self.faults.metrics_late, at)
        )

    def _is_young(self, at: datetime, minutes: int) -> bool:
        return self.clock.now() - at < self.lag + minutes * self.clock.minute

    def served(self, name: str, since: datetime) -> int:
        """How many requests it truly had, whatever is told of them."""
        minute = self.clock.minute
        ats = [since + n * minute for n in range((self.clock.now() - since) // minute + 1)]
        return sum(
            self._counts(name, at, traffic.share(name) or traffic.mirror.get(name, 0)).requests
            for at in ats
            if (traffic := self._at(at + minute / 2)).reaches(name)
        )

    def _as_known(self, at: datetime, counts: dict[str, Counts]) -> dict[str, Counts]:
        """A young minute may be counted in part: later it is revised."""
        if not (
            self._is_young(at, 3) and self._of_minute("partial", self.faults.metrics_partial, at)
        ):
            return counts
        return {name: _halved(one) for name, one in counts.items()}

    def _counts(self, name: str, at: datetime, share: int) -> Counts:
        one = self.deployments[name]
        served = self.requests_per_minute * share / 100
        return _counts(self.seed, name, at, served, one.error_rate(at), one.latency_ms)


@dataclass
class SimulatedMetrics:
    """The port Metrics on a simulated Azure."""

    azure: SimulatedAzure
    source: str = "metrics"

    @property
    def lag(self) -> timedelta:
        return self.azure.lag

    def read(self, endpoint: EndpointId, since: datetime, until: datetime) -> Minutes:
        if self.azure.faults.metrics_refused:
            raise Refused("403 Monitoring Reader is missing")
        if self.azure.chances.strikes("metrics_down", self.azure.faults.metrics_down):
            raise Unavailable(f"no metrics of {endpoint}")
        return self.azure.metrics_of(since, until)


@lru_cache(maxsize=REMEMBERED)
def _view(
    name: str, state: Provisioning, fingerprint: str, instances: int, model: str | None
) -> DeploymentView:
    return DeploymentView(
        name=name, state=state, fingerprint=fingerprint, instances=instances, model=model
    )


def _halved(counts: Counts) -> Counts:
    return replace(counts, statuses={status: n // 2 for status, n in counts.statuses.items()})


@lru_cache(maxsize=REMEMBERED)
def _dice(seed: int, of: str, at: datetime) -> float:
    """The same again, whenever it is asked."""
    return Random(f"{seed}/{of}/{at.timestamp()}").random()


@lru_cache(maxsize=REMEMBERED)
def _counts(
    seed: int, of: str, at: datetime, mean: float, error_rate: float, base: float
) -> Counts:
    """The same again, whenever it is read."""
    chance = Random(f"{seed}/{of}/{at.timestamp()}")
    requests = _poisson(chance, mean)
    errors = min(requests, _poisson(chance, requests * error_rate))
    noise = 1 + chance.gauss(0, 0.02)
    latency = Latency(base * noise, 2 * base * noise, 2.5 * base * noise, 4 * base * noise)
    statuses = {200: requests - errors, 424: errors}
    return Counts({status: n for status, n in statuses.items() if n}, latency)


def _poisson(chance: Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
