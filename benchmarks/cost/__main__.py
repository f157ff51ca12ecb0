"""Counts and prices, draws docs/reference/cost.md and prints it; 1 where the goal is missed."""

import sys
from pathlib import Path

from benchmarks.cost.page import GOAL, measured, page

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/cost.md"


def main() -> int:
    text = page()
    PAGE.write_text(text)
    print(text)
    promoted = [*measured()["fixed"], *measured()["adaptive"]]
    return int(max(one.beyond_analysis for one in promoted) > GOAL)


if __name__ == "__main__":
    sys.exit(main())
