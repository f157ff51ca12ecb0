"""One rollout on the real engine in virtual time, with every execution and call counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any

from benchmarks.cost.operations import operations
from rollout.core.head import Wake
from rollout.core.rollout import Phase
from rollout.effects import Effects
from rollout.engine import Engine
from rollout.feed_ports import FedStore
from rollout.looks import Looks
from rollout.measuring import Sources
from tests.simulation.azure import Faults, SimulatedMetrics
from tests.simulation.world import CHURN, World

MINUTE = timedelta(minutes=1)
LONGEST_MINUTES = 600
IDLE_MINUTES = 60
OPERATION_SECONDS = 15
"""How long a change of the endpoint takes: creating one was recorded to take about so long."""
SLOW_SECONDS = 30

POLICY = """
schema: 1
match: {endpoint: "churn*"}
stages:
  - smoke:  {requests: smoke/churn.jsonl}
  - mirror: {percent: 20, shortest_minutes: 5, longest_minutes: 30}
  - canary: {weight: 5,  shortest_minutes: 5, longest_minutes: 60}
  - canary: {weight: 25, shortest_minutes: 5, longest_minutes: 60}
  - canary: {weight: 95, shortest_minutes: 5, longest_minutes: 60}
  - bake:   {shortest_minutes: 30}
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005, severity: fail}
  - {metric: latency_p95, worse_by_ratio: 1.10, severity: hold}
  - {metric: unavailable_rate, worse_by_points: 0.01, severity: hold}
"""
"""The policy of the design, but the approval that waits for a person: five shares of traffic."""


@dataclass
class Counting:
    """A port whose calls are counted."""

    name: str
    port: Any
    counts: Counter[str]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a port's own methods
        called = getattr(self.port, name)
        if not callable(called):
            return called

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            self.counts.update(operations(self.name, name, *args))
            return self.watched(name, lambda: called(*args, **kwargs))

        return call

    def watched(self, name: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401, ARG002 - see below
        """Make the call; who knows what it really asks of Azure counts that too."""
        return call()


class CountedWorld(World):
    """The world of the storms in fair weather: every operation lasts equally long."""

    def __init__(
        self,
        seed: int,
        policy: str,
        store: FedStore | None = None,
        operation_seconds: float = OPERATION_SECONDS,
    ) -> None:
        self.counts: Counter[str] = Counter()
        faults = Faults(operation=(operation_seconds, operation_seconds))
        super().__init__(seed, policy, faults=faults, store=store)

    def counting(self, name: str, port: Any) -> Counting:  # noqa: ANN401 - any port
        return Counting(name, port, self.counts)

    def new_worker(self) -> Engine:
        ports = {
            "store": self.store,
            "queue": self.queue,
            "samples": self.samples,
            "policies": self.policies,
            "endpoints": self.azure,
            "scoring": self.azure,
            "metrics": SimulatedMetrics(self.azure),
        }
        counted: dict[str, Any] = {name: self.counting(name, port) for name, port in ports.items()}
        read = ("endpoints", "metrics", "samples", "policies")
        sources = Sources(**{name: counted[name] for name in read}, clock=self.clock)
        looks = Looks(sources, (CHURN.in_workspace,), "cost")
        azure = (counted["endpoints"], counted["scoring"])
        effects = Effects(*azure, counted["policies"], "cost", self.clock)
        return _CountedEngine(self, counted, looks, effects)

    def _all_is_done(self) -> bool:
        """Never: sweeps that find nothing are what an idle hour costs."""
        return False

    def _wake(self, wake: Wake) -> None:
        self.counts["execution"] += 1
        super()._wake(wake)


class _CountedEngine(Engine):
    """A sweep is no part of a rollout: it runs once a minute, whether there is one or none."""

    def __init__(
        self, world: CountedWorld, ports: dict[str, Any], looks: Looks, effects: Effects
    ) -> None:
        super().__init__(ports["store"], ports["queue"], world.clock, looks, effects)
        self._world = world

    def sweep(self) -> int:
        counts = self._world.counts
        before = counts.copy()
        sent = super().sweep()
        swept = counts - before
        counts.subtract(swept)
        counts.update({f"sweep {name}": count for name, count in swept.items()})
        counts["sweep execution"] += 1
        return sent


@dataclass(frozen=True, slots=True)
class Cost:
    """What one rollout took, from the request that started it to its end."""

    pace: str
    seed: int
    phase: Phase
    minutes: float
    analysis_minutes: float
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def beyond_analysis(self) -> float:
        """Executions beyond one for each minute of analysis."""
        return self.counts["execution"] - self.analysis_minutes


MakeWorld = Callable[[int, str], CountedWorld]


def rollout(
    pace: str,
    seed: int = 1,
    error_rate: float | None = None,
    make: MakeWorld = CountedWorld,
    minutes: int = LONGEST_MINUTES,
) -> Cost:
    """Roll a deployment out; with an error rate, one that is not as good as its baseline."""
    world = make(seed, f"{POLICY}pace: {pace}\n")
    if error_rate is not None:
        world.azure.deployments["green"].error_rate = lambda _: error_rate
    world.counts["execution"] += 1
    world.start()
    ended = world.run(minutes=minutes)
    history = world.store.history(CHURN.key)
    measured = sum(
        (two.at - one.at for one, two in pairwise(history) if one.after is Phase.MEASURING),
        timedelta(0),
    )
    took = history[-1].at - history[0].at
    return Cost(pace, seed, ended.phase, took / MINUTE, measured / MINUTE, world.counts)


def idle() -> Counter[str]:
    """An hour in which nothing is rolled out, after a rollout has ended."""
    world = CountedWorld(1, POLICY)
    world.start()
    world.run(minutes=LONGEST_MINUTES)
    world.counts.clear()
    world.run(minutes=IDLE_MINUTES)
    return world.counts
