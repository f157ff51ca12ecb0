"""What may be asked of the samples, and what is answered: guards, findings, verdicts."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import ClassVar, Literal


class Verdict(IntEnum):
    """Ordered best to worst, so that the worst of many is their `max`."""

    PASS = 0
    INCONCLUSIVE = 1
    NOT_MEASURED = 2
    FAIL = 3


class Severity(StrEnum):
    """What a failed guard means: give the traffic back, wait here, or only say it."""

    FAIL = "fail"
    HOLD = "hold"
    WATCH = "watch"


class Metric(StrEnum):
    ERROR_RATE = "error_rate"
    UNAVAILABLE_RATE = "unavailable_rate"
    PLATFORM_RATE = "platform_rate"
    LATENCY_P50 = "latency_p50"
    LATENCY_P90 = "latency_p90"
    LATENCY_P95 = "latency_p95"
    LATENCY_P99 = "latency_p99"
    DISAGREEMENT_RATE = "disagreement_rate"
    SCORE_DRIFT = "score_drift"
    CLASS_FLIPS = "class_flips"
    SCORE_HISTOGRAM = "score_histogram"
    CUSTOM = "custom"  # what a guard of one's own asks, by `kql`, `prometheus` or `http`


ANSWERS = frozenset(
    {Metric.DISAGREEMENT_RATE, Metric.SCORE_DRIFT, Metric.CLASS_FLIPS, Metric.SCORE_HISTOGRAM}
)
"""Metrics of what both arms answer, not of how often and how fast."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One limit on one metric: relative to the baseline by a margin, or absolute (`at_most`).

    A rate is a number from 0 to 1, a latency is in milliseconds. `worse_by_ratio` 1.25 allows a
    quarter more than the baseline, `worse_by_points` 0.01 one percentage point more; with both,
    it allows as much as both together.

    A custom guard has a name and one question instead of a metric: `kql`, `prometheus` or `http`.
    """

    __pydantic_config__: ClassVar = {
        "extra": "forbid",
        "allow_inf_nan": False,
    }  # read where policies are parsed

    metric: Metric = Metric.CUSTOM
    worse_by_ratio: float | None = None
    worse_by_points: float | None = None
    at_most: float | None = None
    severity: Severity = Severity.FAIL
    name: str | None = None
    kql: str | None = None
    prometheus: str | None = None
    of: str | None = None
    http: str | None = None
    method: Literal["POST", "GET"] | None = None

    @property
    def custom(self) -> bool:
        return self.metric is Metric.CUSTOM

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name if self.custom and self.name else self.metric.value


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm's numbers behind a finding; `bad` is None where the metric is not a rate."""

    requests: int
    value: float | None
    bad: int | None = None


class Kind(StrEnum):
    """Which test the evidence comes from."""

    SPLITS = "splits"  # how each minute's failures split between the arms: exact
    HISTOGRAMS = "histograms"  # where the canary's durations lie among all: exact
    PERCENTILES = "percentiles"  # each minute's percentiles: approximate
    PAIRS = "pairs"  # what both arms answered to the same requests: exact
    LIMIT = "limit"  # the canary's own rate against a number: exact
    MINUTES = "minutes"  # in which minutes the percentile is above a number: a rule, not a test


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers behind a finding, for a record that can be checked years later.

    Evidence is told as its natural logarithm: exp(`ln_e`) : 1 against a canary within the margin.
    `excess_bound` is the anytime 95 % upper bound of the canary's rate minus the baseline's in the
    minutes that are judged, `excess_bound_so_far` in all of the trial (where a pace asks), and
    `usual_rate` the baseline's rate before the rollout.
    A field is None where the kind of evidence has no such number.
    """

    kind: Kind
    ln_e: float
    ln_e_most: float
    threshold: float
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    phi: float = 1.0
    excess_bound: float | None = None
    excess_bound_so_far: float | None = None
    excess_allowed: float | None = None
    proved: bool = False
    minutes_used: int = 0
    watermark: datetime | None = None
    requests_needed: int = 0
    usual_rate: float | None = None

    @property
    def enough(self) -> bool:
        """Whether the evidence has ever reached what was asked for."""
        return self.ln_e_most >= self.threshold


@dataclass(frozen=True, slots=True)
class Finding:
    """What one guard found, with the numbers it rests on and one sentence that tells it.

    A pass with `evidence.proved` shows the canary within the margin; one without says only that
    enough was seen and nothing speaks against it.
    """

    guard: Guard
    verdict: Verdict
    because: str
    canary: Arm
    baseline: Arm | None = None
    minutes: int = 0
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The worst finding is the verdict; no finding at all is not measured."""

    findings: tuple[Finding, ...] = ()

    @property
    def counting(self) -> tuple[Finding, ...]:
        """The findings on which a stage passes or not; where there is none, none passes."""
        return tuple(one for one in self.findings if one.guard.severity is not Severity.WATCH)

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that keep a stage from passing."""
        return tuple(one for one in self.counting if one.verdict is not Verdict.PASS)

    @property
    def verdict(self) -> Verdict:
        return max((found.verdict for found in self.findings), default=Verdict.NOT_MEASURED)
