"""The emulator's side of the warden: start a process, hear of its end."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_WARDEN = Path(__file__).with_name("warden.py")


class StartError(Exception):
    """The operating system would not start the process."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, where, and the file that gets what it prints."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path
    log: Path


@dataclass(slots=True)
class Process:
    """One process group; `ended` resolves to the leader's exit code."""

    name: str
    pid: int
    ended: asyncio.Future[int]


@dataclass(slots=True)
class Processes:
    """All process groups of this emulator; none of them outlives it."""

    warden: asyncio.subprocess.Process
    on_lost: Callable[[], object]
    lost: bool = False
    _names: "itertools.count[int]" = field(default_factory=itertools.count)
    _starting: dict[str, asyncio.Future[int]] = field(default_factory=dict)
    _running: dict[str, Process] = field(default_factory=dict)
    _listening: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, folder: Path, on_lost: Callable[[], object]) -> "Processes":
        """Start the warden; `folder` goes when it does. `on_lost` is called should it die."""
        warden = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_WARDEN),
            str(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        processes = cls(warden, on_lost)
        processes._listening = asyncio.create_task(processes._listen())
        return processes

    async def start(self, command: Command) -> Process:
        name = str(next(self._names))
        starting = self._starting[name] = asyncio.get_running_loop().create_future()
        order = {
            "start": name,
            "argv": command.argv,
            "env": command.env,
            "cwd": str(command.cwd),
            "log": str(command.log),
        }
        self._order(order)
        try:
            await starting
        except asyncio.CancelledError:
            self._order({"stop": name})  # nobody would know of it any more
            raise
        return self._running[name]

    def stop(self, process: Process) -> None:
        """Kill the group; `process.ended` tells when it is gone."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._order({"stop": process.name})

    async def close(self) -> None:
        """End every process and the warden, and wait for it."""
        self.on_lost = _nothing
        if self.warden.stdin is not None:
            self.warden.stdin.close()
        await self.warden.wait()
        if self._listening is not None:
            await self._listening

    def _order(self, order: dict[str, Any]) -> None:
        assert self.warden.stdin is not None
        self.warden.stdin.write(json.dumps(order).encode() + b"\n")

    async def _listen(self) -> None:
        assert self.warden.stdout is not None
        while line := await self.warden.stdout.readline():
            self._hear(json.loads(line))
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            _resolve(process.ended, -signal.SIGKILL)
        self.lost = True
        self.on_lost()

    def _hear(self, message: dict[str, Any]) -> None:
        if "started" in message:
            name, loop = message["started"], asyncio.get_running_loop()
            self._running[name] = Process(name, message["pid"], loop.create_future())
            _resolve(self._starting.pop(name), message["pid"])
        elif "failed" in message:
            waiting = self._starting.pop(message["failed"])
            if not waiting.done():
                waiting.set_exception(StartError(message["why"]))
        else:
            _resolve(self._running.pop(message["exited"]).ended, message["code"])


def _resolve(waiting: asyncio.Future[int], value: int) -> None:
    if not waiting.done():
        waiting.set_result(value)


def _nothing() -> None:
    """The warden may go now."""
