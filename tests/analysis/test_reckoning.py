"""What is reckoned sparingly is what the plain formulae give; several guards share it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.analysis.bound import (
    DELTAS,
    FINE,
    LOG_RATIOS,
    RATIOS,
    SURE,
    _average,
    _crossing,
    excess_bound,
    ratio_interval,
)
from rollout.analysis.dispersion import FIT, Past, Scatter
from rollout.analysis.excess import Margin, _Stake, may_reach, reached, weigh
from rollout.analysis.grid import spaced
from rollout.analysis.judge import Terms, judge, judge_since
from rollout.analysis.report import Guard, Metric, Severity, Verdict
from rollout.analysis.samples import Counts, Latency, Minute, Samples
from rollout.analysis.slowness import QUANTILES, Heard, beyond, weigh_percentiles
from rollout.analysis.split import Split
from tests.analysis.builders import MINUTE, NOON, WORSE
from tests.analysis.test_properties import tables, trials

MANY = settings(max_examples=60, deadline=None)


def plain_phis(table: list[Split], usual: float, prior: float) -> list[float]:
    """Every alternative reckoned on every minute, as the formula is written."""
    telling = [one for one in table if one.tells]
    psis = [[*_added(one, usual), *FIT] for one in telling]
    scores = [-(math.log(g) ** 2) / 8 for g in FIT] * 2
    phis = []
    for seen, (n, x, b, y) in enumerate(telling, 1):
        ratios = psis[seen - 1]
        scores = [
            score + x * math.log(psi) - (x + y) * math.log(n * psi + b)
            for score, psi in zip(scores, ratios, strict=True)
        ]
        best = scores.index(max(scores))
        surprise = sum(_surprise(telling[at], psis[at][best]) for at in range(seen))
        phis.append(max(1.0, (6 * prior + surprise) / (6 + seen - 1)))
    return phis


def _added(minute: Split, usual: float) -> list[float]:
    requests = minute.canary + minute.baseline
    share, rate = minute.canary / requests, minute.bad / requests
    return [1 + (g - 1) * usual / max(usual, rate - share * (g - 1) * usual) for g in FIT]


def _surprise(minute: Split, psi: float) -> float:
    part = minute.canary * psi / (minute.canary * psi + minute.baseline)
    spread = max(minute.bad * part * (1 - part), 0.15)
    return (minute.canary_bad - minute.bad * part) ** 2 / spread


GRID = [math.exp(math.exp(u)) for u in spaced(math.log(math.log(1.25)), math.log(math.log(30)), 10)]


def plain_ln_e(
    table: list[Split], past: Past, margin: Margin, restarts: list[int | None]
) -> list[float]:
    """Every alternative's products from every start, as the formula is written."""
    usual = past.rate or 0.0
    phis = iter(plain_phis(table, usual, past.phi))
    starts = [(0, 0.55), *((one, 0.45 / len(restarts)) for one in restarts)]
    sums, phi, found = [[0.0] * 14 for _ in starts], past.phi, []
    for number, minute in enumerate(table):
        if minute.tells:
            phi, gains = next(phis), _gains(minute, margin, usual)
            for (start, _), own in zip(starts, sums, strict=True):
                if start is not None and number >= start:
                    own[:] = [a + b for a, b in zip(own, gains, strict=True)]
        mixed = [
            part * math.fsum(math.exp(one / phi) for one in own) / 14
            for (_, part), own in zip(starts, sums, strict=True)
        ]
        found.append(math.log(math.fsum(mixed) / math.fsum(part for _, part in starts)))
    return found


def _gains(minute: Split, margin: Margin, usual: float) -> list[float]:
    n, x, b, y = minute
    share, rate = n / (n + b), (x + y) / (n + b)
    null = margin.ratio + margin.points / max(rate - share * margin.points, usual)
    psis = [g * null for g in (2, 5, 12, 30)]
    for g in GRID:
        more = (g - 1) * usual
        psis.append(null + more / max(rate - share * (margin.points + more), usual))
    return [
        x * math.log(psi / null) - (x + y) * math.log((n * psi + b) / (n * null + b))
        for psi in psis
    ]


margins = st.builds(Margin, st.sampled_from([1.0, 1.25, 2.0]), st.sampled_from([0, 0.0005, 0.05]))
starts = st.lists(st.none() | st.integers(0, 8), min_size=3, max_size=3)
pasts = st.tuples(st.floats(0.0001, 0.3), st.floats(1, 15)).map(lambda known: Past(*known))


