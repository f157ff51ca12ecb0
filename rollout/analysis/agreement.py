"""Guards on pairs: whether the arms answer the same requests alike, and whether scores drift."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from rollout.analysis.case import Case
from rollout.analysis.pairs import Flips, Wealth, class_flips, disagreement, drift
from rollout.analysis.report import Arm, Evidence, Finding, Kind, Metric, Verdict
from rollout.analysis.samples import Pairs
from rollout.analysis.threshold import WARNING
from rollout.analysis.words import against, count, figures, percent, wanting

CLIP = 0.1
"""A score difference counts at most so much: a few wild pairs do not decide."""

Trace = Sequence[float]


def compare_answers(case: Case) -> Finding:
    """Judge what a prober or the log saw of both arms; without it nothing is measured."""
    pairs, metric = case.ground.pairs, case.guard.metric
    seen = sum(_SEEN[metric](one) for one in pairs)
    ln_e = list(_TRACES[metric](case)) if seen else [0.0]
    evidence = Evidence(
        kind=Kind.PAIRS,
        ln_e=ln_e[-1],
        ln_e_most=max(0.0, *ln_e),
        threshold=case.threshold(1.0) - math.log(case.stake),
        minutes_used=len(pairs),
        watermark=pairs[-1].at if pairs else None,
        requests_needed=max(0, case.terms.least_requests - seen),
    )
    told = f"{_TOLD[metric](case)}, same {count(len(pairs), 'minute')}" if seen else ""
    verdict, because = _verdict(case, evidence, seen, told)
    differing = sum(one.disagreeing for one in pairs)
    is_rate = metric is Metric.DISAGREEMENT_RATE and seen > 0
    value, bad = (differing / seen, differing) if is_rate else (None, None)
    arm = Arm(seen, value, bad)
    return Finding(case.guard, verdict, because, arm, None, len(pairs), evidence)


def _verdict(case: Case, evidence: Evidence, seen: int, told: str) -> tuple[Verdict, str]:
    if not seen:
        return Verdict.NOT_MEASURED, "no answer of both arms was compared"
    if evidence.enough:
        return Verdict.FAIL, f"{told}; {against(evidence)}"
    if evidence.requests_needed:
        few = wanting(seen, case.terms.least_requests, evidence.minutes_used, "answers")
        return Verdict.INCONCLUSIVE, f"{few}; {told}"
    if evidence.ln_e >= WARNING:
        return Verdict.INCONCLUSIVE, f"{told}; {against(evidence)}"
    if _more_than_allowed(case):
        return Verdict.INCONCLUSIVE, f"{told}; that may be chance, more answers tell"
    return Verdict.PASS, f"{told}: nothing speaks against it"


def _more_than_allowed(case: Case) -> bool:
    """Pairs are cheap: where more differ than may, nothing passes for want of evidence."""
    compared = sum(one.compared for one in case.ground.pairs)
    differing = sum(one.disagreeing for one in case.ground.pairs)
    allowed = case.guard.at_most
    is_rate = case.guard.metric is Metric.DISAGREEMENT_RATE
    return is_rate and allowed is not None and differing > allowed * compared


# -- the evidence after each minute -----------------------------------------------------------


def _disagreements(case: Case) -> Iterator[float]:
    compared = accumulate(one.compared for one in case.ground.pairs)
    differing = accumulate(one.disagreeing for one in case.ground.pairs)
    for pairs, differ in zip(compared, differing, strict=True):
        yield disagreement(pairs, differ, case.guard.at_most or 0.0)


def _differences(case: Case) -> Iterator[float]:
    wealth = Wealth(CLIP, case.guard.at_most or 0.0)
    for one in case.ground.pairs:
        wealth.add(one.differences)
        yield wealth.ln_e


def _flips(case: Case) -> Iterator[float]:
    up = accumulate(one.up for one in case.ground.pairs)
    down = accumulate(one.down for one in case.ground.pairs)
    for more, less in zip(up, down, strict=True):
        yield class_flips(Flips(more, less))


def _histograms(case: Case) -> Iterator[float]:
    """Minutes are compared one by one: scores wander with the hour, in both arms alike."""
    total = 0.0
    usual: dict[float, int] = dict(case.ground.usual_scores)
    for one in case.ground.pairs:
        total += drift(one.canary_scores, one.baseline_scores, usual)
        for score, number in one.baseline_scores.items():
            usual[score] = usual.get(score, 0) + number
        yield total


_TRACES: Mapping[Metric, Callable[[Case], Iterator[float]]] = {
    Metric.DISAGREEMENT_RATE: _disagreements,
    Metric.SCORE_DRIFT: _differences,
    Metric.CLASS_FLIPS: _flips,
    Metric.SCORE_HISTOGRAM: _histograms,
}
_SEEN: Mapping[Metric, Callable[[Pairs], int]] = {
    Metric.DISAGREEMENT_RATE: lambda one: one.compared,
    Metric.SCORE_DRIFT: lambda one: len(one.differences),
    Metric.CLASS_FLIPS: lambda one: one.compared,
    Metric.SCORE_HISTOGRAM: lambda one: min(one.scored_by_canary, one.scored_by_baseline),
}


# -- in words ---------------------------------------------------------------------------------


def _disagreement_told(case: Case) -> str:
    pairs = case.ground.pairs
    compared, differ = sum(one.compared for one in pairs), sum(one.disagreeing for one in pairs)
    allowed = percent(case.guard.at_most or 0.0)
    part = percent(differ / compared)
    return f"{differ} of {compared} answers differ ({part}), {allowed} allowed"


def _drift_told(case: Case) -> str:
    known = [max(-CLIP, min(CLIP, d)) for one in case.ground.pairs for d in one.differences]
    moved = sum(known) / len(known)
    way = "higher" if moved >= 0 else "lower"
    allowed = figures(case.guard.at_most or 0.0)
    return f"scores are {figures(abs(moved))} {way} in {len(known)} pairs, {allowed} allowed"


def _flips_told(case: Case) -> str:
    up, down = sum(one.up for one in case.ground.pairs), sum(one.down for one in case.ground.pairs)
    return f"{up} answers turned to yes and {down} to no"


def _histogram_told(case: Case) -> str:
    mine, theirs = (
        sum(score * n for score, n in arm.items()) / sum(arm.values())
        for arm in (
            _pooled(one.canary_scores for one in case.ground.pairs),
            _pooled(one.baseline_scores for one in case.ground.pairs),
        )
    )
    average = f"the canary's scores are {figures(mine, 3)} on average"
    return f"{average}, the baseline's {figures(theirs, 3)}"


def _pooled(bins: Iterator[Mapping[float, int]]) -> dict[float, int]:
    whole: dict[float, int] = {}
    for one in bins:
        for score, number in one.items():
            whole[score] = whole.get(score, 0) + number
    return whole


_TOLD: Mapping[Metric, Callable[[Case], str]] = {
    Metric.DISAGREEMENT_RATE: _disagreement_told,
    Metric.SCORE_DRIFT: _drift_told,
    Metric.CLASS_FLIPS: _flips_told,
    Metric.SCORE_HISTOGRAM: _histogram_told,
}
