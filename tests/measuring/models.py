"""Two models behind the port Scoring, and the policy that has their answers compared."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from rollout.analysis.report import Metric, Verdict
from rollout.core.endpoint import EndpointId
from rollout.errors import RolloutError
from rollout.ports import Answer
from tests.fakes import FakeClock
from tests.simulation.world import POLICY, World

AGREEMENT = """
agreement: {requests: samples/churn.jsonl, per_minute: 60, compare: {label: {path: label}}}
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005}
  - {metric: disagreement_rate, at_most: 0.05}
"""
TEXT = POLICY[: POLICY.index("guards:")] + AGREEMENT


def recorded(count: int) -> bytes:
    return "".join(f'{{"id": "r{n}", "body": {n}}}\n' for n in range(count)).encode()


@dataclass
class Models:
    """The port Scoring: request n is answered with its label; green mislabels some."""

    wrong: Callable[[int], bool] = lambda _: False
    clock: FakeClock | None = None
    takes: timedelta = timedelta(0)
    error: Callable[[str, int], RolloutError | int | None] = lambda *_: None
    asked: list[tuple[str, int]] = field(default_factory=list)

    def score(self, endpoint: EndpointId, deployment: str, body: bytes) -> Answer:
        assert endpoint.name == "churn"
        number = json.loads(body)
        self.asked.append((deployment, number))
        if self.clock:
            self.clock.advance(self.takes)
        wrong = self.error(deployment, number)
        if isinstance(wrong, RolloutError):
            raise wrong
        label = 3 if deployment == "green" and self.wrong(number) else number % 10
        body = json.dumps({"label": label}).encode()
        return Answer(wrong or 200, body, timedelta(milliseconds=20))

    @property
    def requests(self) -> Counter[int]:
        return Counter(number for deployment, number in self.asked if deployment == "green")


def a_world(models: Models, count: int = 2000, text: str = TEXT) -> World:
    world = World(policy=text)
    world.policies.recorded = recorded(count)
    world.equipped(scoring=models)
    return world


def finding(world: World) -> tuple[Verdict, str]:
    """What was found of their answers, and why: of the one guard that is not about errors."""
    report = world.rollout.report
    assert report is not None
    return next(
        (one.verdict, one.because)
        for one in report.findings
        if one.guard.metric is not Metric.ERROR_RATE
    )
