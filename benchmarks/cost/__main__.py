"""Counts, measures on Azurite, prices: draws docs/reference/cost.md and prints it.

It ends with 1 where the goal is missed.
"""

import sys
from pathlib import Path

from benchmarks.cost.on_azurite import find
from benchmarks.cost.page import GOAL, measured, page

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/cost.md"


def main() -> int:
    find()
    text = page()
    PAGE.write_text(text)
    print(text)
    promoted = [*measured()["fixed"], *measured()["adaptive"]]
    return int(max(one.beyond_analysis for one in promoted) > GOAL)


if __name__ == "__main__":
    sys.exit(main())
