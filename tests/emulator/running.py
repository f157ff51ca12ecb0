"""A running emulator for tests: started, waited for, stopped; and a small client to drive it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import requests

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 20.0
_STOP_SECONDS = 20.0


def scoring_python() -> Path:
    """The Python that runs scoring scripts; a missing one fails the test."""
    return _interpreter("ROLLOUT_SCORING_PYTHON", ".venv-scoring/bin/python")


def sdk_python() -> Path:
    """The Python that has Microsoft's clients; a missing one fails the test."""
    return _interpreter("ROLLOUT_SDK_PYTHON", ".venv-sdk/bin/python")


def _interpreter(variable: str, default: str) -> Path:
    path = ROOT / os.environ.get(variable, default)
    assert path.exists(), f"{path} is missing: run `make setup` (or set {variable})"
    return path


def eventually(look: Callable[[], T | None], seconds: float = 10.0, every: float = 0.05) -> T:
    """The first true value `look` gives, which must come within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {found!r}"
        time.sleep(every)
    return found


@dataclass(frozen=True, slots=True)
class EmulatorHandle:
    """One emulator process; `arm`, `deploy` and `score` are shortcuts for tests."""

    url: str
    subscription: str
    resource_group: str
    workspace: str
    location: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    @property
    def workspace_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )

    def arm(
        self, method: str, path: str, body: object = None, version: str = "2023-04-01"
    ) -> requests.Response:
        """A call below the workspace, or of a whole URL."""
        url = path if path.startswith("http") else f"{self.url}{self.workspace_id}{path}"
        params = None if "api-version=" in url else {"api-version": version}
        headers = {"Authorization": "Bearer test"}
        return requests.request(method, url, json=body, params=params, headers=headers, timeout=30)

    def done(self, answer: requests.Response, seconds: float = 60.0) -> dict[str, Any]:
        """The status document of the operation that `answer` began, once it has ended."""
        assert answer.status_code in {201, 202}, answer.text
        where = answer.headers.get("Azure-AsyncOperation") or answer.headers["Location"]
        poll = where.replace("mfeOperationResults", "mfeOperationsStatus")

        def ended() -> dict[str, Any] | None:
            document: dict[str, Any] = self.arm("GET", poll).json()
            return document if "endTime" in document else None

        return eventually(ended, seconds)

    def endpoint(
        self,
        name: str,
        traffic: Mapping[str, int] | None = None,
        mirror: Mapping[str, int] | None = None,
        **properties: object,
    ) -> dict[str, Any]:
        """Create or replace an endpoint, and wait."""
        maps = {"traffic": dict(traffic or {}), "mirrorTraffic": dict(mirror or {})}
        body = {"location": self.location, "properties": {"authMode": "Key", **maps, **properties}}
        return self.done(self.arm("PUT", f"/onlineEndpoints/{name}", body))

    def deploy(
        self, endpoint: str, name: str, code: Path, capacity: int = 1, **properties: object
    ) -> dict[str, Any]:
        """Create or update a deployment of `code`/score.py, and wait."""
        asset = f"/codes/{endpoint}-{name}/versions/1"
        self.arm("PUT", asset, {"properties": {"codeUri": code.resolve().as_uri()}})
        script = {"codeId": self.workspace_id + asset, "scoringScript": "score.py"}
        body = {
            "location": self.location,
            "sku": {"name": "Default", "capacity": capacity},
            "properties": {
                "endpointComputeType": "Managed",
                "codeConfiguration": script,
                **properties,
            },
        }
        return self.done(self.arm("PUT", f"/onlineEndpoints/{endpoint}/deployments/{name}", body))

    def key(self, endpoint: str) -> str:
        answer = self.arm("POST", f"/onlineEndpoints/{endpoint}/listKeys").json()
        return str(answer["primaryKey"])

    def score(
        self, endpoint: str, body: object, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """A scoring request with the endpoint's primary key, unless `headers` bring another."""
        own = (
            {"Authorization": f"Bearer {self.key(endpoint)}"}
            if "Authorization" not in (headers or {})
            else {}
        )
        url = f"{self.url}/inference/{self.location}/{endpoint}/score"
        return requests.post(url, json=body, headers={**own, **(headers or {})}, timeout=60)

    def switch(self, **values: object) -> None:
        answer = requests.patch(f"{self.url}/emulator/switches", json=values, timeout=10)
        assert answer.status_code == 200, answer.text

    def own(self, name: str) -> dict[str, Any]:
        """`GET /emulator/<name>`."""
        document: dict[str, Any] = requests.get(f"{self.url}/emulator/{name}", timeout=10).json()
        return document

    def close(self) -> None:
        """Stop it as a person would, and wait."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


def start_emulator(*arguments: str) -> EmulatorHandle:
    """Start `python -m emulator` on a free port and wait until it is ready."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the handle
    argv = [sys.executable, "-m", "emulator", "--port", "0", "--exit-with-parent"]
    argv += ["--scoring-python", str(scoring_python()), *arguments]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    facts = eventually(lambda: _announced(process, output), READY_SECONDS)
    del facts["pid"]
    return EmulatorHandle(**facts, process=process, output=output)


@contextmanager
def running_emulator(*arguments: str) -> Iterator[EmulatorHandle]:
    """An emulator for the length of a with block; `arguments` are command line flags."""
    handle = start_emulator(*arguments)
    try:
        yield handle
    finally:
        handle.close()


def _announced(process: subprocess.Popen[bytes], output: IO[bytes]) -> dict[str, Any] | None:
    """The JSON line it prints when ready."""
    text = os.pread(output.fileno(), 100_000, 0).decode()
    assert process.poll() is None, f"the emulator ended with {process.returncode}: {text}"
    line = next((one for one in text.splitlines() if one.startswith('{"url"')), None)
    facts: dict[str, Any] | None = json.loads(line) if line and text.endswith("\n") else None
    return facts
