"""What people ask of a rotation, and what comes back from its own requests."""

from datetime import datetime, timedelta

from rollout.core.head import Head
from rollout.core.rotation.decision import KeyDecision, ask, entered, put, refuse
from rollout.core.rotation.events import (
    EndpointMissed,
    KeyActionFailed,
    KeyCommand,
    KeyProbed,
    KeyPublished,
    LookFailed,
    RegenerationAnswered,
    RotationOverdue,
    RotationRequested,
    RotationResumeRequested,
)
from rollout.core.rotation.state import Rotation, RotationPhase

PROBES = 10
"""So often in a row a key must open the endpoint before clients are given it."""

GONE_AFTER = timedelta(minutes=1)
TRIES_MAX = 3
_AGAIN = timedelta(seconds=1)
_AGAIN_MAX = timedelta(minutes=1)


# -- what is asked ---------------------------------------------------------------------------


def begin(head: Head, event: RotationRequested, now: datetime) -> KeyDecision:
    """Start a rotation; its first look follows at once."""
    before = head.rotation
    number = head.entries + 1  # every beginning leaves an entry, so that no number comes twice
    rotation = Rotation(
        id=f"{head.endpoint.key}-keys-{number}",
        endpoint=head.endpoint,
        policy=event.policy,
        policy_name=event.policy_name,
        minute=event.minute,
        who=event.who,
        why=event.why,
        leaked=event.leaked,
        forced=event.forced or event.leaked,
        phase=RotationPhase.WAITING,
        phase_since=now,
        started_at=now,
        due_at=now,
        said_in_use=event.in_use,
        renewed=before.renewed if before else {},
        rotated_at=before.rotated_at if before else None,
        lands_until=before.lands_until if before else None,
    )
    leaked = ", since one has leaked" if event.leaked else ""
    return put(head, rotation, _said(event, f"{event.who} rotates the keys{leaked}"))


def hasten(head: Head, rotation: Rotation, event: RotationRequested, now: datetime) -> KeyDecision:
    """While one is on its way only a leak changes it: then no client is waited for any more."""
    if not event.leaked or rotation.leaked:
        return refuse(head, f"the keys are being rotated already: {rotation.id}")
    hurried = {"leaked": True, "forced": True, "due_at": now}
    if rotation.phase is RotationPhase.ASKING:
        hurried["due_at"] = None
    told = _said(event, f"{event.who} says that a key has leaked: nobody is waited for any more")
    return put(head, rotation.model_copy(update=hurried), told)


def overdue(head: Head, event: RotationOverdue, _now: datetime) -> KeyDecision:
    """Nothing changes: it is told, and a person may rotate by hand."""
    return KeyDecision(head, event.why)


def abort(head: Head, rotation: Rotation, event: KeyCommand, now: datetime) -> KeyDecision:
    """Leave both keys as they are; whichever was published last is in use."""
    why = _said(event, f"aborted by {event.who}")
    left = {"renewal": None, "lands_until": lands_until(rotation)}
    return put(head, entered(rotation, RotationPhase.ABORTED, now, **left), why)


def resume(
    head: Head, rotation: Rotation, event: RotationResumeRequested, now: datetime
) -> KeyDecision:
    """Go on where the question came up; with another key in use, from the beginning."""
    during = rotation.during or RotationPhase.WAITING
    why = _said(event, f"resumed by {event.who}")
    if event.in_use:
        left = {"renewal": None, "lands_until": lands_until(rotation)}
        said = {"said_in_use": event.in_use, "in_use": None, **left}
        anew = entered(rotation, RotationPhase.WAITING, now, **said)
        return put(head, anew, f"{why}; clients have the {event.in_use} key")
    if during is RotationPhase.WAITING:
        return put(head, entered(rotation, during, now, said_in_use=None), why)
    return put(head, entered(rotation, during, now, **_counted_anew(rotation)), why)


def _counted_anew(rotation: Rotation) -> dict[str, object]:
    """The count of requests begins again; whether they landed is still to be seen."""
    renewal = rotation.renewal
    once = renewal.model_copy(update={"sent_times": 1}) if renewal else None
    return {"renewal": once, "lands_until": other_lands_until(rotation)}


def _said(event: KeyCommand, what: str) -> str:
    return f"{what}: {event.why}" if event.why else what


# -- what comes back -------------------------------------------------------------------------


def probed(head: Head, rotation: Rotation, event: KeyProbed, now: datetime) -> KeyDecision:
    """A key that opened the endpoint leads on; one that did not is tried again for a while."""
    if rotation.phase is not RotationPhase.TRYING_SPARE and event.fingerprint != rotation.fresh:
        return refuse(head, "it tells of another key")
    if event.asked_at != rotation.acted_at:
        return refuse(head, "it tells of another probe")
    if event.failure is None:
        return _passed(head, rotation, event, now)
    why = f"the {rotation.spare} key: {event.failure}"
    if rotation.phase is RotationPhase.TRYING_SPARE:
        return _failed(head, rotation, why, now, patience=rotation.failures + 1 < TRIES_MAX)
    ready_by = rotation.phase_since + rotation.policy.ready_within_minutes * rotation.minute
    return _failed(head, rotation, why, now, patience=now < ready_by)


def _passed(head: Head, rotation: Rotation, event: KeyProbed, now: datetime) -> KeyDecision:
    """What passed so far stays so, whoever goes on."""
    passed = rotation.passed + event.passed
    wanted = 1 if rotation.phase is RotationPhase.TRYING_SPARE else PROBES
    if passed >= wanted:
        return _proven(head, rotation, passed, now)
    going_on = rotation.model_copy(update={"passed": passed, "acted_at": None, "due_at": now})
    return put(head, going_on, f"the {rotation.spare} key passed {passed} times of {wanted} so far")


