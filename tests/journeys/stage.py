"""Where a journey plays: one endpoint of the emulator, a controller, a crowd, and patience."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.emulator.running import EmulatorHandle
from tests.journeys.controller import JSON, Controller
from tests.journeys.crowd import RATE, Crowd, crowd_of

T = TypeVar("T")
POLL_SECONDS = 0.1
ENTRIES_TOLD = 8
LOG_TOLD = 3000

Map = tuple[dict[str, int], dict[str, int]]
"""Live shares and mirrored shares; a share of 0 is left out."""


def live(**shares: int) -> Map:
    return shares, {}


def mirrored(percent: int, to: str, **shares: int) -> Map:
    return shares, {to: percent}


@dataclass
class Stage:
    """One endpoint called `name`, and everything a journey does to it."""

    emulator: EmulatorHandle
    folder: Path
    name: str
    controller: Controller
    crowd: Crowd | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    """What every deployment has besides."""

    # -- the platform --------------------------------------------------------------------------

    def build(self, **scripts: str) -> None:
        """The endpoint with these deployments; all traffic goes to the first of them."""
        self.emulator.endpoint(self.name)
        ended = [self.deploy(name, script) for name, script in scripts.items()]
        assert ended == ["Succeeded"] * len(scripts)
        self.emulator.endpoint(self.name, {next(iter(scripts)): 100})
        self.forget_requests()

    def deploy(self, name: str, script: str) -> str:
        """Create a deployment of that script, and wait; returns how it ended."""
        return str(self.emulator.done(self.begin_deploy(name, script))["status"])

    def begin_deploy(self, name: str, script: str) -> requests.Response:
        """Ask for a deployment of that script, and do not wait."""
        asset = f"/codes/{self.name}-{name}/versions/1"
        code_uri = self._code(name, script).as_uri()
        self.emulator.arm("PUT", asset, {"properties": {"codeUri": code_uri}})
        code = {"codeId": self.emulator.workspace_id + asset, "scoringScript": "score.py"}
        properties = {"endpointComputeType": "Managed", "codeConfiguration": code}
        body = {
            "location": self.emulator.location,
            "sku": {"name": "Default", "capacity": 1},
            "properties": {**properties, **_ROOMY, **self.properties},
        }
        return self.emulator.arm("PUT", f"/onlineEndpoints/{self.name}/deployments/{name}", body)

    def _code(self, name: str, script: str) -> Path:
        code = self.folder / self.name / name
        code.mkdir(parents=True, exist_ok=True)
        (code / "score.py").write_text(script)
        return code

    def set_by_hand(self, **shares: int) -> None:
        """Someone else sets the traffic."""
        self.emulator.endpoint(self.name, shares)

    @property
    def map(self) -> Map:
        """The maps as the endpoint shows them."""
        found = self.emulator.arm("GET", f"/onlineEndpoints/{self.name}").json()["properties"]
        return _nonzero(found.get("traffic")), _nonzero(found.get("mirrorTraffic"))

    @property
    def writes(self) -> list[Map]:
        """The maps that the emulator was asked for and took, one after another."""
        path = f"/onlineendpoints/{self.name}".lower()
        return [
            (_nonzero(one["traffic"]), _nonzero(one["mirror_traffic"]))
            for one in self.emulator.own("requests")["written"]
            if one["path"].lower().endswith(path)
            and one["traffic"] is not None
            and one["status"] < 300
        ]

    @property
    def different_writes(self) -> list[Map]:
        """The same, where repeats at once count as one."""
        return [one for one, _ in groupby(self.writes)]

    def forget_requests(self) -> None:
        requests.delete(f"{self.emulator.url}/emulator/requests", timeout=10)

    @contextmanager
    def visited(self, rate: float = RATE, bad: Collection[str] = ()) -> Iterator[Crowd]:
        """With users, for the length of a with block; only what is bad may fail one of them."""
        with crowd_of(self.emulator, self.name, self.folder, rate, bad) as crowd:
            self.crowd = crowd
            yield crowd

    # -- the rollout ---------------------------------------------------------------------------

    def start(self, deployment: str, key: str | None = None, **more: object) -> requests.Response:
        """Ask the controller to roll that deployment out."""
        body = {"endpoint": self.name, "deployment": deployment, "who": "anna", **more}
        return self.controller.ask("POST", "rollouts", body, Idempotency_Key=key or _KEY)

    def order(self, command: str, **more: object) -> requests.Response:
        body = {"who": "anna", **more}
        return self.controller.ask("POST", f"rollouts/{self.name}/{command}", body)

    @property
    def view(self) -> JSON:
        """The rollout as the API tells it; empty while nothing answers."""
        try:
            answer = self.controller.ask("GET", f"rollouts/{self.name}")
        except requests.RequestException:
            return {}
        return dict(answer.json()) if answer.ok else {}

    @property
    def history(self) -> list[JSON]:
        answer = self.controller.ask("GET", f"rollouts/{self.name}/history")
        return list(answer.json()["entries"])

    def assert_whole(self) -> None:
        """Of the history no entry is missing, and none is there twice."""
        told = self.history
        assert [one["number"] for one in told] == list(range(1, len(told) + 1))
        assert len({one["event_id"] for one in told}) == len(told)
        assert all(one["after"] == other["before"] for one, other in pairwise(told))

    def phase(self, *wanted: str) -> bool:
        return self.view.get("phase") in wanted

    def at(self, stage: str) -> bool:
        """Whether it measures the stage of that name."""
        view = self.view
        here = view["stages"][view["stage"]]["name"] if view else ""
        return bool(view) and view["phase"] == "measuring" and here == stage

    def outcome(self) -> str | None:
        return self.view.get("outcome")

    # -- patience ------------------------------------------------------------------------------

    def eventually(self, look: Callable[[], T | None], seconds: float = 60.0) -> T:
        """The first true value of `look`; where none comes in time, what is known is told."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"not within {seconds:g} s\n{self.report()}"
            time.sleep(POLL_SECONDS)
        return found

    def report(self) -> str:
        """What a person would look at first."""
        view = self.view
        entries = self.history[-ENTRIES_TOLD:] if view else []
        told = [f"{one['number']} {one['event']} {one['after']}: {one['why']}" for one in entries]
        some = ("phase", "stage", "waits_for", "trouble", "owed", "next_look_at", "observed")
        facts = json.dumps({key: view.get(key) for key in some})
        users = dict(self.crowd.tally) if self.crowd else {}
        log = self.controller.log[-LOG_TOLD:]
        return "\n".join([*told, facts, f"writes {self.writes}", f"users {users}", log])


_KEY = "one"
_ROOMY: Mapping[str, Any] = {
    "requestSettings": {"requestTimeout": "PT30S", "maxConcurrentRequestsPerInstance": 200}
}
"""So that a slow machine queues requests and refuses none."""


def _nonzero(shares: Mapping[str, int] | None) -> dict[str, int]:
    return {name: share for name, share in sorted((shares or {}).items()) if share}
