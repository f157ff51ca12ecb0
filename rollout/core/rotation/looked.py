"""What a look at keys and secret means in each phase of a rotation."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from rollout.core.head import Head
from rollout.core.rotation.actions import ProbeKey, PublishKey, RegenerateKey
from rollout.core.rotation.beside import rollout_in_the_way
from rollout.core.rotation.decision import SOON, KeyDecision, ask, entered, put, until
from rollout.core.rotation.events import KeysLookedAt
from rollout.core.rotation.moves import PROBES, other_lands_until
from rollout.core.rotation.state import KeyName, KeysView, Renewal, Rotation, RotationPhase

GRACE = timedelta(seconds=10)
"""So long the worker that decided is waited for; then it may be dead, and another one asks.

Both may be done twice: a second probe costs requests, and a second version has the same value.
"""

SENDS_MAX = 3
SEND_WITHIN = timedelta(seconds=30)
CONFIRMED_FOR = timedelta(minutes=5)
_OPERATION_POLL = timedelta(seconds=1)
_WATCH = timedelta(seconds=30)

Look = Callable[[Head, Rotation, KeysLookedAt, datetime], KeyDecision]


def looked(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
    """Weigh what stops every rotation, then what the phase waits for."""
    wrong = _wrong(rotation, event)
    if wrong:
        return ask(head, rotation, wrong, now)
    seen = rotation.model_copy(update={"gone_since": None})
    return _LOOKS[rotation.phase](head, seen, event, now)


_BEFORE_PUBLISHING = frozenset(
    {RotationPhase.TRYING_SPARE, RotationPhase.RENEWING_SPARE, RotationPhase.PROVING}
)


def _wrong(rotation: Rotation, event: KeysLookedAt) -> str | None:
    """What must not change on the way did: a person has to know."""
    view = event.view
    if rotation.phase is RotationPhase.WAITING:
        return None
    if view.mode != "key":
        return f"the endpoint's authMode became {view.mode}: it has no keys any more"
    if view.ring != rotation.ring:
        return "the installation secret is another one than at the start: no key can be recognised"
    current = view.published.fingerprint if view.published else None
    expected = _versions_expected(rotation)
    if current not in expected:
        return (
            f"somebody else wrote {rotation.secret}; say which key clients have now:"
            f" rollout keys resume {rotation.endpoint} --in-use primary|secondary"
        )
    return None


def _versions_expected(rotation: Rotation) -> set[str | None]:
    """Before a new key is published the version of the start, afterwards that of the new key."""
    if rotation.phase in _BEFORE_PUBLISHING:
        return {rotation.replaces}
    if rotation.phase is RotationPhase.PUBLISHING:
        return {rotation.replaces, rotation.fresh}
    return {rotation.fresh}


# -- which key is in use -----------------------------------------------------------------------


def _survey(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
    """Wait for its turn, then begin with the key that nobody uses."""
    view = event.view
    if view.mode != "key":
        return put(head, entered(rotation, RotationPhase.DECLINED, now), _no_keys(view.mode))
    if why := rollout_in_the_way(head, forced=rotation.forced):
        return until(head, rotation, now + rotation.minute, why)
    if not view.state.settled:
        return until(head, rotation, now + SOON, f"for Azure, which is busy: {view.state}")
    lands = rotation.lands_until
    if lands and now < lands:
        why = f"whether a key still changes that was asked for before, until {lands:%H:%M:%S}"
        return until(head, rotation, lands, why)
    found = view.named(view.published.fingerprint if view.published else None)
    in_use = found or rotation.said_in_use
    if in_use is None or in_use is not (rotation.said_in_use or in_use):
        return ask(head, rotation, _which_is_in_use(rotation, view, found), now)
    return _first(head, rotation, event, in_use, now)


def _first(
    head: Head, rotation: Rotation, event: KeysLookedAt, in_use: KeyName, now: datetime
) -> KeyDecision:
    """Turn to the spare key, when no client can have it any more."""
    published, spare = event.view.published, in_use.other
    if published and event.view.named(published.fingerprint) is in_use:
        read_by = published.created_at + rotation.overlap
        if now < read_by:
            why = f"for clients that may still have the {spare} key, until {read_by:%H:%M:%S}"
            return until(head, rotation, min(read_by, now + _WATCH), why)
    begun = {
        "in_use": in_use,
        "ring": event.view.ring,
        "replaces": published.fingerprint if published else None,
        "version": published.version if published else None,
        "renewal": None,
        "fresh": None,
        "published_at": None,
    }
    first = RotationPhase.RENEWING_SPARE if rotation.leaked else RotationPhase.TRYING_SPARE
    why = f"clients have the {in_use} key; the {spare} key goes first"
    return put(head, entered(rotation, first, now, **begun), why)


def _no_keys(mode: str) -> str:
    if mode == "amltoken":
        return "aml_token endpoints have no keys to rotate: their tokens end by themselves in a day"
    if mode == "aadtoken":
        return "aad_token endpoints have no keys to rotate: clients sign in to Entra"
    return f"the endpoint's authMode {mode} has no keys to rotate"


def _which_is_in_use(rotation: Rotation, view: KeysView, found: KeyName | None) -> str:
    if found:
        said = rotation.said_in_use
        return (
            f"{rotation.secret} holds the {found} key, and the {said} key was said to be in use;"
            f" go on with what the secret says: rollout keys resume {rotation.endpoint}"
        )
    what = "holds neither key of the endpoint" if view.published else "has no version yet"
    return (
        f"{rotation.secret} {what}; say which key clients have now:"
        f" rollout keys resume {rotation.endpoint} --in-use primary|secondary"
    )


# -- probes --------------------------------------------------------------------------------------


def _probe(key: str, times: int) -> Look:
    """Ask the endpoint with that key, unless somebody is about it."""

    def look(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
        name: KeyName = getattr(rotation, key)
        if _is_acting(rotation, now):
            return until(head, rotation, _patience(rotation), f"for the answers to the {name} key")
        fingerprint = event.view.fingerprints[name]
        proving = rotation.phase is RotationPhase.PROVING
        fresh = fingerprint if proving else rotation.fresh
        passed = rotation.passed if fresh == rotation.fresh else 0
        action = ProbeKey(
            endpoint=rotation.endpoint,
            key=name,
            fingerprint=fingerprint,
            probe=rotation.policy.probe,
            times=times - passed,
            asked_at=now,
        )
        acting = {"acted_at": now, "due_at": now + GRACE, "fresh": fresh, "passed": passed}
        why = f"asks the endpoint with the {name} key"
        return put(head, rotation.model_copy(update=acting), why, action)

    return look


def _is_acting(rotation: Rotation, now: datetime) -> bool:
    return rotation.acted_at is not None and now < rotation.acted_at + GRACE


def _patience(rotation: Rotation) -> datetime:
    assert rotation.acted_at is not None, rotation.phase
    return rotation.acted_at + GRACE


# -- regenerations -------------------------------------------------------------------------------


def _renew_spare(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
    if _has_changed(rotation, event):
        renewed = {**rotation.renewed, rotation.spare: now}
        why = f"the {rotation.spare} key is new"
        proving = entered(rotation, RotationPhase.PROVING, now, renewed=renewed)
        return put(head, proving, why)
    return _renew(head, rotation, rotation.spare, event, now)


def _renew_old(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
    """The published key must be what clients have before the old one dies."""
    assert rotation.in_use is not None, rotation.phase
    if lost := _published_is_lost(head, rotation, event, now):
        return lost
    if _has_changed(rotation, event):
        done = {"renewed": {**rotation.renewed, rotation.in_use: now}, "rotated_at": now}
        why = f"the {rotation.in_use} key is new as well: the rotation is over"
        done["lands_until"] = other_lands_until(rotation)
        over = entered(rotation, RotationPhase.ROTATED, now, renewal=None, **done)
        return put(head, over, why)
    if rotation.renewal is None and now - rotation.phase_since > CONFIRMED_FOR:
        why = "the proof is old"
        return put(head, entered(rotation, RotationPhase.CONFIRMING, now), why)
    return _renew(head, rotation, rotation.in_use, event, now)


def _has_changed(rotation: Rotation, event: KeysLookedAt) -> bool:
    renewal = rotation.renewal
    return renewal is not None and event.view.fingerprints[renewal.key] != renewal.fingerprint


def _renew(
    head: Head, rotation: Rotation, key: KeyName, event: KeysLookedAt, now: datetime
) -> KeyDecision:
    """Send it once; again only when it did not land in its time, and nothing runs."""
    before = rotation.renewal
    if not event.view.state.settled or event.operation_running:
        return until(head, rotation, now + _OPERATION_POLL, f"for the {key} key to be regenerated")
    if before is not None:
        lands_by = before.sent_at + rotation.policy.lands_within_minutes * rotation.minute
        if now < lands_by and not event.operation_failed:
            at = min(lands_by, now + _OPERATION_POLL)
            return until(head, rotation, at, f"for the {key} key to be regenerated")
        if before.sent_times >= SENDS_MAX:
            return ask(head, rotation, _never_landed(rotation, key, event), now)
    elif why := rollout_in_the_way(head, forced=rotation.forced):
        return until(head, rotation, now + rotation.minute, why)
    return _send(head, rotation, key, event, now)


def _send(
    head: Head, rotation: Rotation, key: KeyName, event: KeysLookedAt, now: datetime
) -> KeyDecision:
    before = rotation.renewal
    fingerprint = event.view.fingerprints[key]
    times = before.sent_times + 1 if before else 1
    renewal = Renewal(key=key, fingerprint=fingerprint, sent_at=now, sent_times=times)
    action = RegenerateKey(
        endpoint=rotation.endpoint,
        key=key,
        fingerprint=fingerprint,
        sent_at=now,
        not_after=now + SEND_WITHIN,
    )
    sent = {"renewal": renewal, "due_at": now + _OPERATION_POLL, "waits": ""}
    again = f" again: it has not changed ({times} of {SENDS_MAX})" if before else ""
    why = f"regenerates the {key} key{again}"
    return put(head, rotation.model_copy(update=sent), why, action)


def _never_landed(rotation: Rotation, key: KeyName, event: KeysLookedAt) -> str:
    told = f": {event.operation_failed}" if event.operation_failed else ""
    command = rotation.endpoint.az_command("regenerate-keys")
    return (
        f"Azure took {SENDS_MAX} requests to regenerate the {key} key, and it is still the same"
        f"{told}. Run: {command} --key-type {key}; then resume"
    )


# -- the secret ----------------------------------------------------------------------------------


def _publish(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
    view = event.view
    if lost := _fresh_is_lost(head, rotation, event, now):
        return lost
    if view.published and view.published.fingerprint == rotation.fresh:
        seen = {"published_at": now, "version": view.published.version, "renewal": None}
        why = f"{rotation.secret} holds the {rotation.spare} key"
        return put(head, entered(rotation, RotationPhase.OVERLAPPING, now, **seen), why)
    if _is_acting(rotation, now):
        return until(head, rotation, _patience(rotation), f"for {rotation.secret} to be written")
    assert rotation.fresh is not None, rotation.phase
    action = PublishKey(
        endpoint=rotation.endpoint,
        key=rotation.spare,
        fingerprint=rotation.fresh,
        secret=rotation.secret,
        expires_at=now + timedelta(days=rotation.policy.secret.expiry_days),
        rotation_id=rotation.id,
    )
    acting = rotation.model_copy(update={"acted_at": now, "due_at": now + GRACE})
    return put(head, acting, f"publishes the {rotation.spare} key", action)


def _overlap(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
    if lost := _published_is_lost(head, rotation, event, now):
        return lost
    assert rotation.published_at is not None, rotation.phase
    ends = rotation.published_at + rotation.overlap
    if now < ends:
        waits = f"for clients to read the new key, until {ends:%H:%M:%S}"
        return until(head, rotation, min(ends, now + _WATCH), waits)
    if why := rollout_in_the_way(head, forced=rotation.forced):
        return until(head, rotation, now + rotation.minute, why)
    told = "every client has had the time to read the new key"
    return put(head, entered(rotation, RotationPhase.CONFIRMING, now), told)


def _confirm(head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime) -> KeyDecision:
    lost = _published_is_lost(head, rotation, event, now)
    return lost or _probe("spare", PROBES)(head, rotation, event, now)


def _fresh_is_lost(
    head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime
) -> KeyDecision | None:
    """The proven key has yet another value: a regeneration landed late, or somebody's own."""
    if event.view.fingerprints[rotation.spare] == rotation.fresh:
        return None
    found = event.view.published
    replaces = found.fingerprint if found else None
    why = f"the {rotation.spare} key has changed once more: it is proven anew"
    return put(head, entered(rotation, RotationPhase.PROVING, now, replaces=replaces), why)


def _published_is_lost(
    head: Head, rotation: Rotation, event: KeysLookedAt, now: datetime
) -> KeyDecision | None:
    """The published key is dead: the new value is proven and published at once."""
    if event.view.fingerprints[rotation.spare] == rotation.fresh:
        return None
    why = f"the {rotation.spare} key was regenerated after it was published: published anew"
    anew = {"replaces": rotation.fresh, "renewal": None, "published_at": None}
    return put(head, entered(rotation, RotationPhase.PROVING, now, **anew), why)


_LOOKS: Mapping[RotationPhase, Look] = {
    RotationPhase.WAITING: _survey,
    RotationPhase.TRYING_SPARE: _probe("spare", 1),
    RotationPhase.RENEWING_SPARE: _renew_spare,
    RotationPhase.PROVING: _probe("spare", PROBES),
    RotationPhase.PUBLISHING: _publish,
    RotationPhase.OVERLAPPING: _overlap,
    RotationPhase.CONFIRMING: _confirm,
    RotationPhase.RENEWING_OLD: _renew_old,
}