def _proven(head: Head, rotation: Rotation, passed: int, now: datetime) -> KeyDecision:
    times = "once" if passed == 1 else f"{passed} times in a row"
    why = f"the {rotation.spare} key opened the endpoint {times}"
    if rotation.phase is RotationPhase.TRYING_SPARE:
        return put(head, entered(rotation, RotationPhase.RENEWING_SPARE, now, renewal=None), why)
    if rotation.phase is RotationPhase.CONFIRMING:
        return put(head, entered(rotation, RotationPhase.RENEWING_OLD, now, renewal=None), why)
    rest = other_lands_until(rotation)
    if rest and now < rest:
        waits = f"whether the other request lands as well, until {rest:%H:%M:%S}"
        waiting = {"acted_at": None, "due_at": rest, "waits": waits, "passed": 0}
        return put(head, rotation.model_copy(update=waiting), f"{why}; waits {waits}")
    return put(head, entered(rotation, RotationPhase.PUBLISHING, now), why)


def other_lands_until(rotation: Rotation) -> datetime | None:
    """Where it was asked for more than once, the key may change once more."""
    renewal = rotation.renewal
    if renewal is None or renewal.sent_times == 1:
        return rotation.lands_until
    return renewal.sent_at + rotation.policy.lands_within_minutes * rotation.minute


def lands_until(rotation: Rotation) -> datetime | None:
    """What was asked for may land after this is left: the next must not take it for its own."""
    renewal = rotation.renewal
    if renewal is None:
        return rotation.lands_until
    return renewal.sent_at + rotation.policy.lands_within_minutes * rotation.minute


def _failed(
    head: Head, rotation: Rotation, why: str, now: datetime, *, patience: bool
) -> KeyDecision:
    if not patience:
        return ask(head, rotation, why, now)
    waiting = {
        "acted_at": None,
        "passed": 0,
        "failures": rotation.failures + 1,
        "due_at": now + _backed_off(rotation),
        "trouble": why,
    }
    return put(head, rotation.model_copy(update=waiting), why)


def _backed_off(rotation: Rotation) -> timedelta:
    doubled: int = 2 ** min(rotation.failures, 6)
    return min(_AGAIN_MAX, _AGAIN * doubled)


def answered(
    head: Head, rotation: Rotation, event: RegenerationAnswered, now: datetime
) -> KeyDecision:
    """Taken, not taken, or nobody knows: then it is as if taken, until the keys tell."""
    renewal = rotation.renewal
    if renewal is None or renewal.sent_at != event.sent_at:
        return refuse(head, "it tells of another regeneration")
    if event.taken is False:
        return _not_taken(head, rotation, event, now)
    told = "Azure took it" if event.taken else f"no answer, so it may have been taken: {event.why}"
    kept = renewal.model_copy(update={"operation": event.operation})
    return put(head, rotation.model_copy(update={"renewal": kept}), told)


def _not_taken(
    head: Head, rotation: Rotation, event: RegenerationAnswered, now: datetime
) -> KeyDecision:
    renewal = rotation.renewal
    assert renewal is not None, rotation.phase
    lands = rotation.policy.lands_within_minutes * rotation.minute
    before = {"sent_times": renewal.sent_times - 1, "sent_at": now - lands}
    waiting = {
        "renewal": renewal.model_copy(update=before) if renewal.sent_times > 1 else None,
        "failures": rotation.failures + 1,
        "due_at": now + _backed_off(rotation),
        "trouble": event.why,
    }
    return put(head, rotation.model_copy(update=waiting), f"not taken: {event.why}")


def action_failed(
    head: Head, rotation: Rotation, event: KeyActionFailed, now: datetime
) -> KeyDecision:
    """Where it was refused a person is asked; else it is tried again, for as long as it takes."""
    why = f"could not {event.action}: {event.reason}"
    if event.refused:
        left = {"renewal": None, "lands_until": other_lands_until(rotation)}
        return ask(head, rotation.model_copy(update=left), why, now)
    waiting = {
        "acted_at": None,
        "failures": rotation.failures + 1,
        "due_at": now + max(_backed_off(rotation), event.after or timedelta(0)),
        "trouble": why,
    }
    return put(head, rotation.model_copy(update=waiting), why)


def published(head: Head, rotation: Rotation, event: KeyPublished, now: datetime) -> KeyDecision:
    """It counts when it is seen: look at once."""
    if event.fingerprint != rotation.fresh:
        return refuse(head, "it tells of another key")
    why = f"{rotation.secret} was written"
    return put(head, rotation.model_copy(update={"due_at": now, "acted_at": now}), why)


def look_failed(head: Head, rotation: Rotation, event: LookFailed, now: datetime) -> KeyDecision:
    """Nothing is decided on what could not be read; it is shown, and looked at again."""
    later = max(_backed_off(rotation), event.after or timedelta(0))
    waiting = {
        "failures": rotation.failures + 1,
        "due_at": now + min(_AGAIN_MAX, later),
        "trouble": event.reason,
    }
    return put(head, rotation.model_copy(update=waiting), event.reason)


def missed(head: Head, rotation: Rotation, _event: EndpointMissed, now: datetime) -> KeyDecision:
    """One 404 proves nothing; a minute of them ends the rotation."""
    since = rotation.gone_since or now
    if now - since < GONE_AFTER:
        waiting = {"gone_since": since, "due_at": now + _AGAIN_MAX / 4}
        return put(head, rotation.model_copy(update=waiting), "Azure knows no such endpoint")
    return put(head, entered(rotation, RotationPhase.DECLINED, now), "the endpoint is gone")
