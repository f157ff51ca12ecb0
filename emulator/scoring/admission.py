"""How many requests a deployment takes, and how many may wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyPending(Exception):
    """Twice the slots are taken: the caller gets a 429."""


class Admission:
    """`slots` requests run, as many again wait, the rest is refused."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.inside = 0
        self._running = asyncio.Semaphore(slots)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot and hold it; raises TooManyPending at once when too many wait."""
        if self.inside >= 2 * self.slots:
            raise TooManyPending
        self.inside += 1
        try:
            async with self._running:
                yield
        finally:
            self.inside -= 1
