"""Latency guards: by histograms, by percentiles, and against a limit."""

import math

import pytest

from rollout.analysis.judge import at_full_share
from rollout.analysis.report import Guard, Kind, Metric, Verdict
from rollout.analysis.samples import Counts, Latency, Minute, Samples
from rollout.analysis.slowness import FIRST_BIN_MS, mean_ms, pooled, quantile_ms
from tests.analysis.builders import MINUTE, NOON, found

P95 = Guard(Metric.LATENCY_P95, worse_by_ratio=1.1)
ALL = (Metric.LATENCY_P50, Metric.LATENCY_P90, Metric.LATENCY_P95, Metric.LATENCY_P99)


def _percentiles(slower: float, requests: int = 150, count: int = 8) -> list[Minute]:
    base = Latency(100, 200, 250, 400)
    slow = Latency(100 * slower, 200 * slower, 250 * slower, 400 * slower)
    return [
        Minute(
            NOON + at * MINUTE,
            5,
            Counts({200: requests}, slow),
            Counts({200: 19 * requests}, base),
        )
        for at in range(count)
    ]


def _shape(requests: int, moved: int = 0, tail: int = 0) -> dict[int, int]:
    """A bell of durations around bin 30, `moved` bins slower, with answers in a far tail."""
    bell = {k: round(requests * math.exp(-((k - 30) ** 2) / 18) / 7.52) for k in range(21, 40)}
    return {**{k + moved: n for k, n in bell.items()}, 55: tail}


def _rows(moved: int = 0, tail: int = 0, count: int = 6) -> list[Minute]:
    canary, baseline = _shape(150, moved, tail), _shape(2850, tail=3)
    return [
        Minute(
            NOON + at * MINUTE,
            5,
            Counts({200: sum(canary.values())}, bins=canary),
            Counts({200: sum(baseline.values())}, bins=baseline),
        )
        for at in range(count)
    ]


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("slower", "verdict"), [(0.8, Verdict.PASS), (1.05, Verdict.PASS), (1.5, Verdict.FAIL)]
)
def test_percentiles(metric: Metric, slower: float, verdict: Verdict) -> None:
    finding = found(_percentiles(slower), Guard(metric, worse_by_ratio=1.1))

    assert finding.verdict is verdict
    assert finding.evidence is not None
    assert finding.evidence.kind is Kind.PERCENTILES
    assert finding.evidence.ratio == pytest.approx(slower)


def test_the_sentence_of_a_slow_canary() -> None:
    finding = found(_percentiles(1.5), P95)

    assert finding.because == (
        "canary p95 375 ms, baseline 250 ms, same eight minutes: 1.5 times as long; evidence more"
        " than a million : 1 against a healthy canary, you asked for 25 : 1"
    )


def test_thin_minutes_speak_by_their_median_and_the_thinnest_not() -> None:
    assert found(_percentiles(2.0, requests=10, count=20), P95).verdict is Verdict.FAIL

    thin = found(_percentiles(2.0, requests=4, count=60), P95)

    assert thin.verdict is Verdict.INCONCLUSIVE
    assert thin.because.startswith("too thin to compare latencies")


def test_no_latencies_are_not_measured() -> None:
    bare = [Minute(NOON, 5, Counts({200: 500}), Counts({200: 500}))]

    assert found(bare, P95).verdict is Verdict.NOT_MEASURED


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    ("moved", "verdict"), [(-2, Verdict.PASS), (1, Verdict.PASS), (4, Verdict.FAIL)]
)
def test_histograms(metric: Metric, moved: int, verdict: Verdict) -> None:
    finding = found(_rows(moved), Guard(metric, worse_by_ratio=1.1))

    assert finding.verdict is verdict
    assert finding.evidence is not None
    assert finding.evidence.kind is Kind.HISTOGRAMS


@pytest.mark.parametrize(
    ("metric", "verdict"),
    [(Metric.LATENCY_P50, Verdict.PASS), (Metric.LATENCY_P99, Verdict.FAIL)],
)
def test_a_heavier_tail_is_seen_by_the_guards_of_the_tail(metric: Metric, verdict: Verdict) -> None:
    assert found(_rows(moved=-1, tail=8), Guard(metric, worse_by_ratio=1.0)).verdict is verdict


@pytest.mark.parametrize(
    ("limit", "verdict"), [(600, Verdict.PASS), (240, Verdict.PASS), (200, Verdict.FAIL)]
)
def test_percentiles_are_held_to_a_limit_by_a_rule(limit: float, verdict: Verdict) -> None:
    finding = found(_percentiles(0.9), Guard(Metric.LATENCY_P95, at_most=limit))

    assert finding.verdict is verdict
    assert finding.evidence is not None
    assert finding.evidence.kind is Kind.MINUTES


def test_one_slow_minute_is_no_failure() -> None:
    minutes = [*_percentiles(1.0)[:7], *_percentiles(9.0)[7:]]

    assert found(minutes, Guard(Metric.LATENCY_P95, at_most=300)).verdict is Verdict.PASS


def test_histograms_are_held_to_a_limit_by_a_test() -> None:
    quantile = quantile_ms(_shape(150), 0.95) or 0

    assert found(_rows(), Guard(Metric.LATENCY_P95, at_most=1.3 * quantile)).verdict is Verdict.PASS
    tight = found(_rows(), Guard(Metric.LATENCY_P95, at_most=0.8 * quantile))
    assert tight.verdict is Verdict.FAIL
    assert tight.evidence is not None
    assert tight.evidence.kind is Kind.LIMIT


def test_quantiles_of_histograms_lie_within_their_bin() -> None:
    assert quantile_ms({}, 0.5) is None
    assert quantile_ms({10: 4}, 0.5) == pytest.approx(FIRST_BIN_MS * 1.1**10.5)
    assert pooled([{10: 4}, {10: 4}], Metric.LATENCY_P50).requests == 8


def test_the_mean_of_a_histogram_lies_in_its_bins() -> None:
    assert mean_ms({}) is None
    assert mean_ms({0: 4}) == pytest.approx(FIRST_BIN_MS * math.sqrt(1.1))
    assert mean_ms({0: 1, 20: 3}) == pytest.approx(
        (FIRST_BIN_MS * math.sqrt(1.1)) * (1 + 3 * 1.1**20) / 4
    )


def test_at_full_share_a_histograms_past_limits_the_latency() -> None:
    past = tuple(
        Minute(NOON - at * MINUTE, 0, None, Counts({200: 150}, bins=_shape(150)))
        for at in range(1, 9)
    )

    (guard,) = at_full_share([P95], Samples((), past))

    usual = quantile_ms(_shape(150), 0.95)
    assert usual is not None
    assert guard.at_most == pytest.approx(usual * 1.1 * 1.5)
