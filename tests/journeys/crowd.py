"""The users of an endpoint: open-loop traffic, counted by deployment and status.

Whoever has users has to say which deployments may fail them: a failure that none of those answered
is ours, and fails the journey.
"""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.endings import unexplained, users
from tests.emulator.running import ROOT, EmulatorHandle, eventually
from tests.journeys.controller import environment

RATE = 60
NUMBERS = 60
_STOP_SECONDS = 40.0

Tally = Counter[tuple[str, int]]
"""How many answers came from which deployment with which status; 0 is no answer."""


@dataclass
class Crowd:
    """One `demo.traffic` process; what it wrote last is what is known."""

    out: Path
    process: subprocess.Popen[bytes]

    @property
    def tally(self) -> Tally:
        told = Tally()
        for (deployment, status, _), answers in users(self.out).items():
            told[deployment, status] += answers.requests
        return told

    @property
    def failed(self) -> Tally:
        return Counter({key: count for key, count in self.tally.items() if key[1] != 200})

    def served(self, deployment: str) -> int:
        return sum(count for (name, _), count in self.tally.items() if name == deployment)

    def leave(self) -> None:
        """Wait for the last answers; the tally is whole then."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(_STOP_SECONDS)


@contextmanager
def crowd_of(
    emulator: EmulatorHandle,
    endpoint: str,
    folder: Path,
    rate: float = RATE,
    bad: Collection[str] = (),
) -> Iterator[Crowd]:
    """Requests at that mean rate a second, for the length of a with block.

    Raises AssertionError where one failed, and none of the bad deployments answered it.
    """
    asked, out = folder / f"{endpoint}-requests.jsonl", folder / f"{endpoint}-answers.json"
    asked.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(NUMBERS)))
    url = f"{emulator.url}/inference/{emulator.location}/{endpoint}/score"
    argv = [sys.executable, "-m", "demo.traffic", url, str(asked), str(rate), str(out)]
    with (folder / f"{endpoint}-traffic.log").open("wb") as log:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment(DEMO_KEY=emulator.key(endpoint)),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    crowd = Crowd(out, process)
    try:
        eventually(lambda: bool(crowd.tally), seconds=20)
        yield crowd
        crowd.leave()
        ours = unexplained(users(out), bad)
        assert not ours, f"{endpoint}: requests failed, and by no bad canary: {ours}"
    finally:
        process.kill()
        process.wait()
