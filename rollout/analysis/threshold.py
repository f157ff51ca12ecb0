"""How much evidence is enough, and how the guards of a report share the risk of an error."""

import math
from collections.abc import Mapping, Sequence

from rollout.analysis.likeness import PRIOR_MINUTES
from rollout.analysis.report import ANSWERS, Guard, Metric

SHORT = math.log(25)
LONG = math.log(100)
HISTORY_MINUTES = 120
DOUBT = max(
    2 * (PRIOR_MINUTES**2 / HISTORY_MINUTES + k) / (PRIOR_MINUTES - 1 + k) ** 2
    for k in range(1, HISTORY_MINUTES)
)
"""The dispersion's relative variance where it is least certain, after k minutes of a trial.

A mean of n squares has 2 / n. Six minutes' weight is the history's mean, k are the trial's own: the
history weighs more only where the trial is like it (`likeness`).
"""
SCATTERED = math.expm1(LONG * DOUBT) / DOUBT
"""Where failures come in clusters: 380 : 1.

Evidence is divided by a dispersion that is itself only estimated, as Student's t is by a deviation.
If phi is off by a factor of gamma law with relative variance v, evidence c is reached with
probability (1 + c v)^(-1/v) and not exp(-c); this c makes it the 1 in 100 of `strict`.
"""
SHORT_MINUTES, LONG_MINUTES = 30, 240
WARNING = 1.6
"""From here on the evidence is worth a wait: 5 : 1."""

STAKES: Mapping[Metric, float] = {
    Metric.ERROR_RATE: 6.0,
    Metric.LATENCY_P50: 3.0,
    Metric.LATENCY_P90: 3.0,
    Metric.LATENCY_P95: 3.0,
    Metric.LATENCY_P99: 3.0,
    Metric.UNAVAILABLE_RATE: 1.0,
    Metric.PLATFORM_RATE: 1.0,
    Metric.CUSTOM: 3.0,
    Metric.DISAGREEMENT_RATE: 1.0,
    Metric.SCORE_DRIFT: 1.0,
    Metric.CLASS_FLIPS: 1.0,
    Metric.SCORE_HISTOGRAM: 1.0,
}


def threshold(planned_minutes: float, phi: float, *, strict: bool) -> float:
    """The ln E that is enough: 25 : 1 in short rollouts, 100 : 1 in long, more in scattered.

    A healthy canary is rolled back in at most 1 / threshold of the rollouts by theorem (strict: 1 %
    for ever); in short ones about 1 % by experience, since evidence needs time to be led astray.
    """
    longer = math.log(max(1.0, planned_minutes / SHORT_MINUTES))
    part = 1.0 if strict else min(1.0, longer / math.log(LONG_MINUTES / SHORT_MINUTES))
    ln_e = SHORT + (LONG - SHORT) * part
    return ln_e + (SCATTERED - ln_e) * min(1.0, max(0.0, phi - 1))


def stakes(guards: Sequence[Guard]) -> tuple[float, ...]:
    """Each guard's part of its family's risk; the parts of one family add up to 1.

    A family is what has the same consequence: the relative guards of one severity. A guard with
    part a has to reach 1/a times the evidence, and so the whole family errs no more often than one
    guard alone would. A guard written twice shares its part.
    """
    families = [_family(guard) for guard in guards]
    named = [*zip([guard.title for guard in guards], families, strict=True)]
    raw = [
        STAKES[guard.metric] / named.count(one) for guard, one in zip(guards, named, strict=True)
    ]
    whole = dict.fromkeys(families, 0.0)
    for own, family in zip(raw, families, strict=True):
        whole[family] += own
    return tuple(own / whole[family] for own, family in zip(raw, families, strict=True))


def _family(guard: Guard) -> tuple[str, bool]:
    return guard.severity, relative(guard)


def relative(guard: Guard) -> bool:
    """Whether the guard compares the canary with the baseline."""
    margin = guard.worse_by_ratio is not None or guard.worse_by_points is not None
    return margin or guard.metric in ANSWERS
