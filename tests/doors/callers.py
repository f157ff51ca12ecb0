"""Asks the HTTP API as a client would, and holds every answer to the document."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import SecretStr

from rollout.adapters.policy_folder import PolicyFolder
from rollout.api import Api, Request, Response
from rollout.api.openapi import EVENT_STREAM
from rollout.api.routes import BY_NAME
from rollout.arrivals import Arrivals
from rollout.links import Desk
from rollout.rehearsal.memory import Memory
from rollout.retention import Retention
from rollout.settings import Settings
from tests.doctor.patients import a_doctor
from tests.fakes import FakeArchive
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.key_world import KeyWorld
from tests.simulation.world import CHURN, World

ROOT = Path(__file__).parents[2]
TOKEN = "open sesame"
LINK_SECRET = SecretStr("the secret of this installation")  # pragma: allowlist secret
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs/reference/openapi.json").read_text())


@dataclass
class Caller:
    """Asks as a client would, and holds every answer to the document."""

    api: Api
    world: World
    headers: dict[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {TOKEN}"})

    def ask(
        self,
        route: str,
        body: object = None,
        key: str = "",
        /,
        *,
        query: dict[str, str] | None = None,
        **path: str,
    ) -> Response:
        headers = {**self.headers, **({"idempotency-key": key} if key else {})}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        method = BY_NAME[route].method
        answer = self.api.answer(route, Request(method, path, query or {}, headers, raw))
        check_documented(route, answer)
        return answer

    def start(self, deployment: str = "green", key: str = "", **more: Any) -> Response:
        body = {"endpoint": "churn", "deployment": deployment, "who": "ci", **more}
        return self.ask("start_rollout", body, key)

    def command(self, name: str, ref: str = "churn", who: str = "anna", key: str = "") -> Response:
        return self.ask("command_rollout", {"who": who}, key, ref=ref, command=name)


def check_documented(name: str, answer: Response) -> None:
    route = BY_NAME[name]
    told = DOCUMENT["paths"][f"/api/{route.path}"][route.method.lower()]["responses"]
    documented = told.get(str(answer.status), told["default"])
    mime = answer.headers.get("Content-Type")
    assert ([mime] if mime else []) == list(documented.get("content", {}))
    if mime:
        if mime == EVENT_STREAM:
            return
        schema = {**documented["content"][mime]["schema"], "components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(read(answer))


def read(answer: Response) -> Any:
    is_page = answer.headers.get("Content-Type", "").startswith("text/html")
    return answer.body.decode() if is_page else json.loads(answer.body)


def a_caller(folder: Path, policy: str, more: dict[str, str] | None = None, **known: Any) -> Caller:
    """A client of the API over a world with that policy; `more` are further files of policies."""
    world = KeyWorld(age=False, policy=policy)
    deployed = folder / "policies"
    deployed.mkdir()
    for name, text in {"churn": policy, **(more or {})}.items():
        (deployed / f"{name}.yaml").write_text(text)
    settings = Settings(
        api_token=SecretStr(TOKEN),
        workspaces=(CHURN.in_workspace,),
        installation="test",
        **known,
    )
    ids = _ids()
    policies = PolicyFolder(deployed, folder / "pushed")
    api = Api(
        engine=world.engine,
        store=world.store,
        feed=world.store,
        queue=world.queue,
        keys=world.rotations,
        policies=policies,
        clock=world.clock,
        settings=settings,
        doctor=a_doctor(world, policies),
        arrivals=Arrivals(world.engine, world.policies, world.queue, world.clock),
        memory=Memory(world.azure, SimulatedMetrics(world.azure), world.samples, world.clock),
        desk=Desk(lambda: LINK_SECRET, "https://rollout.example"),
        retention=Retention(world.store, FakeArchive(world.store), world.samples, world.clock),
        new_id=lambda: next(ids),
        sleep=lambda _: None,
    )
    return Caller(api, world)


def _ids() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"id{number}"
