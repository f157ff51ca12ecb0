"""Numbers in the words of the command line."""

from typing import Any

import pytest

from rollout.cli.words import evidence_told

EVIDENCE = {"ln_e": 4.114, "ln_e_most": 4.114, "threshold": 3.506, "minutes_used": 4}


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        ({"ratio_low": 2.7, "ratio_high": 135.0}, "; 2.7 to 135 times as often"),
        ({"ratio_low": 3.5}, "; 3.5 or more times as often"),
        ({"ratio_low": 0.0}, ""),
        ({}, ""),
    ],
)
def test_how_many_times_as_often_is_told_where_it_says_something(
    ratio: dict[str, Any], told: str
) -> None:
    asked = "evidence 61.2 : 1, you asked for 33.3 : 1"

    assert evidence_told({**EVIDENCE, **ratio}) == f"{asked}{told}; 4 minutes used"
