"""The same numbers by other people's code: scipy's distributions."""

import math

import pytest

from rollout.analysis.excess import Margin, _steps
from rollout.analysis.slowness import _covariance
from rollout.analysis.split import Split

stats = pytest.importorskip("scipy.stats", reason="scipy is in the dev extra")


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
@pytest.mark.parametrize(("canary", "baseline"), [(20, 380), (200, 1800), (50, 50)])
@pytest.mark.parametrize("bad", [1, 7, 40])
def test_given_its_failures_a_minute_is_fair(
    ratio: float, canary: int, baseline: int, bad: int
) -> None:
    split = stats.nchypergeom_fisher(canary + baseline, canary, bad, ratio)
    means = [0.0] * 14
    for x in range(min(canary, bad) + 1):
        minute = Split(canary, x, baseline, bad - x)
        if 0 <= minute.baseline_bad <= baseline:
            chance = float(split.pmf(x))
            steps = _steps(minute, Margin(ratio), 0.01)
            means = [mean + chance * math.exp(one) for mean, one in zip(means, steps, strict=True)]

    assert max(means) <= 1 + 1e-9


@pytest.mark.parametrize(("name", "level"), [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)])
def test_the_variance_of_a_sample_quantile(name: str, level: float) -> None:
    density = float(stats.norm.pdf(stats.norm.ppf(level)))

    assert _covariance(name, name) == pytest.approx(level * (1 - level) / density**2)


def test_the_variances_that_the_latency_evidence_is_built_on() -> None:
    pairs = [("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p50", "p90")]

    known = [_covariance(one, other) for one, other in pairs]

    assert known == pytest.approx([1.5708, 2.9225, 13.94, 0.7142], rel=5e-4)
