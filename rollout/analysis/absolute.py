"""Absolute guards: the canary's own numbers against a limit, with or without a baseline."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import NamedTuple

from rollout.analysis.case import Case
from rollout.analysis.compare_latencies import averaged
from rollout.analysis.limit import Tally, surely_within, weigh_limit
from rollout.analysis.report import Arm, Evidence, Finding, Kind, Verdict
from rollout.analysis.slowness import BIN, FIRST_BIN_MS, QUANTILES, heard, pooled
from rollout.analysis.threshold import WARNING
from rollout.analysis.words import against, count, figures, milliseconds, percent, rate, wanting

MINUTES_LOOKED_AT = 10
MINUTES_ABOVE = 3
PART_ABOVE = 0.5
PART_SUSPECT = 0.2


def hold_rate(case: Case) -> Finding:
    """Judge the canary's rate against "at most", by a test that may be looked at any time."""
    rates_of = case.ground.rates(case.terms.statuses(case.guard.metric))
    tallies = [(one.canary, one.canary_bad) for one in rates_of.table]
    limit = _limit(case)
    requests, bad = sum(n for n, _ in tallies), sum(x for _, x in tallies)
    arm = Arm(requests, bad / requests if requests else None, bad)
    told = f"canary {rate(arm, case.guard.metric)}, {percent(limit)} allowed"
    return _tested(case, _Test(tallies, limit, rates_of.past.phi), arm, told)


def may_be_above(case: Case) -> bool:
    """Whether a rate may fail: good answers alone never speak against the canary."""
    return case.ground.rates(case.terms.statuses(case.guard.metric)).canary_fails


def _limit(case: Case) -> float:
    assert case.guard.at_most is not None, case.guard
    return case.guard.at_most


def hold_latency(case: Case) -> Finding:
    """With histograms test the part of the answers that is slower; else count minutes above."""
    rows = [one.canary.bins for one in case.minutes if one.canary and one.canary.bins]
    return _by_rows(case, rows) if rows else _by_minutes(case)


def may_be_slow(case: Case) -> bool:
    """Whether a latency may fail: by the rule of minutes not with fewer than three above."""
    limit, value = _limit(case), attrgetter(_name(case))
    arms = [one.canary for one in case.minutes if one.canary]
    above = [one for one in arms if one.latency and (value(one.latency) or 0.0) > limit]
    return len(above) >= MINUTES_ABOVE or any(one.bins for one in arms)


# -- tests -------------------------------------------------------------------------------------


class _Test(NamedTuple):
    tallies: Sequence[Tally]
    limit: float
    phi: float


def _tested(case: Case, test: _Test, arm: Arm, counted: str) -> Finding:
    trace = weigh_limit(*test)
    phi = trace.phi[-1] if trace.phi else test.phi
    evidence = Evidence(
        kind=Kind.LIMIT,
        ln_e=trace.now,
        ln_e_most=trace.most,
        threshold=case.threshold(test.phi) - math.log(case.stake),
        phi=phi,
        proved=surely_within(test.tallies, test.limit, phi),
        minutes_used=len(test.tallies),
        watermark=case.watermark,
        requests_needed=max(0, case.terms.least_requests_absolute - arm.requests),
    )
    verdict, told = _verdict(case, evidence, arm, counted)
    return Finding(case.guard, verdict, told, arm, None, len(test.tallies), evidence)


def _verdict(case: Case, evidence: Evidence, arm: Arm, counted: str) -> tuple[Verdict, str]:
    if evidence.enough:
        return Verdict.FAIL, f"{counted}: {against(evidence)}"
    silent = case.ground.canary_silent
    if silent:
        return Verdict.NOT_MEASURED, silent
    if evidence.requests_needed:
        least = case.terms.least_requests_absolute
        few = wanting(arm.requests, least, evidence.minutes_used)
        return Verdict.INCONCLUSIVE, f"canary {few}; {counted}"
    if evidence.ln_e >= WARNING:
        return Verdict.INCONCLUSIVE, f"{counted}: {against(evidence)}"
    sure = "surely within it" if evidence.proved else "nothing says it is above"
    return Verdict.PASS, f"{counted}: {sure}"


