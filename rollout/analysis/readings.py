"""A custom guard that is told one number at each look, or a plain yes or no: rules, not tests."""

from collections.abc import Sequence

from rollout.analysis.absolute import hold_rate
from rollout.analysis.case import Case
from rollout.analysis.report import Arm, Evidence, Finding, Kind, Verdict
from rollout.analysis.samples import Counts
from rollout.analysis.words import count, figures

READINGS_ABOVE = 3
"""So many readings in a row are no blip any more."""
YES, NO = 0.0, 1.0
"""How a plain answer is kept: what is wrong is more than nothing."""


def hold_custom(case: Case) -> Finding:
    """Counts are held to the limit by the test of a rate, readings by a rule."""
    readings = [one.canary for one in case.minutes if one.canary and one.canary.value is not None]
    if case.guard.at_most is not None and not readings:
        return hold_rate(case)
    plain = case.guard.at_most is None
    verdict, told = _plain(readings) if plain else _held(readings, case.guard.at_most or 0.0)
    value = readings[-1].value if readings else None
    arm = Arm(len(readings), value)
    return Finding(case.guard, verdict, told, arm, None, len(readings), _evidence(case, readings))


def _plain(readings: Sequence[Counts]) -> tuple[Verdict, str]:
    """One no is a no; the last yes is a yes."""
    if not readings:
        return Verdict.NOT_MEASURED, "nothing was said of the canary yet"
    refused = next((one for one in readings if one.value != YES), None)
    if refused:
        return Verdict.FAIL, f"it says no{_words(refused)}"
    return Verdict.PASS, f"it says yes{_words(readings[-1])}"


def _held(readings: Sequence[Counts], limit: float) -> tuple[Verdict, str]:
    """Fail when three readings in a row are above the limit; what has failed stays failed."""
    above = [one.value is not None and one.value > limit for one in readings]
    last = readings[-1]
    told = f"canary {figures(last.value or 0.0, 3)}, {figures(limit, 3)} allowed{_words(last)}"
    if _longest(above) >= READINGS_ABOVE:
        return Verdict.FAIL, f"{told}: above it in {count(_longest(above), 'reading')} in a row"
    if above[-1]:
        wanted = count(READINGS_ABOVE, "reading")
        return Verdict.INCONCLUSIVE, f"{told}: above it, {wanted} in a row are asked for"
    return Verdict.PASS, told


def _longest(above: Sequence[bool]) -> int:
    most = run = 0
    for high in above:
        run = run + 1 if high else 0
        most = max(most, run)
    return most


def _words(reading: Counts) -> str:
    return f" ({reading.said})" if reading.said else ""


def _evidence(case: Case, readings: Sequence[Counts]) -> Evidence:
    return Evidence(
        kind=Kind.MINUTES,
        ln_e=0.0,
        ln_e_most=0.0,
        threshold=case.threshold(1.0),
        minutes_used=len(readings),
        watermark=case.watermark,
    )
