"""Whole valid rotations and looks at keys, each made from the one detail that matters."""

from datetime import datetime, timedelta
from typing import Any

from rollout.core.endpoint import Provisioning
from rollout.core.head import Head
from rollout.core.rotation.events import KeyProbed, KeysLookedAt, RotationRequested
from rollout.core.rotation.policy import RotationPolicy
from rollout.core.rotation.state import (
    KeyName,
    KeysView,
    Published,
    Renewal,
    Rotation,
    RotationPhase,
)
from tests.builders import MINUTE, a_head, an_endpoint
from tests.fakes import NOON

PRIMARY, SECONDARY = KeyName.PRIMARY, KeyName.SECONDARY
LONG_AGO = NOON - timedelta(days=30)
OLD, SPARE, NEW = "print-of-old", "print-of-spare", "print-of-new"
"""The primary key is in use; the secondary is spare, and then new."""


def a_rotation_policy(**rules: Any) -> RotationPolicy:
    text = {"match": {"endpoint": "churn"}, "probe": {"requests": "smoke/churn.jsonl"}, **rules}
    return RotationPolicy.model_validate(text)


def a_rotation(phase: RotationPhase, **changes: Any) -> Rotation:
    """In that phase since noon, with what it has come to know by then."""
    born = Rotation(
        id="churn-keys-1",
        endpoint=an_endpoint(),
        policy=a_rotation_policy(),
        policy_name="keys",
        minute=MINUTE,
        who="anna",
        phase=phase,
        phase_since=NOON,
        started_at=NOON,
        due_at=NOON,
    )
    known: dict[str, Any] = {}
    if phase is not RotationPhase.WAITING:
        known |= {"in_use": PRIMARY, "ring": "ring", "replaces": OLD}
    if phase in _WITH_FRESH:
        known |= {"fresh": NEW}
    if phase in _PUBLISHED:
        known |= {"published_at": NOON}
    if phase in _PROBED:
        known |= {"acted_at": NOON}
    return born.model_copy(update={**known, **changes})


_PUBLISHED = {
    RotationPhase.OVERLAPPING,
    RotationPhase.CONFIRMING,
    RotationPhase.RENEWING_OLD,
}
_PROBED = {RotationPhase.TRYING_SPARE, RotationPhase.PROVING, RotationPhase.CONFIRMING}
_WITH_FRESH = {*_PUBLISHED, RotationPhase.PROVING, RotationPhase.PUBLISHING}


def a_renewal(key: KeyName = SECONDARY, fingerprint: str = SPARE, **details: Any) -> Renewal:
    return Renewal.model_validate(
        {"key": key, "fingerprint": fingerprint, "sent_at": NOON, **details}
    )


def rotating(phase: RotationPhase, **changes: Any) -> Head:
    return a_head(rotation=a_rotation(phase, **changes))


def seen(
    primary: str = OLD, secondary: str = SPARE, published: str | None = OLD, **details: Any
) -> KeysLookedAt:
    """A look that shows these fingerprints."""
    event = {name: details.pop(name) for name in tuple(details) if name.startswith("operation")}
    version = {"version": "v1", "fingerprint": published, "created_at": LONG_AGO}
    view = {
        "mode": "key",
        "state": Provisioning.SUCCEEDED,
        "fingerprints": {PRIMARY: primary, SECONDARY: secondary},
        "published": Published.model_validate(version) if published else None,
        "ring": "ring",
        **details,
    }
    return KeysLookedAt(id="look", view=KeysView.model_validate(view), **event)


def proven(
    fingerprint: str = NEW,
    failure: str | None = None,
    passed: int = 10,
    asked_at: datetime = NOON,
) -> KeyProbed:
    about = {"fingerprint": fingerprint, "asked_at": asked_at, "passed": passed}
    return KeyProbed.model_validate({"id": "probe", "failure": failure, **about})


def wished(**details: Any) -> RotationRequested:
    event = {"id": "wish", "who": "anna", "policy": a_rotation_policy(), "policy_name": "keys"}
    return RotationRequested.model_validate({**event, **details})
