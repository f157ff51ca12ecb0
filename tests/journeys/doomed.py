"""`python -m tests.journeys.doomed FOLDER LEAST MOST up …`: `rollout up`, killed again and again.

Each life is a fork that `kill -9` ends at a random moment, so many seconds after it began at least
and at most. Every death is a line in FOLDER/deaths; while FOLDER/mercy is there, nobody is killed.
"""

import os
import signal
import sys
from pathlib import Path
from random import SystemRandom
from threading import Timer

from rollout.__main__ import main
from tests.journeys.mortal import hurry
from tests.journeys.undying import Lives

DEATHS, MERCY = "deaths", "mercy"
LIVES = (1.0, 7.0)
"""Between so many seconds and so many a life lasts, where nothing else is said."""


def _doom(folder: Path, least: float, most: float) -> None:
    """Kill this process at a moment that nobody knows."""

    def strike() -> None:
        if (folder / MERCY).exists():
            _doom(folder, least, most)
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    timer = Timer(SystemRandom().uniform(least, most), strike)
    timer.daemon = True
    timer.start()


def _live(folder: Path, least: float, most: float) -> None:
    hurry()
    _doom(folder, least, most)
    main()


if __name__ == "__main__":
    os.environ["no_proxy"] = "*"  # macOS asks for proxies by a library that a fork may not use
    folder_, least_, most_ = Path(sys.argv.pop(1)), float(sys.argv.pop(1)), float(sys.argv.pop(1))
    sys.exit(Lives(folder_ / DEATHS).run(lambda: _live(folder_, least_, most_)))
