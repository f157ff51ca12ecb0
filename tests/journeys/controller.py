"""The controller as an operator meets it: a process, its HTTP API, and the command line."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.emulator.running import ROOT, EmulatorHandle, eventually

SPEED = 30
START_SECONDS = 90.0
STOP_SECONDS = 20.0
CLI_SECONDS = 240.0
GITHUB_SECRET = "a webhook's secret"
JSON = dict[str, Any]
Launcher = tuple[str, ...]
"""What Python's -m runs, and what that takes before `up`."""
UP: Launcher = ("rollout",)


def environment(**own: str) -> dict[str, str]:
    """This one without what a person's own controller may have left in it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ROLLOUT_")}
    return {**kept, **own}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Controller:
    """`rollout up` over one data folder; killed, it starts again at the same address."""

    emulator: EmulatorHandle
    data: Path
    policies: Path
    launcher: Launcher = UP
    port: int = field(default_factory=free_port)
    speed: int = SPEED
    process: subprocess.Popen[bytes] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        path = self._log_path
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _log_path(self) -> Path:
        return self.data.with_name(f"{self.data.name}-{self.port}.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        eventually(self._answers, START_SECONDS)

    def launch(self) -> None:
        """Start it, and do not wait."""
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=environment(
                    ROLLOUT_METRICS_LAG_MINUTES="1",
                    ROLLOUT_GITHUB_SECRET=GITHUB_SECRET,
                    **self.variables,
                ),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def command(self) -> Sequence[str]:
        options: Mapping[str, object] = {
            "data": self.data,
            "port": self.port,
            "policies": self.policies,
            "arm-url": self.emulator.url,
            "workspace": self.emulator.workspace_id,
            "clock-speed": self.speed,
            "installation": "journeys",
        }
        given = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        return [sys.executable, "-m", *self.launcher, "up", *given]

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As a person would with Ctrl-C; raises where it does not end by itself."""
        if self.process is None or self.dead:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def _answers(self) -> bool:
        assert not self.dead, f"the controller ended: {self.log[-2000:]}"
        try:
            return requests.get(f"{self.url}/api/health", timeout=2).ok
        except requests.RequestException:
            return False

    # -- its API and its command line ----------------------------------------------------------

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        """A call of the API, with the token of the data folder unless `headers` bring another."""
        token = (self.data / "token").read_text().strip()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            method,
            f"{self.url}/api/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}", **named},
            timeout=30,
        )

    def cli(
        self, *words: str, seconds: float = CLI_SECONDS, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """`rollout WORDS` where this controller is the one that is meant."""
        return subprocess.run(
            [sys.executable, "-m", "rollout", *words],
            cwd=ROOT,
            env={**self._operator, **variables},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def cli_beside(self, *words: str) -> subprocess.Popen[str]:
        """The same, and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "rollout", *words],
            cwd=ROOT,
            env=self._operator,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def _operator(self) -> dict[str, str]:
        contexts = self.data.with_name("contexts.json")
        return environment(ROLLOUT_DATA=str(self.data), ROLLOUT_CONFIG=str(contexts))
