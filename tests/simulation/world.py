"""One endpoint's whole world in virtual time: engine, queue, store, Azure, and what goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from pydantic import SecretStr

from rollout.core.endpoint import EndpointId
from rollout.core.events import AlertFired, Event
from rollout.core.head import Head, Wake
from rollout.core.letter import Letter
from rollout.core.machine.decision import Decision
from rollout.core.notify import Target
from rollout.core.rollout import Order, Phase, Rollout
from rollout.core.traffic import Traffic
from rollout.effects import Effects
from rollout.engine import STEPS_QUEUE, Engine
from rollout.errors import RolloutError, Unavailable
from rollout.links import Desk
from rollout.looks import Looks
from rollout.measuring import Sources
from rollout.ports import CustomGuards, Metrics, PolicyFile, Scoring, Store
from rollout.post import Post
from tests.fakes import NOON, FakeClock, FakeQueue, FakeSamples, FakeStore
from tests.simulation.azure import Deployment, Faults, SimulatedAzure, SimulatedMetrics

CHURN = EndpointId(subscription="s", resource_group="g", workspace="w", name="churn")
LEASE = timedelta(minutes=1)
SWEEP = timedelta(minutes=1)

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


class Died(BaseException):
    """A worker was killed at this line."""


@dataclass
class Mortal:
    """A port whose caller may die before or after any call."""

    port: Any
    deaths: "Deaths"

    def __getattr__(self, name: str) -> Any:  # a port's own methods
        called = getattr(self.port, name)
        if not callable(called):
            return called

        def call(*args: Any, **kwargs: Any) -> Any:
            self.deaths.maybe(f"before {name}")
            answer = called(*args, **kwargs)
            self.deaths.maybe(f"after {name}")
            return answer

        return call


@dataclass
class Deaths:
    """When workers die: at a rate, or at the n-th chance exactly."""

    random: Random
    rate: float = 0.0
    at: int | None = None
    chances: int = 0
    died: list[str] = field(default_factory=list)

    def maybe(self, place: str) -> None:
        self.chances += 1
        if self.chances == self.at or (self.rate and self.random.random() < self.rate):
            self.died.append(place)
            raise Died(place)


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

    def push(self, name: str, text: str) -> None:
        self.text = text or name

    def remove(self, name: str) -> None: ...

    def attach(self, path: str, content: bytes) -> None: ...


class World:
    """Runs the real engine until nothing is due, on a clock that jumps from event to event."""

    def __init__(
        self,
        seed: int = 1,
        policy: str = POLICY,
        faults: Faults | None = None,
        deaths: float = 0.0,
        store: Store | None = None,
    ) -> None:
        self.random = Random(seed)
        self.clock = FakeClock()
        self.azure = SimulatedAzure(CHURN, self.clock, self.random, seed, faults or Faults())
        self.azure.deployments = {"blue": Deployment(), "green": Deployment()}
        self.azure.maps.append((NOON - timedelta(days=1), Traffic.all_to("blue")))
        self.store = store or FakeStore()
        self.queue = FakeQueue(self.clock)
        self.samples = FakeSamples()
        self.deaths = Deaths(self.random, deaths)
        self.policies = FakePolicies(policy)
        self.plans: list[tuple[datetime, Callable[[], object]]] = []
        self.checks: list[Callable[[], None]] = []
        self.lost_messages = 0.0
        self.doubled_messages = 0.0
        self.logs: Metrics | None = None
        self.custom: CustomGuards | None = None
        self.scoring: Scoring | None = None
        self.letters: list[Letter] = []
        self.deliver_notices = 1.0
        self.receivers = Random(seed)
        self.errand: Wake | None = None
        self.notice_errands: list[Wake | None] = []
        self.engine = self.new_worker()

    def equipped(
        self,
        logs: Metrics | None = None,
        custom: CustomGuards | None = None,
        scoring: Scoring | None = None,
    ) -> None:
        """The installation can read logs, ask guards of one's own, or send recorded requests."""
        self.logs, self.custom, self.scoring = logs, custom, scoring
        self.engine = self.new_worker()

    def new_worker(self) -> Engine:
        mortal = {
            name: Mortal(port, self.deaths)
            for name, port in (
                ("store", self.store),
                ("queue", self.queue),
                ("azure", self.azure),
                ("metrics", SimulatedMetrics(self.azure)),
            )
        }
        sources = Sources(
            endpoints=mortal["azure"],
            metrics=mortal["metrics"],
            samples=self.samples,
            policies=self.policies,
            clock=self.clock,
            logs=self.logs,
            custom=self.custom,
            scoring=self.scoring,
        )
        looks = Looks(sources, (CHURN.in_workspace,), "test")
        effects = Effects(mortal["azure"], mortal["azure"], self.policies, "test")
        desk = Desk(lambda: SecretStr("secret"), None)
        post = Post(mortal["store"], self.clock, self, desk.links)
        return Engine(mortal["store"], mortal["queue"], self.clock, looks, effects, post=post)

    def send(self, target: Target, letter: Letter) -> None:
        """A place where notices go; `deliver_notices` is how often it takes one."""
        self.notice_errands.append(self.errand)
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
        while True:
            due = self.queue.next_due(STEPS_QUEUE)
            plan = min((at for at, _ in self.plans), default=None)
            time = min(at for at in (due, plan, sweep_at, end) if at is not None)
            self.clock.time = max(self.clock.time, time)
            self.azure.settle()
            if self.clock.time >= end:
                return self.rollout
            self._do_plans()
            self._deliver()
            if self.clock.time >= sweep_at:
                self._survive(self.engine.sweep)
                sweep_at = self.clock.time + SWEEP
            for check in self.checks:
                check()

    def _do_plans(self) -> None:
        now = self.clock.now()
        ready = [do for at, do in self.plans if at <= now]
        self.plans = [(at, do) for at, do in self.plans if at > now]
        for do in ready:
            self._survive(do)

    def _deliver(self) -> None:
        now = self.clock.now()
        while delivery := self.queue.receive(STEPS_QUEUE, now, LEASE):
            if self.random.random() < self.lost_messages:
                self.queue.complete(delivery)
                continue
            wake = Wake.model_validate_json(delivery.message.body)
            times = 2 if self.random.random() < self.doubled_messages else 1
            done = all(self._survive(partial(self._wake, wake)) for _ in range(times))
            if done:
                self.queue.complete(delivery)

    def _wake(self, wake: Wake) -> None:
        self.errand = wake
        try:
            self.engine.wake(wake)
        finally:
            self.errand = None

    def _survive(self, do: Callable[[], object]) -> bool:
        """Whether the worker lived; a dead one is replaced by another."""
        try:
            do()
        except Died:
            self.engine = self.new_worker()
            return False
        except RolloutError:
            return False
        return True

    # -- what is so ------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        return self.store.load(CHURN).head

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