def plain_interval(table: list[Split], phi: float) -> tuple[float, float | None]:
    """Every point of the grid."""

    def log(u: float) -> float:
        return sum(x * u - (x + y) * math.log(n * math.exp(u) + b) for n, x, b, y in table if x + y)

    coarse = [(u, log(u)) for u in LOG_RATIOS]
    best = max(range(len(coarse)), key=lambda at: coarse[at][1])
    ends = LOG_RATIOS[max(0, best - 1)], LOG_RATIOS[min(best + 1, len(coarse) - 1)]
    points = sorted(coarse + [(u, log(u)) for u in spaced(*ends, FINE)[1:-1]])
    least = _average(points) - phi * SURE
    inside = [at for at, (_, one) in enumerate(points) if one > least]
    low, high = 0.0, None
    if inside[0]:
        low = math.exp(_crossing(points[inside[0] - 1], points[inside[0]], least))
    if inside[-1] + 1 < len(points):
        high = math.exp(_crossing(points[inside[-1] + 1], points[inside[-1]], least))
    return low, high


@MANY
@given(tables, st.floats(0.0001, 0.3), st.floats(1, 15))
def test_the_dispersion_is_that_of_the_formula(
    table: list[Split], usual: float, prior: float
) -> None:
    scatter = Scatter(table, Past(usual, prior))

    fast = [scatter.phi(seen) for seen in range(1, len(scatter) + 1)]

    plain = plain_phis(table, usual, prior)

    assert len(fast) == len(plain)
    assert all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(fast, plain, strict=True))


@MANY
@given(tables, pasts, margins, starts)
def test_the_evidence_is_that_of_the_formula(
    table: list[Split], past: Past, margin: Margin, restarts: list[int | None]
) -> None:
    plain = plain_ln_e(table, past, margin, restarts)

    assert weigh(table, past, margin, restarts).ln_e == pytest.approx(plain, abs=1e-9, rel=1e-9)


@MANY
@given(tables, pasts, margins, starts)
def test_what_is_left_out_is_neither_now_nor_the_most(
    table: list[Split], past: Past, margin: Margin, restarts: list[int | None]
) -> None:
    whole = weigh(table, past, margin, restarts)
    scatter = Scatter(table, past)

    found = reached(margin, restarts, scatter)

    assert (found.now, found.most) == pytest.approx((whole.now, whole.most), abs=1e-12)
    assert may_reach(found.most, margin, restarts, scatter)


@pytest.mark.parametrize("far", [5000.0, -5000.0])
def test_evidence_beyond_all_floating_point_numbers_is_still_evidence(far: float) -> None:
    whole, half = _Stake(()), _Stake((None,))
    for stake in (whole, half):
        stake.add(0, [far] * 14)

    assert whole.ln_e(1.0) == pytest.approx(far)
    assert whole.ln_e(2.0) == pytest.approx(far / 2)
    assert half.ln_e(1.0) == pytest.approx(max(far + math.log(0.55), math.log(0.45)))


@MANY
@given(tables, st.floats(1, 15))
def test_the_interval_is_that_of_the_whole_grid(table: list[Split], phi: float) -> None:
    telling = [one for one in table if one.tells]

    low, high = ratio_interval(telling, phi)

    plain_low, plain_high = plain_interval(telling, phi)
    assert math.isclose(low, plain_low, rel_tol=1e-11)
    assert (high is None) == (plain_high is None)
    assert high is None or math.isclose(high, plain_high or 0, rel_tol=1e-11)


def plain_bound(table: list[Split], phi: float) -> float:
    """From the largest excess down, until one is not ruled out."""
    bound = 1.0
    for delta in DELTAS:
        logs = [
            sum(x * math.log(r) + y * math.log1p(n / b * (1 - r)) for n, x, b, y in table) / phi
            + sum(n * delta * (1 - r) for n, *_ in table) / phi
            for r in RATIOS
        ]
        top = max(logs)
        if top + math.log(sum(math.exp(one - top) for one in logs) / len(logs)) < SURE:
            return bound
        bound = delta
    return bound


@MANY
@given(tables, st.floats(1, 15), st.integers(1, 400))
def test_the_bound_found_by_halving_is_the_one_found_step_by_step(
    table: list[Split], phi: float, times: int
) -> None:
    paired = [Split(n * times, x, b * times, y) for n, x, b, y in table if n and b]

    assert excess_bound(paired, phi) == plain_bound(paired, phi)


