"""The threat model: every test that it names is there, and every row names one."""

import re
from pathlib import Path

import pytest

from tools.advisories import told

HOUSE = Path(__file__).parents[2]
PAGE = HOUSE / "docs" / "reference" / "threat-model.md"


def _rows() -> list[str]:
    text = PAGE.read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row.split("|")[2].strip()[:40])
def test_a_threat_is_answered_by_a_test_that_exists(row: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", row))
    there = {
        name
        for path in (HOUSE / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }

    assert named
    assert named <= there


def test_a_known_fault_is_said_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    fault = {"id": "CVE-1", "fix_versions": ["2.1"]}
    audited = [{"name": "thing", "version": "2.0", "vulns": [fault]}]

    assert told([*audited, {"name": "other", "skip_reason": "not found"}]) == 1
    assert "thing 2.0: CVE-1, mended in 2.1" in capsys.readouterr().out


def test_packages_of_which_nothing_is_known_are_not_called_safe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told([{"name": "other", "skip_reason": "not found"}]) == 0
    assert "not checked" in capsys.readouterr().out
