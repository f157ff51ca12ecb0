"""Plants each fault in turn and writes down which storm found it: `make mutations`."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tools.mutations.planted import PLANTED
from tools.mutations.trial import ROOT, Tried, tried

PAGE = ROOT / "docs" / "reference" / "mutations.md"


def main() -> int:
    asked = _asked()
    chosen = [one for one in PLANTED if asked.only in one.name]
    with ThreadPoolExecutor(2) as pool:
        results = []
        for one in pool.map(partial(tried, seeds=asked.seeds), chosen):
            results.append(one)
            mark = "found" if one.found else "NOT FOUND"
            sys.stdout.write(f"{mark}: {one.planted.name} | {one.seed} | {one.by[:150]}\n")
            sys.stdout.flush()
            if asked.page:  # so that one that is stopped leaves what it has found
                asked.page.write_text(page(results, asked.seeds), encoding="utf-8")
    return 0 if all(one.found for one in results) else 1


def page(results: Sequence[Tried], seeds: int) -> str:
    """The table: each fault, and the first storm that broke because of it."""
    found = sum(one.found for one in results)
    rows = [
        f"| {one.planted.name} | `{one.planted.file}` | {one.seed or 'not found'} | {_by(one)} |"
        for one in results
    ]
    about = (
        "Each of these faults is planted in a copy of the source, alone, and the storms run over it"
        f", at most {seeds} of them: {found} of {len(results)} are found. A test sees that each can"
        " still be planted. The column *storm* names the seed and its story."
    )
    drawn = "<!-- written by `make mutations` -->"
    head = ["| planted fault | file | storm | what broke |", "|---|---|---|---|"]
    return "\n".join(["# Planted faults", "", drawn, "", about, "", *head, *rows, ""])


def _by(one: Tried) -> str:
    return one.by[:160].replace("|", "/")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutations", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="storms for each at most")
    parser.add_argument("--only", default="", help="those whose name has these words")
    parser.add_argument("--page", type=Path, nargs="?", const=PAGE, help="write the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
