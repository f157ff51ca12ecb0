"""What a team does on Azure before a rollout: an endpoint, its first deployment, a new one."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

API = {"api-version": "2023-04-01"}
HEADERS = {"Authorization": "Bearer demo"}
READY_SECONDS = 120.0
POLL_SECONDS = 0.2
ROOMY = {"requestTimeout": "PT30S", "maxConcurrentRequestsPerInstance": 200}
"""So that a slow machine lets users wait, and refuses none: with room for 16 requests, an eighth of
a second in which nothing runs is enough for the demo's users to be told 429."""


@dataclass(frozen=True)
class Workspace:
    """One workspace, by ARM REST at any address."""

    url: str
    arm_id: str

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = requests.request(
                method,
                f"{self.url}{self.arm_id}{path}",
                params=API,
                headers=HEADERS,
                json=body,
                timeout=30,
            )
        except requests.ConnectionError as error:
            raise SystemExit(f"nobody answers at {self.url}: is the emulator running?") from error
        if not answer.ok:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def _until_ready(self, path: str) -> Any:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            seen = self._call("GET", path)
            state = seen["properties"]["provisioningState"]
            if state == "Succeeded":
                return seen
            if state == "Failed":
                raise SystemExit(f"{path} has failed; see the emulator's logs")
            time.sleep(POLL_SECONDS)
        raise SystemExit(f"{path} was not ready in {READY_SECONDS:.0f} seconds")

    def create_endpoint(self, name: str) -> str:
        """Create an endpoint with key authentication; returns its scoring address."""
        path = f"/onlineEndpoints/{name}"
        self._call("PUT", path, {"location": "local", "properties": {"authMode": "Key"}})
        address: str = self._until_ready(path)["properties"]["scoringUri"]
        return address

    def create_deployment(self, endpoint: str, name: str, code: Path, model: Path) -> None:
        """Register code and model, and create a deployment of them without any traffic."""
        self._call("PUT", f"/codes/{name}/versions/1", {"properties": {"codeUri": code.as_uri()}})
        self._call(
            "PUT", f"/models/{name}/versions/1", {"properties": {"modelUri": model.as_uri()}}
        )
        deployment = {
            "location": "local",
            "sku": {"name": "Default", "capacity": 1},
            "properties": {
                "endpointComputeType": "Managed",
                "model": f"{self.arm_id}/models/{name}/versions/1",
                "codeConfiguration": {
                    "codeId": f"{self.arm_id}/codes/{name}/versions/1",
                    "scoringScript": "score.py",
                },
                "requestSettings": ROOMY,
            },
        }
        self._call("PUT", f"/onlineEndpoints/{endpoint}/deployments/{name}", deployment)

    def wait_for_deployment(self, endpoint: str, name: str) -> None:
        self._until_ready(f"/onlineEndpoints/{endpoint}/deployments/{name}")

    def give_all_traffic(self, endpoint: str, deployment: str) -> None:
        path = f"/onlineEndpoints/{endpoint}"
        seen = self._call("GET", path)
        seen["properties"]["traffic"] = {deployment: 100}
        self._call("PUT", path, seen)
        end = time.monotonic() + READY_SECONDS
        while self._call("GET", path)["properties"]["traffic"] != {deployment: 100}:
            if time.monotonic() > end:
                raise SystemExit(f"{endpoint} does not give its traffic to {deployment}")
            time.sleep(POLL_SECONDS)

    def key(self, endpoint: str) -> str:
        key: str = self._call("POST", f"/onlineEndpoints/{endpoint}/listKeys")["primaryKey"]
        return key
