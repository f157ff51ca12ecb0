"""The instances of one deployment, and what a caller gets from them."""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from emulator.scoring.admission import Admission, TooManyPending
from emulator.scoring.instance import Instance, Launch, Reply
from emulator.scoring.messages import Inbound, Outcome
from emulator.scoring.processes import Processes

_PER_HOP = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_DRAIN_SECONDS = 10.0
_serial = itertools.count()


@dataclass(frozen=True, slots=True)
class Limits:
    """A deployment's request settings."""

    concurrent: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Faults:
    """The statuses an endpoint gives for a failing, a slow and a lost model."""

    model_error: int
    timeout: int
    lost: int


MANAGED = Faults(model_error=424, timeout=408, lost=503)
KUBERNETES = Faults(model_error=502, timeout=504, lost=503)


class Fleet:
    """Runs a deployment's instances behind its admission limits."""

    def __init__(self, name: str, processes: Processes, sockets: Path, faults: Faults) -> None:
        self.name = name
        self._processes = processes
        self._sockets = sockets
        self._faults = faults
        self._launch: Launch | None = None
        self._instances: tuple[Instance, ...] = ()
        self._limits = Limits(1, 5.0)
        self._admission = Admission(1)

    @property
    def running(self) -> int:
        return len(self._instances)

    async def roll_to(self, launch: Launch, count: int, seconds_max: float) -> None:
        """Replace the instances when new ones are healthy; raise NotReady and keep the old."""
        fresh = await self._started(launch, count, seconds_max)
        old, self._instances, self._launch = self._instances, fresh, launch
        self.limit(self._limits)
        await _retire(old)

    async def scale_to(self, count: int, seconds_max: float) -> None:
        missing = count - len(self._instances)
        if missing > 0 and self._launch is not None:
            self._instances += await self._started(self._launch, missing, seconds_max)
        spare, self._instances = self._instances[count:], self._instances[:count]
        self.limit(self._limits)
        await _retire(spare)

    async def stop(self) -> None:
        old, self._instances = self._instances, ()
        await _retire(old)

    def limit(self, limits: Limits) -> None:
        """Set the limits; requests already inside finish under the old ones."""
        self._limits = limits
        self._admission = Admission(max(1, limits.concurrent * len(self._instances)))

    async def answer(self, inbound: Inbound) -> Outcome:
        """What the caller gets: the model's answer or the front end's."""
        try:
            async with asyncio.timeout(self._limits.timeout_seconds), self._admission.slot():
                return await self._ask(inbound)
        except TooManyPending:
            return self._own(429, b"", "too_many_pending_request")
        except TimeoutError:
            return self._own(self._faults.timeout, b"upstream request timeout", "timeout")
        except (aiohttp.ClientError, OSError):
            return self._own(self._faults.lost, b"upstream connect error", "connection_lost")

    async def _ask(self, inbound: Inbound) -> Outcome:
        if not self._instances:
            return self._own(self._faults.model_error, b"model not ready", "model_not_ready")
        instance = min(self._instances, key=lambda one: one.in_flight)
        started = time.perf_counter()
        reply = await instance.call(inbound)
        return self._outcome(reply, (time.perf_counter() - started) * 1000)

    def _outcome(self, reply: Reply, model_ms: float) -> Outcome:
        headers = _passed_on(reply.headers) | {"ms-azureml-model-time": f"{model_ms:.0f}"}
        status, reason = reply.status, ""
        if reply.status != 200:
            status, reason = self._faults.model_error, "model_error"
            headers["ms-azureml-model-error-statuscode"] = str(reply.status)
            headers["ms-azureml-model-error-reason"] = reason
        return Outcome(status, reply.body, headers, self.name, reply.status, reason, model_ms)

    def _own(self, status: int, body: bytes, reason: str) -> Outcome:
        headers = {"Content-Type": "text/plain", "ms-azureml-model-error-reason": reason}
        return Outcome(status, body, headers, self.name, None, reason)

    async def _started(
        self, launch: Launch, count: int, seconds_max: float
    ) -> tuple[Instance, ...]:
        fresh = tuple(
            Instance(self._processes, launch, self._sockets / f"{next(_serial)}.sock")
            for _ in range(count)
        )
        results = await asyncio.gather(
            *(instance.start(seconds_max) for instance in fresh), return_exceptions=True
        )
        failure = next((found for found in results if isinstance(found, BaseException)), None)
        if failure is not None:
            await asyncio.gather(*(instance.stop() for instance in fresh))
            raise failure
        return fresh


async def _retire(instances: Sequence[Instance]) -> None:
    """Let what is running finish, then stop."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while any(one.in_flight for one in instances) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.gather(*(one.stop() for one in instances))


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _PER_HOP}
