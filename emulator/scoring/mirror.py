"""Copies of live requests, sent to a deployment whose answers nobody sees."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emulator.scoring.messages import Inbound, Outcome

_WORKERS = 8
_STALE_SECONDS = 2.0
_OK = 200


@dataclass(slots=True)
class Tally:
    """What became of the copies so far."""

    sent: int = 0
    dropped_full: int = 0
    dropped_stale: int = 0
    pairs: int = 0
    differing: int = 0


@dataclass(frozen=True, slots=True)
class _Copy:
    target: str
    inbound: Inbound
    live: Outcome
    queued_at: float


class Mirror:
    """A bounded queue and a few workers; `send` makes the call and may take as long as it does.

    Both answers to a copied request are a pair; Azure has no such number, the emulator tells it
    under its own URL. `send` answers None where nobody is there to be asked.
    """

    def __init__(self, send: Callable[[str, Inbound], Awaitable[Outcome | None]]) -> None:
        self.tally = Tally()
        self._send = send
        self._waiting: deque[_Copy] = deque()
        self._bytes = 0
        self._workers: set[asyncio.Task[None]] = set()

    def offer(
        self, target: str, inbound: Inbound, live: Outcome, *, copies_max: int, bytes_max: int
    ) -> None:
        """Queue a copy of what was answered live, or drop it when full; never waits."""
        size = len(inbound.body)
        if len(self._waiting) >= copies_max or self._bytes + size > bytes_max:
            self.tally.dropped_full += 1
            return
        self._bytes += size
        self._waiting.append(_Copy(target, inbound, live, time.monotonic()))
        if len(self._workers) < _WORKERS:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def close(self) -> None:
        self._waiting.clear()
        for worker in tuple(self._workers):
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        """Send until nothing waits."""
        while self._waiting:
            copy = self._waiting.popleft()
            self._bytes -= len(copy.inbound.body)
            if time.monotonic() - copy.queued_at > _STALE_SECONDS:
                self.tally.dropped_stale += 1
            else:
                self.tally.sent += 1
                self._compare(copy.live, await self._send(copy.target, copy.inbound))

    def _compare(self, live: Outcome, copied: Outcome | None) -> None:
        """Only what the live deployment answered well is a measure."""
        if copied is None or live.status != _OK:
            return
        self.tally.pairs += 1
        self.tally.differing += (copied.status, copied.body) != (live.status, live.body)
