"""The peers' rules of the benchmark, on rollouts of which one knows what they must do."""

import pytest

from benchmarks.judge.rules import RULES, Trial
from rollout.analysis.split import Split

SHARES = [share for share in (5, 10, 20, 50, 100) for _ in range(6)]
HISTORY = [(3000, 12)] * 120


def _trial(rate: float) -> Trial:
    minutes = [
        Split(30 * share, round(30 * share * rate), 3000 - 30 * share, (100 - share) * 3 // 25)
        for share in SHARES
    ]
    return Trial(minutes, SHARES, HISTORY, lag=2)


@pytest.mark.parametrize(
    ("rule", "minute"),
    [
        ("judge", 3),
        ("Flagger", 8),
        ("Argo Rollouts", 20),
        ("Kayenta, every 6 min", 6),
        ("SageMaker", 3),
        ("CodeDeploy", 4),
        ("pooled always-valid", 3),
        ("peeking", 3),
    ],
)
def test_a_broken_canary_is_rolled_back_when_the_rule_says(rule: str, minute: int) -> None:
    assert RULES[rule](_trial(1.0)) == minute


@pytest.mark.parametrize("rule", RULES)
def test_a_canary_without_failures_is_not_rolled_back(rule: str) -> None:
    assert RULES[rule](_trial(0.0)) is None
