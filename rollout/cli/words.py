"""How the commands say times, numbers and verdicts."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rollout.analysis.report import Arm, Finding, Guard, Verdict
from rollout.analysis.words import figures, odds

VERDICTS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.PASS: ("green", "✔ pass"),
    Verdict.INCONCLUSIVE: ("cyan", "· too early to tell"),
    Verdict.NOT_MEASURED: ("yellow", "? no numbers"),
    Verdict.FAIL: ("bold red", "✘ fail"),
}


def clock_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S")


def date_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def age(gone: timedelta) -> str:
    """In the largest unit that is over at least twice, or the smaller one: `45 d`, `30 h`."""
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if gone >= 2 * unit:
            return f"{gone // unit} {name}"
    return f"{max(gone, timedelta(0)) // timedelta(minutes=1)} min"


def guard_name(guard: Guard) -> str:
    return guard.title.replace("_", " ")


def measured(finding: Finding, arm: Arm | None) -> str:
    """One arm's number: a rate in percent, a latency in milliseconds, a reading as it was told."""
    if arm is None or arm.value is None:
        return "-"
    if finding.guard.custom and arm.bad is None:
        return f"{arm.value:.4g}"
    if arm.bad is not None:
        return f"{arm.value * 100:.2f} %"
    if finding.guard.metric.value.startswith("latency_"):
        return f"{arm.value:.0f} ms"
    return figures(arm.value)


def samples(arm: Arm | None) -> str:
    return f"{arm.requests:,}" if arm else "-"


def verdict_text(finding: Finding) -> str:
    return VERDICTS[finding.verdict][1]


def evidence_told(evidence: Mapping[str, Any]) -> str:
    """The numbers of an evidence record in words; what it does not have is left out."""
    told = [f"evidence {odds(evidence['ln_e'])}, you asked for {odds(evidence['threshold'])}"]
    if evidence["ln_e_most"] > evidence["ln_e"]:
        told.append(f"once {odds(evidence['ln_e_most'])}")
    low, high = evidence.get("ratio_low"), evidence.get("ratio_high")
    if low is not None and (low or high is not None):
        upto = f"to {figures(high, 3)}" if high is not None else "or more"
        told.append(f"{figures(low)} {upto} times as often")
    if "excess_bound" in evidence:
        told.append(f"at most {figures(100 * evidence['excess_bound'])} points worse")
    if evidence.get("phi", 1) > 1:
        told.append(f"divided by a scatter of {figures(evidence['phi'], 3)}")
    told.append(f"{evidence['minutes_used']} minutes used")
    if evidence.get("requests_needed"):
        told.append(f"{evidence['requests_needed']} requests still needed")
    return "; ".join(told)
