"""Storms by the thousand: what broke, and what never occurred.

python -m tests.simulation --seeds 500 [--from 0] [--workers 2] [--stop] [--page FILE]
With --ledger FILE a long run is kept there, and goes on where it was stopped.
"""

import argparse
import sys
from pathlib import Path

from tests.simulation.ledger import kept_storms
from tests.simulation.many import storms
from tests.simulation.quiet import quiet
from tests.simulation.report import page, told


def main() -> int:
    asked = _asked()
    seeds = range(asked.first, asked.first + asked.seeds)
    with quiet():
        if asked.ledger:
            result = kept_storms(seeds, asked.ledger, asked.workers)
        else:
            result = storms(seeds, asked.workers, stop=asked.stop)
    sys.stdout.write(told(result) + "\n")
    if asked.page:
        asked.page.write_text(page(result), encoding="utf-8")
    return 1 if result.broken or result.never else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: this one alone")
    parser.add_argument("--stop", action="store_true", help="stop at the first that breaks")
    parser.add_argument("--page", type=Path, help="write the figures to this page")
    parser.add_argument("--ledger", type=Path, help="keep a long run in this file, and go on")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
