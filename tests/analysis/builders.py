"""Whole valid samples from the one detail that matters."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from rollout.analysis.judge import Terms, judge
from rollout.analysis.pairs import Wealth
from rollout.analysis.report import Finding, Guard, Metric
from rollout.analysis.samples import Counts, Latency, Minute, Samples
from rollout.analysis.split import Split

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Row = tuple[int, int, int, int]
"""Canary requests and failures, baseline requests and failures."""

VECTOR_A: tuple[Row, ...] = ((15, 0, 285, 1), (14, 1, 286, 2), (16, 2, 280, 1), (15, 3, 290, 2))
VECTOR_B: tuple[Row, ...] = (
    (150, 2, 2850, 14),
    (148, 45, 2840, 860),
    (152, 44, 2851, 842),
    (149, 4, 2833, 13),
)
VECTOR_C: tuple[Row, ...] = (
    *((15, 0, 285, 1), (15, 0, 285, 2), (15, 0, 285, 0), (15, 1, 285, 1), (15, 0, 285, 3)),
    *((30, 0, 270, 1), (30, 1, 270, 2), (30, 2, 270, 1), (30, 0, 270, 0), (30, 1, 270, 2)),
    *((75, 3, 225, 1), (75, 2, 225, 1)),
)
WORSE = Guard(Metric.ERROR_RATE, worse_by_ratio=1.25, worse_by_points=0.0005)
ANY_WORSE = Guard(Metric.ERROR_RATE, worse_by_ratio=1.0)


def rows(table: Iterable[Row]) -> list[Split]:
    return [Split(*row) for row in table]


def counts(requests: int, bad: int = 0, status: int = 424, **rest: float) -> Counts:
    return Counts({200: requests - bad, status: bad}, Latency(**rest) if rest else None)


def minutes(table: Iterable[Row], share: int = 5, status: int = 424) -> tuple[Minute, ...]:
    return tuple(
        Minute(NOON + at * MINUTE, share, counts(n, x, status), counts(m, y, status))
        for at, (n, x, m, y) in enumerate(table)
    )


def history(failures: Sequence[int], requests: int = 300) -> tuple[Minute, ...]:
    begin = NOON - len(failures) * MINUTE
    return tuple(
        Minute(begin + at * MINUTE, 0, None, counts(requests, bad))
        for at, bad in enumerate(failures)
    )


def found(
    trial: Iterable[Minute],
    guard: Guard = WORSE,
    terms: Terms | None = None,
    past: Iterable[Minute] = (),
) -> Finding:
    """What one guard finds."""
    report = judge(Samples(tuple(trial), tuple(past)), (guard,), terms or Terms())
    return report.findings[0]


def score_shift(differences: Sequence[float], clip: float, tolerance: float = 0.0) -> float:
    """The ln E of these differences of scores alone."""
    wealth = Wealth(clip, tolerance)
    wealth.add(differences)
    return wealth.ln_e
