"""The pages of pitfalls and of bad days: each is held by tests that there are."""

import re

import pytest

from tests.functions.deployment import ROOT

PAGES = {"functions": 13, "bad-days": 22}
"""How many each has."""


@pytest.mark.parametrize("page", PAGES)
def test_each_pitfall_is_held_by_tests_that_there_are(page: str) -> None:
    text = (ROOT / f"docs/reference/{page}.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`test_" in line]
    written = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", written, re.MULTILINE))
    named = [set(re.findall(r"`(test_\w+)`", row)) for row in rows]

    assert len(rows) == PAGES[page]
    assert all(named)
    assert set().union(*named) <= there
