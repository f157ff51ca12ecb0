"""The judge's report on a rollout's minutes, and the load that they show."""

from collections.abc import Mapping
from dataclasses import replace

from rollout.analysis.capacity import Load
from rollout.analysis.judge import Terms, at_full_share, judge_since
from rollout.analysis.report import Guard, Report
from rollout.analysis.samples import Counts
from rollout.analysis.samples import Samples as Counted
from rollout.analysis.slowness import mean_ms
from rollout.core.patience import TooLittle
from rollout.core.policy import Kind, planned_minutes
from rollout.core.rollout import Rollout
from rollout.measuring.minutes import stage_begins
from rollout.ports import Minutes

LOAD_MINUTES = 5

Custom = Mapping[str, Counted]
"""The samples of custom guards, by their names."""


def judged(rollout: Rollout, counted: Counted, custom: Custom, *, managed: bool) -> Report:
    """A guard fails on all the evidence; it passes only with the present stage's own minutes."""
    guards = rollout.policy.guards
    if rollout.here.kind is Kind.BAKE or rollout.baseline is None:
        guards = _at_full_share(guards, counted, custom)
    terms = _terms(rollout, managed=managed)
    return judge_since(counted, stage_begins(rollout), guards, terms, custom)


def _at_full_share(
    guards: tuple[Guard, ...], counted: Counted, custom: Custom
) -> tuple[Guard, ...]:
    """Each guard by its own past."""
    pasts = [custom.get(one.title, Counted()) if one.custom else counted for one in guards]
    return tuple(
        limited
        for guard, past in zip(guards, pasts, strict=True)
        for limited in at_full_share([guard], past)
    )


def _terms(rollout: Rollout, *, managed: bool) -> Terms:
    policy = rollout.policy
    terms = Terms(
        planned_minutes=planned_minutes(rollout.stages),
        kubernetes=not managed,
        strict=policy.strict,
        paced=policy.pace == "adaptive" or policy.too_little.then is TooLittle.NOTCH,
    )
    return replace(terms, errors=policy.errors) if policy.errors else terms


def load(rollout: Rollout, read: Minutes) -> Load | None:
    """What the endpoint's users ask for, and how long an answer takes; copies do not count."""
    latest = [read[at] for at in sorted(read)[-LOAD_MINUTES:]]
    live = [
        counts
        for arms in latest
        for name, counts in arms.items()
        if name not in rollout.observed.mirror
    ]
    known = [ms for one in live if (ms := _typical(one)) is not None]
    if not known:
        return None
    seconds = len(latest) * rollout.minute.total_seconds()
    return Load(sum(one.requests for one in live) / seconds, sum(known) / len(known) / 1000)


def _typical(counts: Counts) -> float | None:
    """The mean; where only percentiles are known, between the median and the 90th."""
    if counts.bins:
        return mean_ms(counts.bins)
    if counts.latency is None:
        return None
    known = [ms for ms in (counts.latency.p50, counts.latency.p90) if ms is not None]
    return sum(known) / len(known) if known else None
