"""The page of pitfalls: each is held by tests that there are."""

import re

from tests.functions.deployment import ROOT

PAGE = (ROOT / "docs/reference/functions.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`test_" in line]
REPORTED = 12


def test_each_pitfall_is_held_by_tests_that_there_are() -> None:
    written = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", written, re.MULTILINE))
    named = [set(re.findall(r"`(test_\w+)`", row)) for row in ROWS]

    assert len(ROWS) == REPORTED
    assert all(named)
    assert set().union(*named) <= there
