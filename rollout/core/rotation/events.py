"""What has happened to an endpoint's keys: facts, in the past tense."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from rollout.core.frozen import Frozen
from rollout.core.rotation.policy import RotationPolicy
from rollout.core.rotation.state import KeyName, KeysView

Text = Annotated[str, StringConstraints(max_length=2000)]


class KeyEvent(Frozen):
    id: str


class KeyCommand(KeyEvent):
    """Something that a person, a schedule or an expiry asks; a repeat is known by its id."""

    who: Text
    why: Text = ""
    standing: bool = Field(
        default=False, description="asked again and again under its id: a no to it is none for good"
    )


class RotationRequested(KeyCommand):
    policy: RotationPolicy
    policy_name: str
    minute: timedelta = timedelta(minutes=1)
    leaked: bool = False
    forced: bool = False
    in_use: KeyName | None = None


class RotationAbortRequested(KeyCommand):
    """Leave the keys as they are now."""


class RotationResumeRequested(KeyCommand):
    """Go on after a question; `in_use` answers the one which key clients have."""

    in_use: KeyName | None = None


class RotationOverdue(KeyCommand):
    """A rotation should have been by now: `why`. Nothing is done but to tell people."""

    policy: RotationPolicy


class KeysLookedAt(KeyEvent):
    """What one look at keys and secret showed."""

    view: KeysView
    operation_running: bool = False
    operation_failed: str | None = None


class EndpointMissed(KeyEvent):
    """Azure knows no such endpoint."""


class KeyProbed(KeyEvent):
    """How a key fared before the endpoint; `failure` tells of the first answer that was wrong.

    Without one it may have `passed` fewer times than was asked for: then it took long.
    """

    fingerprint: str
    asked_at: datetime
    passed: int
    failure: str | None = None


class RegenerationAnswered(KeyEvent):
    """What Azure said to it; `taken` is None where no answer came."""

    fingerprint: str
    sent_at: datetime
    taken: bool | None
    operation: str | None = None
    why: str = ""


class KeyActionFailed(KeyEvent):
    """A request for a secret or a probe came to nothing; where `refused`, a person is needed."""

    fingerprint: str
    action: str
    reason: str
    refused: bool = False
    after: timedelta | None = None


class KeyPublished(KeyEvent):
    """A new version was written; it counts when a look shows it."""

    fingerprint: str
    version: str


class LookFailed(KeyEvent):
    """Keys or secret could not be read; nothing is decided on it."""

    reason: str
    after: timedelta | None = None
    at: datetime | None = None
