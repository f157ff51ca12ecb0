"""One endpoint's whole world in virtual time: engine, queue, store, Azure, and what goes wrong."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from pydantic import SecretStr

from rollout.adapters.sqlite.queue import Delivery
from rollout.core.endpoint import EndpointId
from rollout.core.events import AlertFired, Event
from rollout.core.head import Head, HistoryEntry, Wake
from rollout.core.letter import Letter
from rollout.core.machine.decision import Decision
from rollout.core.notify import Target
from rollout.core.rollout import Order, Phase, Rollout
from rollout.core.traffic import Traffic
from rollout.effects import Effects
from rollout.engine import Engine
from rollout.errors import Conflict, Refused, RolloutError, Unavailable
from rollout.feed_ports import FedStore
from rollout.links import Desk
from rollout.looks import Looks
from rollout.measuring import Sources, verdict
from rollout.measuring.answers import Written
from rollout.ports import (
    CustomGuards,
    Held,
    Message,
    Metrics,
    PolicyFile,
    Scoring,
)
from rollout.post import Post
from rollout.wakes import STEPS_QUEUE
from tests.fakes import NOON, FakeClock, FakeHooks, FakeQueue, FakeSamples, FakeStore
from tests.simulation.azure import Deployment, Faults, SimulatedAzure, SimulatedMetrics
from tests.simulation.census import Census
from tests.simulation.chances import Chances
from tests.simulation.remembered import judged_once
from tests.simulation.workers import Deaths, Died, Mortal, Turns

verdict.judge_since = judged_once  # type: ignore[attr-defined]

CHURN = EndpointId(subscription="s", resource_group="g", workspace="w", name="churn")
LEASE = timedelta(minutes=1)
LOOK_TAKES = timedelta(milliseconds=300)
"""Only where clocks are wrong: what is due by a late clock is due again before time goes on."""
SWEEP = timedelta(minutes=1)
STAYS_REFUSED = 0.5

POLICY = """
schema: 1
match: {endpoint: "churn*"}
stages:
  - smoke:  {requests: smoke/churn.jsonl}
  - mirror: {percent: 20, shortest_minutes: 3, longest_minutes: 30}
  - canary: {weight: 5, shortest_minutes: 5, longest_minutes: 60}
  - canary: {weight: 25, shortest_minutes: 5, longest_minutes: 60}
  - canary: {weight: 95, shortest_minutes: 5, longest_minutes: 60}
  - bake:   {shortest_minutes: 10}
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005, severity: fail}
  - {metric: latency_p95, worse_by_ratio: 1.5, severity: hold}
"""


@dataclass
class FakePolicies:
    """One policy, and the requests beside it: for smoke stages, and to compare answers."""

    text: str = POLICY
    smoke: bytes = b'{"body": {"rows": [1]}}\n'
    template: bytes = b""
    recorded: bytes = b""

    def list(self) -> list[PolicyFile]:
        return [PolicyFile("churn", self.text)]

    def read(self, name: str) -> PolicyFile:
        return PolicyFile(name, self.text)

    def attachment(self, path: str) -> bytes:
        if path.startswith("samples/"):
            return self.recorded
        return self.smoke if path.endswith("jsonl") else self.template

    def attached(self, folder: str) -> Sequence[str]:
        return [f"{folder}one.jsonl"]

    def push(self, name: str, text: str) -> None:
        self.text = text or name

    def remove(self, name: str) -> None: ...

    def attach(self, path: str, content: bytes) -> None: ...


class WorkerClock:
    """A worker's clock: the true time, and how far it is wrong just now."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.wrong_by = timedelta(0)

    @property
    def minute(self) -> timedelta:
        return self._clock.minute

    def now(self) -> datetime:
        return self._clock.now() + self.wrong_by


ERRAND = ContextVar[Wake | None]("errand", default=None)
"""What each worker is about, where it was woken by a message."""


class StoreRefuses(Refused):
    """The store says no: a role is missing, or a row is too large for it."""


