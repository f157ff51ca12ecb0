"""Findings in plain words, for a person woken at night."""

import math

from rollout.analysis.report import Arm, Evidence, Metric

DEEDS = {
    Metric.ERROR_RATE: "failed",
    Metric.UNAVAILABLE_RATE: "were turned away",
    Metric.PLATFORM_RATE: "met a platform fault",
    Metric.CUSTOM: "failed",
}
_SMALL = [
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]


def count(number: int, noun: str) -> str:
    """`four minutes`, `one minute`, `31 requests`."""
    told = _SMALL[number] if number < len(_SMALL) else str(number)
    return f"{told} {noun}" if number == 1 else f"{told} {noun}s"


def figures(number: float, digits: int = 2) -> str:
    """A number by its leading digits and without an exponent: 19, 0.53, 1990."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    places = digits - 1 - math.floor(math.log10(abs(number)))
    rounded = round(number, places)
    told = f"{rounded:.{max(0, places)}f}"
    return told.rstrip("0").rstrip(".") if places > 0 else told


def span(seconds: float) -> str:
    """As `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def minutes(count: float) -> str:
    return f"{count:g} minute" + ("" if count == 1 else "s")


def percent(rate: float) -> str:
    return f"{figures(100 * rate)} %"


def odds(ln_e: float) -> str:
    """`1990 : 1`; the other way round where the evidence speaks for the canary."""
    parts = math.exp(min(700.0, abs(ln_e)))
    told = "more than a million" if parts > 1e6 else figures(parts, 3)
    return f"{told} : 1" if ln_e >= 0 else f"1 : {told}"


def rate(arm: Arm, metric: Metric | None = None) -> str:
    """`6 of 60 failed (10 %)`."""
    deed = f" {DEEDS[metric]}" if metric else ""
    value = "none asked" if arm.value is None else percent(arm.value)
    return f"{arm.bad} of {arm.requests}{deed} ({value})"


def rates(metric: Metric, canary: Arm, baseline: Arm, minutes: int) -> str:
    """Both arms' counts in the minutes that can be compared."""
    same = f"same {count(minutes, 'minute')}"
    return f"canary {rate(canary, metric)}, baseline {rate(baseline)}, {same}"


def latencies(metric: Metric, canary: Arm, baseline: Arm, minutes: int) -> str:
    quantile = metric.removeprefix("latency_")
    return (
        f"canary {quantile} {milliseconds(canary)}, baseline {milliseconds(baseline)},"
        f" same {count(minutes, 'minute')}"
    )


def milliseconds(arm: Arm) -> str:
    return "unknown" if arm.value is None else f"{figures(arm.value, 3)} ms"


def times(evidence: Evidence, adverb: str) -> str:
    """`19 times as often (2.7-135)`."""
    if evidence.ratio is None:
        return f"how many times as {adverb} cannot be said"
    told = f"{_short(evidence.ratio)} times as {adverb}"
    if evidence.ratio_low is None:
        return told
    high = "" if evidence.ratio_high is None else _end(evidence.ratio_high)
    return f"{told} ({figures(evidence.ratio_low)}-{high})"


def _short(number: float) -> str:
    """Two digits, or three where two hide a difference: 1.15, 1.5, 19."""
    if not 1 < number < 10:
        return figures(number)
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _end(number: float) -> str:
    return figures(number, 3 if number >= 100 else 2)


def against(evidence: Evidence) -> str:
    """`evidence 1990 : 1 against a healthy canary, you asked for 25 : 1`."""
    reached = odds(max(evidence.ln_e, evidence.ln_e_most) if evidence.enough else evidence.ln_e)
    asked = odds(evidence.threshold)
    return f"evidence {reached} against a healthy canary, you asked for {asked}"


def shown(evidence: Evidence) -> str:
    """What a pass rests on."""
    if evidence.excess_bound is None:
        return "nothing speaks against it"
    if evidence.excess_bound >= 1:
        return "nothing speaks against it, though little is shown yet"
    bound = f"at most {figures(100 * evidence.excess_bound)} points worse (95 %)"
    return (
        f"{bound}, within the margin" if evidence.proved else f"nothing speaks against it; {bound}"
    )


def wanting(have: int, least: int, minutes: int, what: str = "requests") -> str:
    """`31 of 200 requests, about 14 minutes left`."""
    told = f"{have} of {least} {what}"
    if not have or not minutes:
        return told
    left = math.ceil((least - have) * minutes / have)
    return f"{told}, about {count(left, 'minute')} left"
