"""One scoring process: Microsoft's inference server on a unix socket."""

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from emulator.scoring.messages import Inbound
from emulator.scoring.processes import Command, Process, Processes, StartError

_APP = "azureml_inference_server_http.server.entry:app"
_POLL_SECONDS = 0.05
_RESTART_SECONDS = (0.2, 1.0, 5.0, 15.0)
_KEPT_FROM_OUTSIDE = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH")


class NotReady(Exception):
    """The scoring process did not become healthy."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a deployment's processes have in common."""

    python: str
    code: Path
    script: str
    model: Path | None
    variables: dict[str, str]
    log: Path

    def command(self, socket: Path) -> Command:
        workers = self.variables.get("WORKER_COUNT", "1")
        argv = (self.python, "-m", "gunicorn", "-b", f"unix:{socket}", "-w", workers)
        limits = ("--timeout", "300", "--log-level", "warning", _APP)
        return Command((*argv, *limits), self._environment(), self.code, self.log)

    def _environment(self) -> dict[str, str]:
        outside = {name: os.environ[name] for name in _KEPT_FROM_OUTSIDE if name in os.environ}
        model = {"AZUREML_MODEL_DIR": str(self.model)} if self.model else {}
        return {
            **outside,
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HTTP_X_MS_SERVER_VERSION": "azmlinfsrv/1.5.1",
            **self.variables,
            **model,
            "AML_APP_ROOT": str(self.code),
            "AZUREML_ENTRY_SCRIPT": self.script,
            "AML_APP_INSIGHTS_ENABLED": "false",
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """What the scoring process answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Instance:
    """One process group, restarted when it ends, and the connections to it."""

    def __init__(self, processes: Processes, launch: Launch, socket: Path) -> None:
        self.in_flight = 0
        self._processes = processes
        self._launch = launch
        self._socket = socket
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        connector = aiohttp.UnixConnector(str(socket), force_close=True, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def start(self, seconds_max: float) -> None:
        """Return when healthy; raise NotReady when it ended or took longer."""
        try:
            self._process = await self._processes.start(self._launch.command(self._socket))
        except StartError as error:
            raise NotReady(f"The scoring process could not be started: {error}") from error
        deadline = time.monotonic() + seconds_max
        while not await self._healthy():
            if self._process.ended.done():
                code = self._process.ended.result()
                raise NotReady(f"The container terminated with exit code {code}; see its logs.")
            if time.monotonic() > deadline:
                raise NotReady(f"The container was not healthy after {seconds_max:g} s.")
            await asyncio.sleep(_POLL_SECONDS)
        self._keeping = asyncio.create_task(self._keep(self._process))

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
        if self._process is not None and not self._process.ended.done():
            self._processes.stop(self._process)
            await self._process.ended
        await self._session.close()
        self._socket.unlink(missing_ok=True)

    async def call(self, inbound: Inbound) -> Reply:
        """The process's answer; aiohttp.ClientError or OSError when there is none."""
        self.in_flight += 1
        try:
            async with self._session.request(
                inbound.method,
                f"http://localhost{inbound.target}",
                data=inbound.body or None,
                headers=inbound.headers,
                skip_auto_headers=("Content-Type", "Accept", "Accept-Encoding", "User-Agent"),
                allow_redirects=False,
            ) as response:
                return Reply(response.status, dict(response.headers), await response.read())
        finally:
            self.in_flight -= 1

    async def _healthy(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(2):
                return (await self.call(Inbound("GET", "/", {}, b""))).status == 200
        return False

    async def _keep(self, process: Process) -> None:
        """Start it again whenever it ends, ever more slowly."""
        for attempt in range(1_000_000):
            await asyncio.shield(process.ended)  # a cancelled keeper must not cancel it
            await asyncio.sleep(_RESTART_SECONDS[min(attempt, len(_RESTART_SECONDS) - 1)])
            with contextlib.suppress(StartError):
                process = await self._processes.start(self._launch.command(self._socket))
                self._process = process