@dataclass
class Roads:
    """How the ways between the parts misbehave; a rate is the chance for one message or call."""

    delayed_messages: float = 0.0  # so they overtake one another
    queue_down: float = 0.0
    store_down: float = 0.0  # nothing is read or saved
    store_deaf: float = 0.0  # it is saved, and the caller hears a broken connection
    store_refuses: float = 0.0  # one save, or all of the next minute and a half
    refuses_until: datetime | None = None
    skew_seconds: float = 0.0  # each step is another worker's, with a clock of its own
    workers: int = 1

    def refuse_until(self, end: datetime) -> None:
        self.refuses_until = max(end, self.refuses_until or end)

    def taken_since(self, since: datetime) -> datetime:
        """That time, or when the store takes something again."""
        return max(since, self.refuses_until or since)


@dataclass
class ShakyStore:
    """A store that fails before and after a commit, or says no; it tells what was saved."""

    store: Any
    clock: FakeClock
    roads: Roads
    chances: Chances
    saved: list[Callable[[Head, Head, HistoryEntry | None], None]]
    unsaved: list[Head]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def load(self, endpoint: EndpointId) -> Held:
        self._may_fail("store_down")
        held: Held = self.store.load(endpoint)
        return held

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        try:
            return self._save(held, head, entry)
        except (Unavailable, Refused):
            self.unsaved.append(head)
            raise

    def _save(self, held: Held, head: Head, entry: HistoryEntry | None) -> Held:
        self._may_fail("store_down")
        self._may_refuse()
        before = self.store.load(head.endpoint).head
        after: Held = self.store.save(held, head, entry)
        for tell in self.saved:
            tell(before, head, entry)
        self._may_fail("store_deaf")
        return after

    def _may_refuse(self) -> None:
        roads, now = self.roads, self.clock.now()
        struck = self.chances.strikes("store_refuses", roads.store_refuses)
        dice = self.chances.dice("how long it refuses")
        if struck and dice.random() < STAYS_REFUSED:
            roads.refuse_until(now + timedelta(seconds=dice.uniform(0, 90)))
        if struck or now < roads.taken_since(now):
            raise StoreRefuses("403 AuthorizationPermissionMismatch")

    def _may_fail(self, fault: str) -> None:
        if self.chances.strikes(fault, getattr(self.roads, fault)):
            raise Unavailable(f"503 the store does not answer ({fault})")


@dataclass
class ShakyQueue:
    """A queue that is down at times, and delivers some messages minutes late."""

    queue: FakeQueue
    roads: Roads
    chances: Chances

    def send(self, message: Message) -> None:
        if self.chances.strikes("queue_down", self.roads.queue_down):
            raise Unavailable("503 the queue does not answer")
        if self.chances.strikes("delayed_messages", self.roads.delayed_messages):
            due = max(self.queue.clock.now(), message.not_before or self.queue.clock.now())
            late = timedelta(seconds=self.chances.dice("delay").uniform(1, 120))
            message = replace(message, not_before=due + late)
        self.queue.send(message)


