"""What people see of an endpoint's keys: their ages, the secret, the next rotation, the trouble."""

from datetime import datetime, timedelta

from pydantic import Field

from rollout.core.frozen import Frozen
from rollout.core.rotation.looked import SENDS_MAX
from rollout.core.rotation.policy import RotationPolicy
from rollout.core.rotation.state import KeyName, KeysView, Rotation, RotationPhase
from rollout.core.rotation.words import remedy

MISSED_AFTER = timedelta(hours=1)
"""So late a scheduled rotation still starts by itself; then it is overdue, and a person's."""


class RotationView(Frozen):
    """One rotation, live or over."""

    id: str
    endpoint: str = Field(description="workspace/endpoint")
    phase: RotationPhase
    policy: str
    who: str
    why: str
    leaked: bool
    started_at: datetime
    phase_since: datetime
    in_use: KeyName | None = Field(description="the key that clients had at the start")
    published_at: datetime | None = Field(description="when clients could first read the new key")
    waits_for: str
    needs_person: bool
    remedy: str = Field("", description="the command that helps, where a person is needed")
    trouble: str | None
    next_look_at: datetime | None
    waits_until: datetime | None = Field(None, description="when it stops to wait for that")
    then: str = Field("", description="what happens then")


class KeysStatus(Frozen):
    """The keys of one endpoint."""

    endpoint: str = Field(description="workspace/endpoint")
    mode: str = Field(description="the endpoint's authMode; empty where it could not be read")
    policy: str | None = None
    secret: str | None = Field(None, description="the name under which clients read the key")
    version: str | None = Field(None, description="the secret's current version")
    published_at: datetime | None = None
    expires_at: datetime | None = None
    in_use: KeyName | None = Field(None, description="the key that the secret holds")
    renewed: dict[KeyName, datetime] = Field(
        default_factory=dict, description="when this controller last saw each key to be new"
    )
    rotated_at: datetime | None = Field(None, description="when a rotation last came to its end")
    next_rotation_at: datetime | None = None
    seen_at: datetime | None = Field(None, description="when all this was so")
    overdue: str | None = Field(None, description="why it should have been rotated already")
    cannot: str | None = Field(None, description="why nothing can be rotated here")
    rotation: RotationView | None = Field(None, description="the live one, or the last")


def rotation_view(rotation: Rotation) -> RotationView:
    asking = rotation.phase is RotationPhase.ASKING
    until, then = deadline(rotation)
    return RotationView(
        id=rotation.id,
        endpoint=str(rotation.endpoint),
        phase=rotation.phase,
        policy=rotation.policy_name,
        who=rotation.who,
        why=rotation.why,
        leaked=rotation.leaked,
        started_at=rotation.started_at,
        phase_since=rotation.phase_since,
        in_use=rotation.in_use,
        published_at=rotation.published_at,
        waits_for=_waits_for(rotation),
        needs_person=asking,
        remedy=remedy(rotation.trouble or "", rotation.endpoint) if asking else "",
        trouble=rotation.trouble,
        next_look_at=rotation.due_at,
        waits_until=until,
        then=then,
    )


def deadline(rotation: Rotation) -> tuple[datetime | None, str]:
    """Until when a phase waits, where that is known, and what happens then."""
    then = _THEN.get(rotation.phase, "")
    match rotation.phase:
        case RotationPhase.OVERLAPPING if rotation.published_at:
            return rotation.published_at + rotation.overlap, then
        case RotationPhase.PROVING | RotationPhase.CONFIRMING:
            ready = rotation.policy.ready_within_minutes * rotation.minute
            return rotation.phase_since + ready, then
        case RotationPhase.RENEWING_SPARE | RotationPhase.RENEWING_OLD if rotation.renewal:
            lands = rotation.policy.lands_within_minutes * rotation.minute
            last = rotation.renewal.sent_times >= SENDS_MAX
            asked = "a person is asked" if last else "Azure is asked once more"
            return rotation.renewal.sent_at + lands, f"{asked}, if the key is still the same"
        case _:
            return None, then


_ASKED = "a person is asked, if the endpoint still refuses it"
_THEN = {
    RotationPhase.PROVING: _ASKED,
    RotationPhase.OVERLAPPING: "the new key is proven once more, and the old one is regenerated",
    RotationPhase.CONFIRMING: _ASKED,
}
_SENTENCES = {
    RotationPhase.WAITING: "for its turn",
    RotationPhase.TRYING_SPARE: "for the endpoint to answer with the spare key",
    RotationPhase.RENEWING_SPARE: "for the spare key to be new",
    RotationPhase.PROVING: "for the endpoint to answer with the new key ten times in a row",
    RotationPhase.PUBLISHING: "for the secret to hold the new key",
    RotationPhase.OVERLAPPING: "for clients to read the new key",
    RotationPhase.CONFIRMING: "for the endpoint to answer with the new key once more",
    RotationPhase.RENEWING_OLD: "for the old key to be replaced",
    RotationPhase.ASKING: "for a person",
}


def _waits_for(rotation: Rotation) -> str:
    return rotation.waits or _SENTENCES.get(rotation.phase, "nothing: it is over")


def overdue(
    policy: RotationPolicy, rotation: Rotation | None, view: KeysView, now: datetime
) -> str | None:
    """Why a rotation should have been by now, if so."""
    expires = view.published.expires_at if view.published else None
    if expires and expires <= now:
        return f"the secret's version expired at {expires:%Y-%m-%d %H:%M} UTC"
    if rotation is None or policy.schedule is None or not rotation.over:
        return None
    last = policy.schedule.last(now)
    if rotation.started_at < last < now - MISSED_AFTER:
        return f"the rotation of {last:%Y-%m-%d %H:%M} UTC did not start"
    return None


_NO_KEYS = {
    "amltoken": "aml_token endpoints have no keys: their tokens end by themselves in a day",
    "aadtoken": "aad_token endpoints have no keys: clients sign in to Entra",
}


def why_no_keys(mode: str) -> str | None:
    return None if mode == "key" else _NO_KEYS.get(mode, f"authMode {mode} has no keys")
