"""`python -m tests.journeys.undying PLACES PHASES up …`: a mortal controller that is born again.

Each life is a fork of this process, which has imported everything and opened nothing: what a life
costs is what it does, and not what Python takes to start. Every death is a line in PLACES.deaths.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import function_app  # noqa: F401 - imported for every life, as are those below
import rollout.adapters.azure.monitor
import rollout.api
import rollout.cli.up  # noqa: F401
from rollout.__main__ import main
from tests.journeys.mortal import make_mortal


def deaths_of(places: Path) -> Path:
    return places.with_suffix(".deaths")


class Lives:
    """One process after another; it ends when one of them ends otherwise than by `kill -9`."""

    def __init__(self, deaths: Path) -> None:
        self._deaths = deaths
        self._alive = 0

    def run(self, live: Callable[[], object]) -> int:
        """The exit status of the last one."""
        signal.signal(signal.SIGTERM, lambda *_: os.kill(self._alive, signal.SIGTERM))
        while True:
            self._alive = os.fork()
            if not self._alive:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                live()
                return 0
            _, status = os.waitpid(self._alive, 0)
            if (code := os.waitstatus_to_exitcode(status)) != -signal.SIGKILL:
                return code
            with self._deaths.open("a") as told:
                told.write(f"{self._alive}\n")


def _live(places: Path, phases: str) -> None:
    make_mortal(places, phases)
    main()


if __name__ == "__main__":
    os.environ["no_proxy"] = "*"  # macOS asks for proxies by a library that a fork may not use
    places_, phases_ = Path(sys.argv.pop(1)), sys.argv.pop(1)
    sys.exit(Lives(deaths_of(places_)).run(lambda: _live(places_, phases_)))
