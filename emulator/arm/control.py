"""Everything the control plane holds and all its handlers share."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from emulator.arm import names
from emulator.arm.calls import Call, Reply
from emulator.arm.operations import Operation, Operations, new_id
from emulator.arm.refusals import Refusal, not_found
from emulator.arm.resources import Asset, Deployment, Endpoint, Workspace
from emulator.scoring.fleet import Fleet
from emulator.scoring.instance import Launch
from emulator.switches import Switchboard

T = TypeVar("T")
_RESULTS, _STATUS = "mfeOperationResults", "mfeOperationsStatus"


@dataclass(slots=True)
class Control:
    """The resources by lower-cased ARM id, and what changing them needs."""

    board: Switchboard
    operations: Operations
    now: Callable[[], float]
    location: str
    make_fleet: Callable[[str, bool], Fleet]
    make_launch: Callable[[dict[str, Any], dict[str, Asset], str], Launch]
    logs: Path
    workspaces: dict[str, Workspace] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)

    def add_workspace(self, subscription: str, group: str, name: str) -> Workspace:
        found = names.workspace_id(subscription, group, name)
        workspace = Workspace(found, name, subscription, self.location)
        self.workspaces[found.lower()] = workspace
        return workspace

    def workspace(self, call: Call) -> Workspace:
        return _found(self.workspaces, call.workspace_id, f"Workspace {call.ids['workspace']}")

    def endpoint(self, call: Call) -> Endpoint:
        self.workspace(call)
        return _found(self.endpoints, call.endpoint_id, f"Endpoint {call.ids['endpoint']}")

    def deployment(self, call: Call) -> tuple[Endpoint, Deployment]:
        endpoint, name = self.endpoint(call), call.ids["deployment"]
        return endpoint, _found(endpoint.deployments, name, f"Deployment {name}")

    def log_of(self, endpoint: Endpoint, deployment: str) -> str:
        """The file for what the deployment's processes print, empty."""
        log = self.logs / f"{endpoint.workspace.name}.{endpoint.name}.{deployment}.log"
        log.unlink(missing_ok=True)
        return str(log)

    def refuse_if_busy(self, endpoint: Endpoint) -> None:
        """409 while an operation runs on the endpoint or one of its deployments."""
        running = self.operations.running_on(endpoint.id.lower())
        if running is None or not self.board.set.busy_refuses:
            return
        raise Refusal(
            409,
            "Conflict",
            f"Cannot change endpoint {endpoint.name} because it is in {running.verb}"
            " provisioning state.",
            self.retry_after(),
        )

    def begin(
        self, call: Call, endpoint: Endpoint, verb: str, work: Coroutine[Any, Any, None]
    ) -> Operation:
        """Run `work` after the time operations take; the verb is the status meanwhile."""
        prefix = "odidp" if "deployment" in call.ids else "oeidp"
        operation = Operation(
            id=new_id(prefix),
            endpoint_id=endpoint.id.lower(),
            subscription=call.ids["subscription"],
            location=endpoint.location,
            verb=verb,
            started_at=self.now(),
        )
        return self.operations.begin(operation, work)

    async def take_time(self, call: Call) -> None:
        """Wait as long as an operation lasts; raises Refusal when operations are to fail."""
        slow = self.board.set.slow_patch_seconds if call.method == "PATCH" else 0.0
        await asyncio.sleep(self.board.set.operation_seconds + slow)
        if self.board.set.failing_operations:
            raise Refusal(500, "InternalServerError", "The operation failed.")

    def created(self, call: Call, operation: Operation, document: dict[str, Any]) -> Reply:
        """201 with the poll URL in the header and in the body."""
        poll = self.operations.url(call.base, _STATUS, operation, call.api_version)
        own = document["properties"].setdefault("properties", {})
        document["properties"]["properties"] = {**own, "AzureAsyncOperationUri": poll}
        headers = {"Location": f"{call.base}{call.path}", "Azure-AsyncOperation": poll}
        return Reply(201, document, headers | self._async_headers())

    def accepted(self, call: Call, operation: Operation, body: Any = None) -> Reply:  # noqa: ANN401
        """202 with Location, and with Azure-AsyncOperation for DELETE."""
        where = self.operations.url(call.base, _RESULTS, operation, call.api_version)
        headers = {"Location": where} | self._async_headers()
        if call.method == "DELETE":
            poll = self.operations.url(call.base, _STATUS, operation, call.api_version)
            headers["Azure-AsyncOperation"] = poll
        return Reply(202, body, headers)

    def retry_after(self) -> dict[str, str]:
        length = self.board.set.retry_after_seconds
        return {} if length < 0 else {"Retry-After": str(length)}

    def _async_headers(self) -> dict[str, str]:
        return {"x-ms-async-operation-timeout": "PT30M"} | self.retry_after()


def _found(held: dict[str, T], key: str, what: str) -> T:
    if (found := held.get(key.lower())) is None:
        raise not_found(what)
    return found
