"""Many rollouts by a controller that is killed all the while: `python -m tests.journeys`.

Several endpoints beside each other, good and bad canaries in turn, Azure at its worst, users who
never stop. Each rollout has to end as it must; what was seen goes into docs/reference/bad-days.md.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from pathlib import Path
from threading import Event
from typing import Any

import requests

from demo.endings import unexplained, unsent, users
from tests.emulator.running import EmulatorHandle, running_emulator
from tests.journeys.controller import JSON
from tests.journeys.crowd import Crowd, Tally
from tests.journeys.parts import PARTS, SPEED, Parts
from tests.journeys.policies import write_policies
from tests.journeys.scripts import BAD, BETTER, GOOD
from tests.journeys.stage import Map, Stage, live

RATE = 20.0
BAD_ONES = frozenset({"red"})
ROLLOUT_SECONDS = 600.0

_GUARDS = """
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.15, severity: fail}
"""
POLICIES = {
    "short": """
schema: 1
match: {endpoint: "short-*"}
stages:
  - canary: {weight: 40, shortest_minutes: 3, longest_minutes: 200}
"""
    + _GUARDS,
    "mirrored": """
schema: 1
match: {endpoint: "mirrored-*"}
stages:
  - mirror: {percent: 50, shortest_minutes: 1, longest_minutes: 200}
  - canary: {weight: 50, shortest_minutes: 2, longest_minutes: 200}
"""
    + _GUARDS,
    "stepped": """
schema: 1
match: {endpoint: "stepped-*"}
stages:
  - canary: {weight: 30, shortest_minutes: 2, longest_minutes: 200}
  - canary: {weight: 60, shortest_minutes: 2, longest_minutes: 200}
"""
    + _GUARDS,
}

LATE_SECONDS = 40.0
"""Nobody waits for an answer as long as that."""

WEATHER: Sequence[tuple[float, Mapping[str, object]]] = (
    (6.0, {"throttle_rate": 0.1}),
    (4.0, {"throttle_rate": 0.0, "stale_read_seconds": 1.0}),
    (4.0, {"stale_read_seconds": 0.0, "lost_operation_status": True}),
    (4.0, {"lost_operation_status": False, "operation_seconds": 1.5}),
    (1.5, {"operation_seconds": 0.3, "arm_down": True}),
    (3.0, {"arm_down": False, "metrics_down": True}),
    (2.0, {"metrics_down": False, "arm_answer_seconds": LATE_SECONDS}),
    (2.0, {"arm_answer_seconds": 0.0, "metrics_answer_seconds": LATE_SECONDS}),
    (5.0, {"metrics_answer_seconds": 0.0}),
)
"""For so many seconds Azure is like that, one after another and over again."""


@dataclass
class Seen:
    """What a season has shown."""

    ended: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    outages: Mapping[str, int] = field(default_factory=dict)
    """How often a part that the controller stands on went away, and came back."""
    requests: int = 0
    unsent: int = 0
    """Requests that were due while the users had as many under way as they may."""
    failed: Tally = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    """The failures that no bad canary answered: whose, with what status, why, and when."""
    failed_by_us: int = 0
    failed_by_canaries: int = 0
    entries: int = 0
    writes: int = 0
    seconds: float = 0.0


class Asked:
    """The rollouts of one endpoint, one after another."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._serving = "blue"
        self._known = set[str]()

    def roll_out(self, number: int, *, bad: bool) -> str:
        """From the order to its outcome, and everything that has to be true then."""
        before = self._stage.eventually(self._map, ROLLOUT_SECONDS)
        canary = "red" if bad else {"blue": "green", "green": "blue"}[self._serving]
        key = f"{self._stage.name}-{number}"
        self._stage.eventually(lambda: self._ordered(canary, key), ROLLOUT_SECONDS)
        told = self._stage.eventually(self._ended, ROLLOUT_SECONDS)
        self._known.add(told["id"])
        self._serving = self._serving if bad else canary
        assert told["canary"] == canary, told
        assert told["outcome"] == ("rolled_back" if bad else "promoted"), self._stage.report()
        after = self._stage.eventually(self._map, ROLLOUT_SECONDS)
        assert after == (before if bad else live(**{canary: 100}))
        return str(told["outcome"])

    def _map(self) -> Map | None:
        """None while Azure throttles us too, is away, or takes its time."""
        try:
            return self._stage.map
        except (KeyError, requests.RequestException):
            return None

    def _ordered(self, canary: str, key: str) -> bool:
        """Ask with the same key until it is heard."""
        controller = self._stage.controller
        assert not controller.dead, f"not killed, and ended: {controller.log[-2000:]}"
        try:
            answer = self._stage.start(canary, key=key)
        except requests.RequestException:
            return False
        if answer.status_code in {201, 202}:
            return True
        assert answer.status_code in _NOT_NOW, answer.text
        return answer.status_code == 409 and self._is_new()

    def _is_new(self) -> bool:
        view = self._stage.view
        return bool(view) and view["id"] not in self._known

    def _ended(self) -> JSON | None:
        view = self._stage.view
        new = bool(view) and view["id"] not in self._known
        return view if new and view["outcome"] else None


_NOT_NOW = {409, 502, 503}
"""It is there already, or waits; the platform has lost its worker; a part is away."""


