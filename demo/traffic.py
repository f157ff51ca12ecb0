"""Open-loop traffic: requests come when they come, whether or not the last one was answered."""

import asyncio
import json
import math
import os
import random
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp

UNDER_WAY_SECONDS = 2.0
"""No more requests are under way than come in that time: who is asked for more than he can do
should fall behind, and not fail everybody by working on what nobody waits for any more."""
TIMEOUT_SECONDS = 20.0


@dataclass
class Seen:
    """How many answers of one kind, and between when and when (epoch seconds)."""

    requests: int
    first: float
    last: float


@dataclass
class Tally:
    """Answers by deployment, status and what is said of it; status 0 is no answer."""

    answers: dict[tuple[str, int, str], Seen] = field(default_factory=dict)
    unsent: int = 0
    """Requests that were due while too many others were under way."""

    def count(self, deployment: str, status: int, why: str, now: float) -> None:
        seen = self.answers.setdefault((deployment, status, why), Seen(0, now, now))
        seen.requests, seen.last = seen.requests + 1, now

    def write(self, path: Path) -> None:
        rows = [
            {"deployment": deployment, "status": status, "why": why, **asdict(seen)}
            for (deployment, status, why), seen in sorted(self.answers.items())
        ]
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"unsent": self.unsent, "answers": rows}))
        fresh.replace(path)


async def send(session: aiohttp.ClientSession, url: str, body: str, tally: Tally) -> None:
    """Send one request and count its answer, or its want of one."""
    try:
        async with session.post(url, data=body) as answer:
            await answer.read()
            deployment = answer.headers.get("azureml-model-deployment", "-")
            why = answer.headers.get("ms-azureml-model-error-reason", "")
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        deployment, status, why = "-", 0, type(error).__name__
    tally.count(deployment, status, why, time.time())


async def drive(url: str, key: str, bodies: list[str], rate: float, tally: Tally) -> None:
    """Send requests at a mean rate a second, with exponential gaps, until cancelled."""
    under_way_max = math.ceil(rate * UNDER_WAY_SECONDS)
    chance = random.Random(1)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    under_way: set[asyncio.Task[None]] = set()
    lines = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=lines) as session:
        try:
            while True:
                await asyncio.sleep(chance.expovariate(rate))
                if len(under_way) >= under_way_max:
                    tally.unsent += 1
                    continue
                task = asyncio.create_task(send(session, url, chance.choice(bodies), tally))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        finally:
            await asyncio.gather(*under_way, return_exceptions=True)


async def main(url: str, bodies: list[str], rate: float, out: Path) -> None:
    """Drive until terminated; the tally is written every second and at the end."""
    tally = Tally()
    driving = asyncio.create_task(drive(url, os.environ["DEMO_KEY"], bodies, rate, tally))
    loop = asyncio.get_running_loop()
    for stop in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(stop, driving.cancel)
    while not driving.done():
        await asyncio.wait({driving}, timeout=1)
        tally.write(out)


if __name__ == "__main__":
    url_, requests_, rate_, out_ = sys.argv[1:]
    asyncio.run(main(url_, Path(requests_).read_text().splitlines(), float(rate_), Path(out_)))