class World:
    """Runs the real engine until nothing is due, on a clock that jumps from event to event."""

    def __init__(
        self,
        seed: int = 1,
        policy: str = POLICY,
        faults: Faults | None = None,
        deaths: float = 0.0,
        store: FedStore | None = None,
    ) -> None:
        self.random = Random(seed)
        self.chances = Chances(seed)
        self.census = Census()
        self.roads = Roads()
        self.clock = FakeClock()
        self.worker_clock = WorkerClock(self.clock)
        self.azure = SimulatedAzure(
            CHURN, self.clock, self.random, seed, faults or Faults(), chances=self.chances
        )
        self.azure.deployments = {"blue": Deployment(), "green": Deployment()}
        self.azure.maps.append((NOON - timedelta(days=1), Traffic.all_to("blue")))
        self.store = store or FakeStore()
        self.queue = FakeQueue(self.clock)
        self.samples = FakeSamples()
        self.turns = Turns(self.chances.dice("turns"))
        self.deaths = Deaths(self.chances.dice("deaths"), deaths, turns=self.turns)
        self.policies = FakePolicies(policy)
        self.plans: list[tuple[datetime, Callable[[], object]]] = []
        self.checks: list[Callable[[], None]] = []
        self.saved: list[Callable[[Head, Head, HistoryEntry | None], None]] = []
        self.unsaved: list[Head] = []
        self.begun = self.clock.now()
        self.lost_messages = 0.0
        self.doubled_messages = 0.0
        self.logs: Metrics | None = None
        self.custom: CustomGuards | None = None
        self.scoring: Scoring | None = None
        self.hooks = FakeHooks()
        self.missing: Callable[[Target], str | None] = lambda _: None
        self.letters: list[Letter] = []
        self.deliver_notices = 1.0
        self.receivers = Random(seed)
        self.notice_errands: list[Wake | None] = []
        self.written: Written = {}
        self.engine = self.new_worker()

    def equipped(
        self,
        logs: Metrics | None = None,
        custom: CustomGuards | None = None,
        scoring: Scoring | None = None,
        written: Written | None = None,
    ) -> None:
        """The installation can read logs, ask guards of one's own, or compare answers."""
        self.logs, self.custom, self.scoring = logs, custom, scoring
        self.written = written or {}
        self.engine = self.new_worker()

    def new_worker(self) -> Engine:
        mortal = {
            name: Mortal(port, self.deaths)
            for name, port in (
                ("store", self.shaky_store()),
                ("queue", ShakyQueue(self.queue, self.roads, self.chances)),
                ("azure", self.azure),
                ("metrics", SimulatedMetrics(self.azure)),
            )
        }
        sources = Sources(
            endpoints=mortal["azure"],
            metrics=mortal["metrics"],
            samples=self.samples,
            policies=self.policies,
            clock=self.worker_clock,
            logs=self.logs,
            custom=self.custom,
            scoring=self.scoring,
            written=self.written,
        )
        looks = Looks(sources, (CHURN.in_workspace,), "test", self.missing)
        hooks = Mortal(self.hooks, self.deaths)
        azure = mortal["azure"]
        effects = Effects(azure, azure, self.policies, "test", self.worker_clock, hooks)
        desk = Desk(lambda: SecretStr("secret"), None)
        post = Post(mortal["store"], self.clock, self, desk)
        store, queue = mortal["store"], mortal["queue"]
        return Engine(store, queue, self.worker_clock, looks, effects, post=post)

    def shaky_store(self) -> ShakyStore:
        return ShakyStore(
            self.store, self.clock, self.roads, self.chances, self.saved, self.unsaved
        )

    def send(self, target: Target, letter: Letter) -> None:
        """A place where notices go; `deliver_notices` is how often it takes one."""
        self.notice_errands.append(ERRAND.get())
        self.deaths.maybe("before a notice")
        if self.receivers.random() >= self.deliver_notices:
            raise Unavailable(f"{target}: no answer")
        self.letters.append(letter)

    # -- what people and things do -------------------------------------------------------------

    def start(self, canary: str = "green", **order: Any) -> Decision:
        asked = Order(endpoint=CHURN, deployment=canary, who="anna", **order)
        return self.engine.start(asked, f"start {canary} {self.clock.now()}")

    def tell(self, event: Event) -> Decision:
        return self.engine.handle(CHURN, event)

    def at(self, minutes: float, do: Callable[[], object]) -> None:
        """Plan something for so many minutes from now; a worker that dies of it is replaced."""
        self.plans.append((self.clock.now() + timedelta(minutes=minutes), do))

    def alert(self, **about: Any) -> AlertFired:
        known = {"id": "a1", "rule": "too many errors", "severity": "Sev1"}
        return AlertFired.model_validate({**known, "fired_at": self.clock.now(), **about})

    # -- what time brings ------------------------------------------------------------------------

    def run(self, minutes: float) -> Rollout:
        """Let time pass; at its end, or when nothing is left to do, the rollout as it stands."""
        end = self.clock.now() + timedelta(minutes=minutes)
        sweep_at = self.clock.now() + SWEEP
        while not self._all_is_done():
            due = self.queue.next_due(STEPS_QUEUE)
            plan = min((at for at, _ in self.plans), default=None)
            if self.roads.workers > 1:  # what people do comes at the worst moment: beside a look
                plan = None
            time = min(at for at in (due, plan, sweep_at, end) if at is not None)
            self.clock.time = max(self.clock.time, time)
            self.azure.settle()
            if self.clock.time >= end:
                break
            is_swept = self.clock.time >= sweep_at
            self._step(is_swept=is_swept)
            if is_swept:
                sweep_at = self.clock.time + SWEEP
            for check in self.checks:
                check()
        else:
            self.clock.time = max(self.clock.time, end)
        return self.rollout

    def _all_is_done(self) -> bool:
        """Nothing is planned, sent or due: no sweep would find anything until the end of time."""
        if self.plans or self.queue.rows or self.azure.pending or self.azure.late:
            return False
        head = self.head
        return head.rollout is not None and head.due_at is None and not head.owed

    def _step(self, *, is_swept: bool) -> None:
        self._work_by_another_clock()
        if self.roads.workers > 1:
            self._work_at_once(is_swept=is_swept)
            return
        self._do_plans()
        self._deliver()
        if is_swept:
            self._survive(self.engine.sweep)

    def _work_by_another_clock(self) -> None:
        skew = self.roads.skew_seconds
        if skew:
            self.chances.struck["skew_seconds"] += 1
            self.worker_clock.wrong_by = timedelta(seconds=self.random.uniform(-skew, skew))

    def _work_at_once(self, *, is_swept: bool) -> None:
        """What people, the queue and the sweep bring is taken by workers side by side."""
        jobs: list[Callable[[], object]] = [
            partial(self._survive, do) for do in self._ready_plans()
        ]
        if is_swept:
            jobs.append(partial(self._survive, self.engine.sweep))
        delivery = self.queue.receive(STEPS_QUEUE, self.clock.now(), LEASE)
        if delivery:
            several = self.chances.strikes("workers", 0.3)
            jobs += [partial(self._take, delivery)] * (self.roads.workers if several else 1)
        if jobs:
            self.turns.together(jobs)

    def _take(self, delivery: Delivery) -> None:
        wake = Wake.model_validate_json(delivery.message.body)
        if self._survive(partial(self._wake, wake)):
            with suppress(Conflict):  # another worker has completed it
                self.queue.complete(delivery)

    def _ready_plans(self) -> list[Callable[[], object]]:
        now = self.clock.now()
        ready = [do for at, do in self.plans if at <= now]
        self.plans = [(at, do) for at, do in self.plans if at > now]
        return ready

    def _do_plans(self) -> None:
        for do in self._ready_plans():
            self._survive(do)

    def _deliver(self) -> None:
        """All that is due; where that takes its time, what people do comes between."""
        while not self._is_planned() and (
            delivery := self.queue.receive(STEPS_QUEUE, self.clock.now(), LEASE)
        ):
            if self.chances.strikes("lost_messages", self.lost_messages):
                self.queue.complete(delivery)
                continue
            wake = Wake.model_validate_json(delivery.message.body)
            twice = self.chances.strikes("doubled_messages", self.doubled_messages)
            done = all(self._survive(partial(self._wake, wake)) for _ in range(1 + twice))
            if done:
                with suppress(Conflict):  # it took longer than the lease
                    self.queue.complete(delivery)
            if self.roads.skew_seconds:
                self.clock.advance(LOOK_TAKES)
                self._work_by_another_clock()

    def _is_planned(self) -> bool:
        return any(at <= self.clock.now() for at, _ in self.plans)

    def _wake(self, wake: Wake) -> None:
        before = ERRAND.set(wake)
        try:
            self.engine.wake(wake)
        finally:
            ERRAND.reset(before)

    def _survive(self, do: Callable[[], object]) -> bool:
        """Whether the worker lived; a dead one is replaced by another."""
        self.begun = self.clock.now()
        try:
            self.deaths.during(do)
        except Died:
            self.engine = self.new_worker()
            return False
        except RolloutError:
            return False
        return True

    # -- what is so ------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        held: Held = self.store.load(CHURN)
        return held.head

    @property
    def rollout(self) -> Rollout:
        rollout = self.head.rollout
        assert rollout is not None
        return rollout

    @property
    def phase(self) -> Phase:
        return self.head.phase

    @property
    def told(self) -> list[str]:
        return [entry.why for entry in self.store.history(CHURN.key)]
