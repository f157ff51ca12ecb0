"""What holds for any counts: order, repetition and lateness do not matter."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from rollout.analysis.dispersion import Past, learn
from rollout.analysis.excess import Margin, _steps, weigh
from rollout.analysis.judge import Terms, judge
from rollout.analysis.report import Guard, Metric, Report, Severity, Verdict
from rollout.analysis.samples import Counts, Latency, Minute, Samples
from rollout.analysis.split import Split
from tests.analysis.builders import MINUTE, NOON, WORSE

GUARDS = (
    WORSE,
    Guard(Metric.UNAVAILABLE_RATE, worse_by_points=0.01, severity=Severity.HOLD),
    Guard(Metric.ERROR_RATE, at_most=0.05),
    Guard(Metric.LATENCY_P95, worse_by_ratio=1.1, severity=Severity.HOLD),
    Guard(Metric.LATENCY_P50, at_most=900, severity=Severity.WATCH),
)
FEW = settings(max_examples=40, deadline=None)


@st.composite
def counted(draw: st.DrawFn) -> Counts:
    good = draw(st.integers(0, 400))
    statuses = {200: good, 424: draw(st.integers(0, 30)), 503: draw(st.integers(0, 10))}
    middle = draw(st.none() | st.floats(5, 2000))
    latency = None if middle is None else Latency(middle, 2 * middle, 3 * middle, 4 * middle)
    return Counts(statuses, latency)


@st.composite
def trials(draw: st.DrawFn) -> tuple[Minute, ...]:
    arms = draw(st.lists(st.tuples(st.none() | counted(), st.none() | counted()), max_size=12))
    shares = sorted(draw(st.lists(st.sampled_from([5, 25, 50]), min_size=12, max_size=12)))
    return tuple(
        Minute(NOON + at * MINUTE, shares[at], canary, baseline)
        for at, (canary, baseline) in enumerate(arms)
    )


tables = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300), st.floats(0, 1), st.floats(0, 1)).map(
        lambda row: Split(row[0], int(row[0] * row[2]), row[1], int(row[1] * row[3]))
    ),
    max_size=20,
)


@FEW
@given(trials(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(trial: tuple[Minute, ...], random: object) -> None:
    shuffled = [*trial, *trial[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert judge(Samples(tuple(shuffled)), GUARDS, Terms()) == judge(
        Samples(trial), GUARDS, Terms()
    )


@FEW
@given(trials(), st.integers(0, 11))
def test_a_late_minute_is_as_good_as_one_in_time(trial: tuple[Minute, ...], late: int) -> None:
    gap = [one._replace(canary=None, baseline=None) for one in trial[late : late + 1]]
    before = (*trial[:late], *gap, *trial[late + 1 :])

    judge(Samples(before), GUARDS, Terms())
    arrived = judge(Samples((*before, *trial[late : late + 1])), GUARDS, Terms())

    assert arrived == judge(Samples(trial), GUARDS, Terms())


@FEW
@given(trials())
def test_every_report_survives_json(trial: tuple[Minute, ...]) -> None:
    adapter = TypeAdapter(Report)
    report = judge(Samples(trial), GUARDS, Terms())

    text = adapter.dump_json(report)

    assert "NaN" not in text.decode()
    assert json.loads(text)
    assert adapter.validate_json(text) == report


@FEW
@given(trials())
def test_no_data_is_never_a_pass(trial: tuple[Minute, ...]) -> None:
    silent = tuple(one._replace(canary=None) for one in trial)

    assert all(
        finding.verdict is Verdict.NOT_MEASURED
        for finding in judge(Samples(silent), GUARDS, Terms()).findings
    )


@FEW
@given(trials())
def test_a_failure_once_found_is_found_at_every_later_look(trial: tuple[Minute, ...]) -> None:
    looks = [judge(Samples(trial[:end]), GUARDS, Terms()) for end in range(len(trial) + 1)]
    exact = [[look.findings[at].verdict is Verdict.FAIL for look in looks] for at in (0, 1, 2, 4)]

    assert all(failed == sorted(failed) for failed in exact)


@FEW
@given(tables, st.floats(0.0001, 0.2))
def test_the_evidence_so_far_does_not_depend_on_what_comes(table: list[Split], rate: float) -> None:
    whole = weigh(table, Past(rate), Margin(1.25, 0.0005), (2, None))
    half = weigh(table[: len(table) // 2], Past(rate), Margin(1.25, 0.0005), (2, None))

    assert whole.ln_e[: len(half.ln_e)] == half.ln_e
    assert all(math.isfinite(ln_e) for ln_e in whole.ln_e)
    assert all(phi >= 1 for phi in whole.phi)


@FEW
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 50)), max_size=60))
def test_the_past_is_always_a_rate_and_a_dispersion(past: list[tuple[int, int]]) -> None:
    learnt = learn([(max(n, x), x) for n, x in past])

    assert 1 <= learnt.phi <= 15
    assert learnt.rate is None or 0 < learnt.rate <= 1


@FEW
@given(st.integers(1, 300), st.integers(1, 300))
def test_failures_of_the_baseline_alone_are_no_evidence_against_the_canary(
    requests: int, failures: int
) -> None:
    good = Split(requests, 0, 400, failures)

    steps = _steps(good, Margin(1.25, 0.0005), 0.01)

    assert max(steps) <= 0


@FEW
@given(st.lists(st.tuples(st.integers(20, 200), st.floats(0, 1)), min_size=1, max_size=20))
def test_equal_arms_never_fail_whatever_happens_to_both(outages: list[tuple[int, float]]) -> None:
    table = [Split(n, int(n * rate), 19 * n, 19 * int(n * rate)) for n, rate in outages]

    trace = weigh(table, Past(0.005), Margin(), ())

    assert trace.most < math.log(2)
