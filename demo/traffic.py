"""Open-loop traffic: requests come when they come, whether or not the last one was answered."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

IN_FLIGHT_MAX = 200
TIMEOUT_SECONDS = 10.0


@dataclass
class Tally:
    """Answers counted by deployment and status; 0 is no answer."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    def write(self, path: Path) -> None:
        rows = [
            {"deployment": deployment, "status": status, "requests": count}
            for (deployment, status), count in sorted(self.answers.items())
        ]
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(rows))
        fresh.replace(path)


async def send(session: aiohttp.ClientSession, url: str, body: str, tally: Tally) -> None:
    """Send one request and count its answer."""
    deployment, status = "-", 0
    try:
        async with session.post(url, data=body) as answer:
            await answer.read()
            deployment = answer.headers.get("azureml-model-deployment", "-")
            status = answer.status
    except (aiohttp.ClientError, TimeoutError):
        pass
    tally.answers[deployment, status] += 1


async def drive(url: str, key: str, bodies: list[str], rate: float, tally: Tally) -> None:
    """Send requests at a mean rate a second, with exponential gaps, until cancelled."""
    chance = random.Random(1)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    under_way: set[asyncio.Task[None]] = set()
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        try:
            while True:
                await asyncio.sleep(chance.expovariate(rate))
                if len(under_way) < IN_FLIGHT_MAX:
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
