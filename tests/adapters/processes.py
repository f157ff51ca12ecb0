"""Processes of ours that work on a SQLite file until they are killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
EVERY = 10**6
WRITER = dedent("""
    import sys
    from itertools import count
    from pathlib import Path
    from rollout.adapters.sqlite.store import SqliteStore
    from tests.adapters.contracts.rows import a_head, an_endpoint, an_entry
    store = SqliteStore(Path(sys.argv[1]))
    held = store.load(an_endpoint())
    for save in count(1):
        turn = held.head.turn + 1
        held = store.save(held, a_head().model_copy(update={"turn": turn}), an_entry(turn))
        if save <= int(sys.argv[2]):
            print(turn, flush=True)
""")
"""Saves turn after turn, and says the first so many: a pipe that nobody reads would hold it up."""


@contextmanager
def running(script: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """A process of ours; killed at the end, if it is not dead before."""
    command = [sys.executable, "-c", script, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it says, waited for; it has not ended instead."""
    assert process.stdout
    said = process.stdout.readline()
    assert said, f"it ended: {process.wait()}"
    return said.strip()
