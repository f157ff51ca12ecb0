"""Relative latency guards: histograms where both arms have them, else the minutes' percentiles."""

import math
from collections.abc import Sequence

from rollout.analysis.case import Case
from rollout.analysis.excess import Trace
from rollout.analysis.report import Arm, Evidence, Finding, Kind, Metric, Verdict
from rollout.analysis.samples import Counts, Minute
from rollout.analysis.slowness import (
    REQUESTS_LEAST,
    Heard,
    beyond,
    heard,
    pooled,
    weigh_histograms,
    weigh_percentiles,
)
from rollout.analysis.split import NOTHING
from rollout.analysis.threshold import WARNING
from rollout.analysis.words import against, latencies, times, wanting


def compare_latencies(case: Case) -> Finding:
    """Judge a latency quantile; which evidence is used is said in `evidence.kind`."""
    minutes = [one for one in case.minutes if _has_rows(one)]
    if minutes:
        return _by_histograms(case, minutes)
    return _by_percentiles(case)


def may_be_slower(case: Case) -> bool:
    """Whether the evidence may have reached what is asked for, by a bound that costs little.

    Percentiles that were within the margin in every minute have never spoken against the canary.
    """
    pairs = [(one.canary, one.baseline) for one in case.minutes if one.canary and one.baseline]
    if _enough(case) <= 0 or any(canary.bins and baseline.bins for canary, baseline in pairs):
        return True
    known = [(canary.latency, baseline.latency) for canary, baseline in pairs]
    told = [(canary, baseline) for canary, baseline in known if canary and baseline]
    return beyond(told, _allowed(case), case.guard.metric)


def _has_rows(minute: Minute) -> bool:
    return bool(minute.canary and minute.canary.bins and minute.baseline and minute.baseline.bins)


def _by_histograms(case: Case, minutes: Sequence[Minute]) -> Finding:
    pairs = [(_bins(one.canary), _bins(one.baseline)) for one in minutes]
    past = [_bins(one.baseline) for one in case.history]
    metric = case.guard.metric
    trace = weigh_histograms(pairs, past, _allowed(case), metric)
    canary, baseline = (pooled(arm, metric) for arm in zip(*pairs, strict=True))
    return _finding(case, Kind.HISTOGRAMS, (trace, len(pairs)), canary, baseline)


def _bins(counts: Counts | None) -> dict[int, int]:
    return dict((counts or NOTHING).bins or {})


def _by_percentiles(case: Case) -> Finding:
    pairs = _heard(case)
    trace = weigh_percentiles(pairs, _allowed(case), case.guard.metric)
    canary = averaged([one for one, _ in pairs], case.guard.metric)
    baseline = averaged([one for _, one in pairs], case.guard.metric)
    return _finding(case, Kind.PERCENTILES, (trace, len(pairs)), canary, baseline)


def _heard(case: Case) -> Sequence[tuple[Heard, Heard]]:
    both = [(heard(one.canary), heard(one.baseline)) for one in case.minutes]
    return [(canary, baseline) for canary, baseline in both if canary and baseline]


def _allowed(case: Case) -> float:
    return case.guard.worse_by_ratio or 1.0


def _enough(case: Case) -> float:
    return case.threshold(1.0) - math.log(case.stake)


def averaged(arm: Sequence[Heard], metric: Metric) -> Arm:
    """The mean of the minutes' percentiles by requests: percentiles cannot be pooled."""
    name = metric.removeprefix("latency_")
    known = [(one.requests, value) for one in arm if (value := getattr(one.latency, name))]
    requests = sum([n for n, _ in known])
    value = sum([n * each for n, each in known]) / requests if requests else None
    return Arm(sum([one.requests for one in arm]), value)


def _finding(
    case: Case, kind: Kind, weighed: tuple[Trace, int], canary: Arm, baseline: Arm
) -> Finding:
    (trace, used), least = weighed, case.terms.least_requests
    evidence = Evidence(
        kind=kind,
        ln_e=trace.now,
        ln_e_most=trace.most,
        threshold=_enough(case),
        ratio=canary.value / baseline.value if canary.value and baseline.value else None,
        phi=trace.phi[-1] if trace.phi else 1.0,
        minutes_used=used,
        watermark=case.watermark,
        requests_needed=max(0, least - min(canary.requests, baseline.requests)),
    )
    verdict, why = _verdict(case, evidence, canary, baseline)
    told = latencies(case.guard.metric, canary, baseline, used)
    if why:
        told = f"{why}; {told}" if used else why
    elif verdict is Verdict.PASS:
        told = f"{told}: nothing speaks against it"
    else:
        told = f"{told}: {times(evidence, 'long')}; {against(evidence)}"
    return Finding(case.guard, verdict, told, canary, baseline, used, evidence)


def _verdict(case: Case, evidence: Evidence, canary: Arm, baseline: Arm) -> tuple[Verdict, str]:
    if evidence.enough:
        return Verdict.FAIL, ""
    silent = case.ground.canary_silent or case.ground.baseline_silent
    if silent:
        return Verdict.NOT_MEASURED, silent
    if not evidence.minutes_used:
        return _nothing_to_compare(case)
    if evidence.requests_needed:
        arm, have = min(("canary", canary.requests), ("baseline", baseline.requests), key=_second)
        told = wanting(have, case.terms.least_requests, evidence.minutes_used)
        return Verdict.INCONCLUSIVE, f"{arm} {told}"
    return (Verdict.INCONCLUSIVE if evidence.ln_e >= WARNING else Verdict.PASS), ""


def _second(pair: tuple[str, int]) -> int:
    return pair[1]


def _nothing_to_compare(case: Case) -> tuple[Verdict, str]:
    """Latencies are missing, or the minutes are too thin for them."""
    if any(_has_latency(one.canary) and _has_latency(one.baseline) for one in case.minutes):
        few = f"no minute with {REQUESTS_LEAST} requests in both arms yet"
        return Verdict.INCONCLUSIVE, f"too thin to compare latencies: {few}"
    return Verdict.NOT_MEASURED, "no minute has latencies of both arms"


def _has_latency(counts: Counts | None) -> bool:
    return counts is not None and counts.latency is not None and counts.latency.p50 is not None
