"""When nothing is heard of a rollout's traffic, and when another source is asked in its place."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine.decision import Decision
from rollout.core.machine.stages import enter_stage
from rollout.core.rollout import HoldCause, Rollout
from rollout.core.source import Source

SILENT_LAGS = 3
NUMBERS: Mapping[Source, str] = {
    Source.METRICS: "metrics",
    Source.LOGS: "logs",
    Source.GUARDS: "numbers of its guards",
}


def silent(rollout: Rollout, event: Looked, now: datetime) -> bool:
    """Nothing readable for three times the lag of the source."""
    return now - _heard(rollout, event) > too_long(rollout, event.lag)


def too_long(rollout: Rollout, lag: timedelta) -> timedelta:
    return SILENT_LAGS * max(lag, rollout.minute)


def silent_minutes(rollout: Rollout, event: Looked, now: datetime) -> str:
    return f"{(now - _heard(rollout, event)) / rollout.minute:.0f}"


def _heard(rollout: Rollout, event: Looked) -> datetime:
    since = rollout.share_since or rollout.phase_since
    return max(since, event.heard_until) if event.heard_until else since


def other_source(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """The logs have fallen silent and metrics have not: the stage begins again on metrics.

    Only where the policy says `auto`, and never the other way; no minute of the logs is kept.
    """
    held = rollout.hold
    waits = held is not None and held.cause is not HoldCause.NO_DATA
    heard = event.metrics_heard_until
    chosen = rollout.source is Source.LOGS and rollout.policy.source == "auto"
    if waits or not chosen or heard is None or not silent(rollout, event, now):
        return None
    if now - heard > too_long(rollout, event.lag):
        return None
    anew = {
        "source": Source.METRICS,
        "evidence_since": now,
        "report": None,
        "readable_until": None,
        "asked_times": 0,
    }
    why = (
        f"no logs for {silent_minutes(rollout, event, now)} minutes, and metrics go on:"
        f" {rollout.here} starts again with numbers from metrics"
    )
    return enter_stage(head, rollout.model_copy(update=anew), rollout.stage, now, why)
