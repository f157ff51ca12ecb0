"""Relative guards: the canary's rate or latency against the baseline's in the same minutes."""

import math

from rollout.analysis import excess
from rollout.analysis.case import Case
from rollout.analysis.dispersion import Past
from rollout.analysis.excess import Margin, Reached, reached
from rollout.analysis.ground import Rates
from rollout.analysis.report import Arm, Evidence, Finding, Guard, Kind, Metric, Verdict
from rollout.analysis.split import Split
from rollout.analysis.threshold import WARNING
from rollout.analysis.words import against, rates, shown, times, wanting


def margin(guard: Guard) -> Margin:
    return Margin(guard.worse_by_ratio or 1.0, guard.worse_by_points or 0.0)


def compare_rates(case: Case) -> Finding:
    """Judge a rate by how each minute's bad answers split between the arms (`excess.weigh`)."""
    rates_of = case.ground.rates(case.terms.statuses(case.guard.metric))
    both, paired = rates_of.both, rates_of.paired
    found = reached(margin(case.guard), case.restarts, rates_of.scatter)
    evidence = _evidence(case, found, rates_of)
    canary, baseline = _arm(both.canary, both.canary_bad), _arm(both.baseline, both.baseline_bad)
    verdict, why = _verdict(case, evidence, both)
    counted = rates(case.guard.metric, canary, baseline, len(paired))
    told = _told(why, counted, f"{counted}: {times(evidence, 'often')}; ", evidence, verdict)
    return Finding(case.guard, verdict, told, canary, baseline, len(paired), evidence)


def may_reach(case: Case) -> bool:
    """Whether the evidence may have reached what is asked for, by a bound that costs little."""
    rates_of = case.ground.rates(case.terms.statuses(case.guard.metric))
    enough, allowed = _enough(case, rates_of.past), margin(case.guard)
    if enough > excess.ROUNDING and not rates_of.canary_fails:
        return False
    return excess.may_reach(enough, allowed, case.restarts, rates_of.scatter)


def _enough(case: Case, past: Past) -> float:
    return case.threshold(past.phi) - math.log(case.stake)


def _evidence(case: Case, found: Reached, rates_of: Rates) -> Evidence:
    past, both = rates_of.past, rates_of.both
    bound = 1.0 if case.brief else rates_of.excess_bound
    usual = _usual(past, both)
    allowed = _allowed(case.guard, usual)
    low, high = (0.0, None) if case.brief else rates_of.ratio_interval
    return Evidence(
        kind=Kind.SPLITS,
        ln_e=found.now,
        ln_e_most=found.most,
        threshold=_enough(case, past),
        ratio=_ratio(both),
        ratio_low=low,
        ratio_high=high,
        phi=rates_of.phi,
        excess_bound=bound,
        excess_bound_so_far=_so_far(case),
        excess_allowed=allowed,
        proved=bound <= allowed,
        minutes_used=len(rates_of.paired),
        watermark=case.watermark,
        requests_needed=max(0, case.terms.least_requests - min(both.canary, both.baseline)),
        usual_rate=usual,
    )


def _so_far(case: Case) -> float | None:
    """The bound over the whole trial, of which only a part may be judged."""
    if case.brief or not case.terms.paced or case.guard.metric is not Metric.ERROR_RATE:
        return None
    return case.ground.whole.rates(case.terms.statuses(case.guard.metric)).excess_bound


def _arm(requests: int, bad: int) -> Arm:
    return Arm(requests, bad / requests if requests else None, bad)


def _ratio(both: Split) -> float | None:
    if not both.baseline_bad or not both.canary:
        return None
    return both.canary_bad / both.canary / (both.baseline_bad / both.baseline)


def _usual(past: Past, both: Split) -> float:
    """The baseline's rate before the rollout; where nothing is known of that, beside it."""
    return past.rate if past.rate is not None else both.baseline_bad / max(1, both.baseline)


def _allowed(guard: Guard, usual: float) -> float:
    """The margin in points, at the baseline's usual rate."""
    ratio, points = margin(guard)
    return (ratio - 1) * usual + points


def _verdict(case: Case, evidence: Evidence, both: Split) -> tuple[Verdict, str]:
    """The first that holds: enough evidence, no answers, too few, a warning; else a pass."""
    if evidence.enough:
        return Verdict.FAIL, ""
    silent = case.ground.canary_silent or case.ground.baseline_silent
    if silent:
        return Verdict.NOT_MEASURED, silent
    if evidence.requests_needed:
        return Verdict.INCONCLUSIVE, _too_few(case, both, evidence.minutes_used)
    if evidence.ln_e >= WARNING:
        return Verdict.INCONCLUSIVE, ""
    return Verdict.PASS, ""


def _too_few(case: Case, both: Split, minutes: int) -> str:
    arm = "canary" if both.canary <= both.baseline else "baseline"
    have, least = min(both.canary, both.baseline), case.terms.least_requests
    return f"{arm} {wanting(have, least, minutes)}"


def _told(why: str, counted: str, compared: str, evidence: Evidence, verdict: Verdict) -> str:
    if why:
        return f"{why}; {counted}" if evidence.minutes_used else why
    if verdict is Verdict.PASS:
        return f"{counted}: {shown(evidence)}"
    return f"{compared}{against(evidence)}"