def _by_rows(case: Case, rows: Sequence[Mapping[int, int]]) -> Finding:
    """A quantile is at most a limit if no more than the rest of the answers are slower."""
    limit, quantile = _limit(case), QUANTILES[case.guard.metric]
    first = math.ceil(math.log(max(limit, FIRST_BIN_MS) / FIRST_BIN_MS) / math.log(BIN) - 1e-9)
    tallies = [(sum(bins.values()), sum(n for k, n in bins.items() if k >= first)) for bins in rows]
    arm = pooled(rows, case.guard.metric)
    slower, part = sum(x for _, x in tallies), percent(1 - quantile)
    told = (
        f"canary {_name(case)} {milliseconds(arm)}, {figures(limit, 3)} ms allowed: {slower} of"
        f" {arm.requests} slower, {part} allowed"
    )
    return _tested(case, _Test(tallies, 1 - quantile, 1.0), arm, told)


def _name(case: Case) -> str:
    return case.guard.metric.removeprefix("latency_")


# -- a rule ------------------------------------------------------------------------------------


def _by_minutes(case: Case) -> Finding:
    """Fail when half of the requests of ten minutes were in minutes above the limit, 3 at least.

    Percentiles of minutes cannot be pooled nor tested; this is a rule of thumb and says so. It is
    asked after every minute, so what has failed once stays failed.
    """
    arms = [one for each in case.minutes if (one := heard(each.canary))]
    arm, limit = averaged(arms, case.guard.metric), _limit(case)
    told = [(one.requests, getattr(one.latency, _name(case))) for one in arms]
    minutes = [(requests, value > limit) for requests, value in told if value]
    failed = next((look for look in _looks(minutes) if _is_above(look)), None)
    last = failed or minutes[-MINUTES_LOOKED_AT:]
    evidence = Evidence(
        kind=Kind.MINUTES,
        ln_e=0.0,
        ln_e_most=0.0,
        threshold=case.threshold(1.0),
        minutes_used=len(minutes),
        watermark=case.watermark,
        requests_needed=max(0, case.terms.least_requests_absolute - arm.requests),
    )
    finding = Finding(case.guard, Verdict.FAIL, "", arm, None, len(minutes), evidence)
    verdict, why = (Verdict.FAIL, "") if failed else _by_rule(case, finding, last)
    above = sum(high for _, high in last)
    counted = (
        f"canary {_name(case)} {milliseconds(arm)}, {figures(limit, 3)} ms allowed: above it in"
        f" {above} of {count(len(last), 'minute')} ({percent(_part(last))} of the requests)"
    )
    return replace(finding, verdict=verdict, because=why or counted)


def _looks(minutes: Sequence[tuple[int, bool]]) -> Iterator[Sequence[tuple[int, bool]]]:
    """What is looked at after each minute; nothing, where too few were above for any to fail."""
    if sum([high for _, high in minutes]) >= MINUTES_ABOVE:
        for end in range(1, len(minutes) + 1):
            yield minutes[max(0, end - MINUTES_LOOKED_AT) : end]


def _part(look: Sequence[tuple[int, bool]]) -> float:
    return sum(n for n, high in look if high) / max(1, sum(n for n, _ in look))


def _is_above(look: Sequence[tuple[int, bool]]) -> bool:
    return sum(high for _, high in look) >= MINUTES_ABOVE and _part(look) >= PART_ABOVE


def _by_rule(case: Case, finding: Finding, last: Sequence[tuple[int, bool]]) -> tuple[Verdict, str]:
    silent = case.ground.canary_silent
    if silent:
        return Verdict.NOT_MEASURED, silent
    if not any(one.canary and one.canary.latency for one in case.minutes):
        return Verdict.NOT_MEASURED, "no minute has latencies of the canary"
    least = case.terms.least_requests_absolute
    if finding.canary.requests < least:
        few = wanting(finding.canary.requests, least, finding.minutes)
        return Verdict.INCONCLUSIVE, f"canary {few}"
    if len(last) < MINUTES_ABOVE:
        return Verdict.INCONCLUSIVE, wanting(len(last), MINUTES_ABOVE, len(last), "minutes")
    return (Verdict.INCONCLUSIVE if _part(last) > PART_SUSPECT else Verdict.PASS), ""