@dataclass
class Season:
    """Endpoints beside each other on one emulator, and one controller that does not live long."""

    emulator: EmulatorHandle
    parts: Parts
    stages: Sequence[Stage]
    crowds: Sequence[Crowd]
    seen: Seen = field(default_factory=Seen)

    def run(self, rollouts: int) -> Seen:
        """So many rollouts in all; every third canary is bad. Raises AssertionError."""
        began = time.monotonic()
        shares = [rollouts // len(self.stages)] * len(self.stages)
        for place in range(rollouts % len(self.stages)):
            shares[place] += 1
        over = Event()
        makers = [self._weather, *self.parts.troubles]
        with ThreadPoolExecutor(len(self.stages) + len(makers)) as threads:
            troubles = [threads.submit(make, over) for make in makers]
            ways = [
                threads.submit(self._one_endpoint, stage, share, place)
                for place, (stage, share) in enumerate(zip(self.stages, shares, strict=True))
            ]
            try:
                for way in ways:
                    self.seen.ended += way.result()
            finally:
                over.set()
            for trouble in troubles:
                trouble.result()
        self.seen.seconds = time.monotonic() - began
        self._told_in_the_end()
        return self.seen

    def _one_endpoint(self, stage: Stage, rollouts: int, place: int) -> Counter[str]:
        asked = Asked(stage)
        return Counter(
            asked.roll_out(number, bad=(number + place) % 3 == 2) for number in range(rollouts)
        )

    def _weather(self, over: Event) -> None:
        for seconds, switches in cycle(WEATHER):
            self.emulator.switch(**switches)
            if over.wait(seconds):
                break
        calm = {name: _CALM[name] for _, one in WEATHER for name in one}
        self.emulator.switch(**calm)

    def _told_in_the_end(self) -> None:
        """Read histories and writes in peace, and hold them to the promises."""
        self.parts.spare()
        self.stages[0].eventually(lambda: self.stages[0].view)
        for crowd in self.crowds:
            crowd.leave()
        for stage, crowd in zip(self.stages, self.crowds, strict=True):
            self.seen.entries += _history_is_whole(stage)
            self.seen.requests += crowd.tally.total()
            self.seen.unsent += unsent(crowd.out)
            failed = crowd.failed
            self.seen.failed += failed
            self.seen.unexplained += [
                f"{stage.name}: {one}" for one in unexplained(users(crowd.out), BAD_ONES)
            ]
            ours = sum(count for (name, _), count in failed.items() if name not in BAD_ONES)
            self.seen.failed_by_us += ours
            self.seen.failed_by_canaries += failed.total() - ours
        self.seen.writes = _writes_are_right(self.emulator)
        self.seen.deaths, self.seen.outages = self.parts.deaths, self.parts.outages


_CALM: Mapping[str, object] = {
    "throttle_rate": 0.0,
    "stale_read_seconds": 0.0,
    "lost_operation_status": False,
    "operation_seconds": 0.3,
    "arm_down": False,
    "metrics_down": False,
    "arm_answer_seconds": 0.0,
    "metrics_answer_seconds": 0.0,
}


def _history_is_whole(stage: Stage) -> int:
    """All entries of the endpoint: none is missing, none is there twice."""
    path = f"audits/{stage.name}/entries"
    told: list[dict[str, Any]] = []
    while page := stage.controller.ask("GET", f"{path}?after={len(told)}").json()["entries"]:
        told += page
    assert [one["number"] for one in told] == list(range(1, len(told) + 1))
    events = Counter(one["event_id"] for one in told)
    assert events.most_common(1)[0][1] == 1, events.most_common(3)
    return len(told)


def _writes_are_right(emulator: EmulatorHandle) -> int:
    """Of every map that Azure took: it is whole, and copies are cleared before live requests."""
    maps: dict[str, list[tuple[dict[str, int], dict[str, int]]]] = {}
    for one in emulator.own("requests")["written"]:
        if one["traffic"] is not None and one["status"] < 300:
            taken = _nonzero(one["traffic"]), _nonzero(one["mirror_traffic"])
            maps.setdefault(one["path"].lower(), []).append(taken)
    for taken_ in maps.values():
        assert all(sum(shares.values()) == 100 for shares, _ in taken_), taken_
        for (before, copied), (after, copies) in pairwise(taken_):
            assert not copied.keys() & (after.keys() - before.keys()), (before, copied, after)
            assert not copies.keys() & after.keys(), (after, copies)
    return sum(map(len, maps.values()))


def _nonzero(shares: Mapping[str, int] | None) -> dict[str, int]:
    return {name: share for name, share in (shares or {}).items() if share}


@contextmanager
def a_season(folder: Path, names: Sequence[str], parts: str = "embedded") -> Iterator[Season]:
    """Endpoints of these names, each with a good, a better and a bad deployment, and users."""
    flags = ("--grain-seconds", str(60 / SPEED), "--routing", "blocks", "--seed", "1")
    with ExitStack() as stack:
        emulator = stack.enter_context(
            running_emulator(*flags, "--switch", "operation_seconds=0.3")
        )
        policies = folder / "policies"
        write_policies(policies, **POLICIES)
        known = stack.enter_context(PARTS[parts](emulator, folder, policies))
        stages = [Stage(emulator, folder, name, known.controller) for name in names]
        for stage in stages:
            stage.build(blue=GOOD, green=BETTER, red=BAD)
        stages[0].forget_requests()
        crowds = [stack.enter_context(stage.visited(RATE, BAD_ONES)) for stage in stages]
        yield Season(emulator, known, stages, crowds)
