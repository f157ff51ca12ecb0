"""`python -m rollout`, and the command `rollout`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs an older one is told, not shown a trace
    sys.exit("rollout needs Python 3.11 or newer; install it and make the environment anew")

import os
import traceback
from collections.abc import Callable
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

from rollout.cli.app import rollout
from rollout.cli.endings import Exit
from rollout.cli.session import Session


def main() -> None:
    """Run one command; a fault of ours ends with a code of its own, which no rollout has."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a mark that it cannot show is no reason to fail
            stream.reconfigure(errors="replace")
    session = Session(environment=os.environ, serve=_serve, folder=Path())
    try:
        rollout(obj=session, prog_name="rollout")
    except Exception:  # noqa: BLE001 - a door
        traceback.print_exc()
        sys.exit(Exit.BROKEN)


def _serve(*, port: int, on_ready: Callable[[str], None]) -> None:
    """Only `up` pays for the host's imports."""
    import_module("rollout.host").serve(port=port, on_ready=on_ready)


if __name__ == "__main__":
    main()
