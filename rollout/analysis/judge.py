"""The judge: counts in, a verdict with its numbers and reasons out; the same whenever asked again.

Everything is recomputed from all minutes at every look. So minutes that came late, twice, in
another order or were revised, and a restart of the process, cannot change what is found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from rollout.analysis.absolute import hold_latency, hold_rate, may_be_above, may_be_slow
from rollout.analysis.agreement import compare_answers
from rollout.analysis.case import Case, Terms, in_order
from rollout.analysis.compare_latencies import compare_latencies, may_be_slower
from rollout.analysis.compare_rates import compare_rates, may_reach
from rollout.analysis.full_share import at_full_share
from rollout.analysis.ground import Ground
from rollout.analysis.readings import hold_custom
from rollout.analysis.report import ANSWERS, Finding, Guard, Metric, Report, Verdict
from rollout.analysis.samples import Samples
from rollout.analysis.threshold import relative, stakes

__all__ = ["Terms", "at_full_share", "judge", "judge_since"]

# fmt: off
TESTS: Mapping[Metric, tuple[Callable[[Case], Finding], Callable[[Case], Finding]]] = {
    Metric.ERROR_RATE:       (compare_rates,     hold_rate),
    Metric.UNAVAILABLE_RATE: (compare_rates,     hold_rate),
    Metric.PLATFORM_RATE:    (compare_rates,     hold_rate),
    Metric.LATENCY_P50:      (compare_latencies, hold_latency),
    Metric.LATENCY_P90:      (compare_latencies, hold_latency),
    Metric.LATENCY_P95:      (compare_latencies, hold_latency),
    Metric.LATENCY_P99:      (compare_latencies, hold_latency),
    Metric.CUSTOM:           (compare_rates,     hold_custom),
    Metric.DISAGREEMENT_RATE: (compare_answers,  compare_answers),
    Metric.SCORE_DRIFT:      (compare_answers,   compare_answers),
    Metric.CLASS_FLIPS:      (compare_answers,   compare_answers),
    Metric.SCORE_HISTOGRAM:  (compare_answers,   compare_answers),
}
# fmt: on
BOUNDS: Mapping[Callable[[Case], Finding], Callable[[Case], bool]] = {
    compare_rates: may_reach,
    compare_latencies: may_be_slower,
    hold_rate: may_be_above,
    hold_latency: may_be_slow,
}
"""Whether a test may fail at all, by what costs little; the others always may."""


def judge(
    samples: Samples,
    guards: Sequence[Guard],
    terms: Terms,
    custom: Mapping[str, Samples] = MappingProxyType({}),
) -> Report:
    """Find what each guard says of the samples, in the guards' order.

    A relative guard fails when its evidence has ever reached what was asked for; is inconclusive
    while an arm has answered too few requests or the evidence is a warning (5 : 1); and passes
    when nothing speaks against the canary. `evidence.proved` tells a pass that shows the canary to
    be within the margin from one that only found nothing. An arm that answers nothing is not
    measured. The guards of one severity share the risk of a false alarm (`threshold.stakes`).
    A custom guard is judged by the same tests on samples of its own, found by its name.
    """
    return Report(tuple(_found(case) for case in _cases(_whole(samples), guards, terms, custom)))


def judge_since(
    samples: Samples,
    since: datetime,
    guards: Sequence[Guard],
    terms: Terms,
    custom: Mapping[str, Samples] = MappingProxyType({}),
) -> Report:
    """Judge what counts from a time on, without forgetting what failed before it.

    A guard fails on all the minutes, or on those since then; it passes only with those. Pairs count
    all along: what both arms answer to the same request does not hang on the share.
    """
    whole = _whole(samples)
    here = whole.since(since)
    own = {name: _samples_since(one, since) for name, one in custom.items()}
    found = [_found(case) for case in _cases(here, guards, terms, own)]
    if (here.minutes, own) == (whole.minutes, custom):
        return Report(tuple(found))
    cases = _cases(whole, guards, terms, custom)
    return Report(tuple(map(_unforgotten, cases, found)))


def _unforgotten(case: Case, found: Finding) -> Finding:
    """What was found of a part of the minutes, unless the whole case has failed."""
    if found.verdict is not Verdict.FAIL and not _may_fail(case):
        return found
    failed = _found(replace(case, brief=True)).verdict is Verdict.FAIL
    return _found(case) if failed else found


def _may_fail(case: Case) -> bool:
    """Whether it is worth a look: most minutes of most rollouts are nowhere near a failure."""
    compare, hold = (BOUNDS.get(test, _unbounded) for test in TESTS[case.guard.metric])
    if not relative(case.guard):
        return hold(case)
    if case.guard.at_most is None or case.guard.metric in ANSWERS:
        return compare(case)
    beside, alone = _halves(case)
    return compare(beside) or hold(alone)


def _unbounded(_case: Case) -> bool:
    return True


def _whole(samples: Samples) -> Ground:
    """Oldest first; of a minute that comes twice the last counts."""
    pairs = {one.at: one for one in samples.pairs}
    known = [pairs[at] for at in sorted(pairs)]
    minutes, history = in_order(samples.minutes), in_order(samples.history)
    return Ground(minutes, history, known, samples.usual_scores)


def _samples_since(samples: Samples, since: datetime) -> Samples:
    return replace(samples, minutes=tuple(one for one in samples.minutes if one.at >= since))


def _cases(
    ground: Ground, guards: Sequence[Guard], terms: Terms, custom: Mapping[str, Samples]
) -> list[Case]:
    return [
        Case(guard, _own(guard, custom) if guard.custom else ground, terms, part)
        for guard, part in zip(guards, stakes(guards), strict=True)
    ]


def _own(guard: Guard, custom: Mapping[str, Samples]) -> Ground:
    return _whole(custom.get(guard.title, Samples()))


def _found(case: Case) -> Finding:
    finding = _tested(case)
    if not case.guard.custom:
        return finding
    return replace(finding, because=f"{case.guard.title}: {finding.because}")


def _tested(case: Case) -> Finding:
    compare, hold = TESTS[case.guard.metric]
    if not relative(case.guard):
        return hold(case)
    if case.guard.at_most is None or case.guard.metric in ANSWERS:
        return compare(case)
    return _of_both(case, compare, hold)


def _of_both(
    case: Case, compare: Callable[[Case], Finding], hold: Callable[[Case], Finding]
) -> Finding:
    """Compare in minutes with a baseline, hold to the limit in the others (`at_full_share`)."""
    beside, alone = _halves(case)
    compared = compare(beside)
    if not alone.minutes or compared.verdict is Verdict.FAIL:
        return compared
    return hold(alone)


def _halves(case: Case) -> tuple[Case, Case]:
    """The minutes with a baseline and those without, each with half of the stake."""
    half = replace(case, stake=case.stake / 2)
    return replace(half, ground=case.ground.beside), replace(half, ground=case.ground.alone)