GUARDS = (
    WORSE,
    Guard(Metric.UNAVAILABLE_RATE, worse_by_points=0.01, severity=Severity.HOLD),
    Guard(Metric.UNAVAILABLE_RATE, worse_by_points=0.05),
    Guard(Metric.LATENCY_P95, worse_by_ratio=1.1, severity=Severity.HOLD),
    Guard(Metric.ERROR_RATE, worse_by_ratio=1.5, at_most=0.2),
    Guard(Metric.LATENCY_P99, worse_by_ratio=1.2),
    Guard(Metric.LATENCY_P90, worse_by_ratio=1.1, at_most=900),
    Guard(Metric.ERROR_RATE, at_most=0.05, severity=Severity.HOLD),
    Guard(Metric.LATENCY_P50, at_most=900),
)


@MANY
@given(trials())
def test_a_guard_finds_beside_others_what_it_finds_alone(trial: tuple[Minute, ...]) -> None:
    guards = GUARDS[:4]  # one with at_most too goes by what it is asked for, and so by its stake
    together = judge(Samples(trial), guards, Terms())

    for guard, found in zip(guards, together.findings, strict=True):
        alone = judge(Samples(trial), (guard,), Terms()).findings[0]
        if found.evidence and alone.evidence:  # the stake is another one, nothing else
            same = replace(found.evidence, threshold=alone.evidence.threshold)
            assert same == alone.evidence


@MANY
@given(trials(), st.integers(0, 12))
def test_what_failed_before_a_time_is_not_forgotten_and_passes_only_with_what_came_since(
    trial: tuple[Minute, ...], minute: int
) -> None:
    since = NOON + minute * MINUTE

    both = judge_since(Samples(trial), since, GUARDS, Terms())

    whole = judge(Samples(trial), GUARDS, Terms())
    here = judge(Samples(tuple(one for one in trial if one.at >= since)), GUARDS, Terms())
    pairs = zip(whole.findings, here.findings, strict=True)
    wanted = [old if old.verdict is Verdict.FAIL else new for old, new in pairs]
    assert both.findings == tuple(wanted)


@st.composite
def heard_minutes(draw: st.DrawFn) -> list[tuple[Heard, Heard]]:
    times = draw(st.lists(st.tuples(*[st.floats(0.9, 1.4)] * 3), min_size=1, max_size=12))
    usual = Latency(20, 40, 50, 80)
    return [
        (Heard(500, Latency(20 * p50, 40 * p90, 50 * p90, 80 * p99)), Heard(500, usual))
        for p50, p90, p99 in times
    ]


@MANY
@given(heard_minutes(), st.sampled_from([*QUANTILES]))
def test_percentiles_within_the_margin_have_never_spoken_against_a_canary(
    minutes: list[tuple[Heard, Heard]], metric: Metric
) -> None:
    told = [(canary.latency, baseline.latency) for canary, baseline in minutes]

    most = weigh_percentiles(minutes, 1.2, metric).most

    assert most <= 0 or beyond(told, 1.2, metric)


@pytest.mark.parametrize("metric", QUANTILES)
def test_what_was_slow_before_a_time_is_not_forgotten(metric: Metric) -> None:
    usual, slow = (Counts({200: 500}, Latency(*ms)) for ms in ((20, 40, 50, 80), (40, 80, 99, 160)))
    arms = [slow] * 10 + [usual] * 10
    trial = tuple(Minute(NOON + at * MINUTE, 50, one, usual) for at, one in enumerate(arms))

    report = judge_since(
        Samples(trial), NOON + 10 * MINUTE, (Guard(metric, worse_by_ratio=1.2),), Terms()
    )

    assert report.verdict is Verdict.FAIL


@MANY
@given(trials(), st.integers(0, 12))
def test_how_bad_it_may_be_is_told_over_the_whole_trial_to_a_pace(
    trial: tuple[Minute, ...], minute: int
) -> None:
    since, guard, paced = NOON + minute * MINUTE, GUARDS[:1], Terms(paced=True)

    here = judge_since(Samples(trial), since, guard, paced).findings[0].evidence

    whole = judge(Samples(trial), guard, Terms()).findings[0].evidence
    assert here
    assert whole
    assert here.excess_bound_so_far == whole.excess_bound
    assert whole.excess_bound_so_far is None
