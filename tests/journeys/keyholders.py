"""`python -m tests.journeys.keyholders URL FILE SECRET SECONDS OUT`: clients that keep a key.

Each of them reads the secret's current version from FILE, keeps it for SECONDS, and asks the
endpoint without a pause. None retries, and none reads anew because it was refused. OUT holds the
answers by status, those by key (its last letters alone), and is whole when they are told to stop.
"""

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp

CLIENTS = 8
PAUSE_SECONDS = 0.02


class Holder:
    """One client."""

    def __init__(self, url: str, file: Path, secret: str, seconds: float) -> None:
        self._url = url
        self._file = file
        self._secret = secret
        self._seconds = seconds
        self._key = ""
        self._read_at = -seconds
        self.answers: Counter[int] = Counter()
        self.reads = 0

    async def run(self, http: aiohttp.ClientSession, stopping: asyncio.Event) -> None:
        number = 0
        while not stopping.is_set():
            if time.monotonic() - self._read_at >= self._seconds:
                self._read()
            number += 1
            headers = {"Authorization": f"Bearer {self._key}"}
            try:
                async with http.post(self._url, json={"n": number % 60}, headers=headers) as answer:
                    await answer.read()
                    self.answers[answer.status] += 1
            except aiohttp.ClientError:
                self.answers[0] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    def _read(self) -> None:
        """Its time begins before it reads: so it never keeps a key for longer."""
        self._read_at = time.monotonic()
        versions = json.loads(self._file.read_text())["secrets"][self._secret]
        self._key = versions[-1]["value"]
        self.reads += 1


async def hammer(url: str, file: str, secret: str, seconds: str) -> str:
    """Until told to stop; returns what was answered, as JSON."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    holders = [Holder(url, Path(file), secret, float(seconds)) for _ in range(CLIENTS)]
    async with aiohttp.ClientSession() as http:
        running = []
        for holder in holders:  # they read at different times
            running.append(asyncio.create_task(holder.run(http, stopping)))
            await asyncio.sleep(float(seconds) / CLIENTS)
        await asyncio.gather(*running)
    total = sum((holder.answers for holder in holders), Counter[int]())
    told = {"answers": dict(total), "reads": sum(holder.reads for holder in holders)}
    return json.dumps(told)


if __name__ == "__main__":
    *wanted, out = sys.argv[1:]
    Path(out).write_text(asyncio.run(hammer(*wanted)))
