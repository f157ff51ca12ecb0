"""The numbers behind one decision about keys, for those who ask why."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from rollout.core.rotation.actions import AnyKeyAction, PublishKey, RegenerateKey
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.events import KeyEvent, KeyProbed, RotationOverdue, RotationRequested
from rollout.core.rotation.looked import SENDS_MAX
from rollout.core.rotation.moves import PROBES
from rollout.core.rotation.state import Rotation, RotationPhase

_TOLD_MAX = 300


def numbers_of(
    before: Rotation | None, decision: KeyDecision, event: KeyEvent, now: datetime
) -> Iterator[tuple[str, Any]]:
    """By name: counts, seconds, and times as ISO 8601."""
    after = decision.head.rotation
    if after is None or isinstance(event, RotationOverdue):
        return
    if after.version:
        yield "version", after.version
    if isinstance(event, RotationRequested):
        yield from _rules(after)
    if before and before.id == after.id and before.phase is not after.phase:
        yield from _phase_left(before, now)
        yield from _phase_entered(after)
    if before and isinstance(event, KeyProbed) and event.failure is None:
        passed = before.passed + event.passed
        yield "answers", passed
        yield "answers_wanted", 1 if before.phase is RotationPhase.TRYING_SPARE else PROBES
    yield from _asked(after, decision.action)


def _rules(rotation: Rotation) -> Iterator[tuple[str, Any]]:
    policy = rotation.policy
    yield "overlap_minutes", 0 if rotation.leaked else policy.overlap_minutes
    yield "ready_within_minutes", policy.ready_within_minutes
    yield "lands_within_minutes", policy.lands_within_minutes


def _phase_left(before: Rotation, now: datetime) -> Iterator[tuple[str, Any]]:
    yield "seconds", round((now - before.phase_since) / timedelta(seconds=1), 1)
    if before.failures:
        yield "failures", before.failures
        yield "last_failure", (before.trouble or "")[:_TOLD_MAX]


def _phase_entered(after: Rotation) -> Iterator[tuple[str, Any]]:
    if after.phase is RotationPhase.OVERLAPPING and after.published_at:
        yield "overlap_until", (after.published_at + after.overlap).isoformat()


def _asked(after: Rotation, action: AnyKeyAction | None) -> Iterator[tuple[str, Any]]:
    match action:
        case RegenerateKey() if after.renewal:
            lands = after.policy.lands_within_minutes * after.minute
            yield "request", after.renewal.sent_times
            yield "requests_max", SENDS_MAX
            yield "lands_by", (action.sent_at + lands).isoformat()
        case PublishKey():
            yield "expires_at", action.expires_at.isoformat()
        case _:
            return
