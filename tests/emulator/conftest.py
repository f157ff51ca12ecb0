"""What the emulator's tests share: scoring scripts and running emulators."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.running import EmulatorHandle, running_emulator

# What the caller asks for is what happens: {"fail": 1}, {"sleep": 0.5}, {"die": 1}.
SCRIPT = """
import json, os, time

NAME = os.path.basename(os.path.dirname(os.path.abspath(__file__)))

def init():
    print("ready:", NAME)

def run(raw):
    asked = json.loads(raw)
    if asked.get("fail"):
        raise ValueError("asked to fail")
    if asked.get("die"):
        os._exit(1)
    time.sleep(asked.get("sleep", 0))
    return {"from": NAME, "pid": os.getpid(), "asked": asked}
"""


def a_script(folder: Path, name: str, text: str = SCRIPT) -> Path:
    """A code folder called `name` with `text` as its score.py."""
    code = folder / name
    code.mkdir(parents=True, exist_ok=True)
    (code / "score.py").write_text(text)
    return code


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorHandle]:
    """One for all tests that do not disturb each other: each uses endpoints of its own."""
    with running_emulator("--switch", "operation_seconds=0.05", "--seed", "1") as handle:
        yield handle


@pytest.fixture
def lone(request: pytest.FixtureRequest) -> Iterator[EmulatorHandle]:
    """One of its own, for tests that set switches."""
    flags = getattr(request, "param", ())
    with running_emulator("--switch", "operation_seconds=0.05", "--seed", "1", *flags) as handle:
        yield handle
