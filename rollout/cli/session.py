"""What the commands are given from outside: the environment, time, a folder, and the host."""

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Serve(Protocol):
    """Runs a controller on this machine until it is stopped; calls back once it listens."""

    def __call__(self, *, port: int, on_ready: Callable[[str], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the command line."""

    environment: MutableMapping[str, str]
    serve: Serve
    folder: Path
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
