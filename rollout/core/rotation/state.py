"""The state of one rotation: which key is in use, what it waits for, and why."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from rollout.core.endpoint import EndpointId, Provisioning
from rollout.core.frozen import Frozen
from rollout.core.rotation.policy import RotationPolicy


class KeyName(StrEnum):
    """An endpoint has two keys; both open it."""

    PRIMARY = "primary"
    SECONDARY = "secondary"

    @property
    def other(self) -> "KeyName":
        return KeyName.SECONDARY if self is KeyName.PRIMARY else KeyName.PRIMARY


class RotationPhase(StrEnum):
    """-ing waits for the world, -ed is over."""

    IDLE = "idle"  # no key was rotated here
    WAITING = "waiting"  # for its turn; then it finds out which key is in use
    TRYING_SPARE = "trying_spare"  # does the key that nobody uses open the endpoint?
    RENEWING_SPARE = "renewing_spare"  # that key is regenerated
    PROVING = "proving"  # the new key must open the endpoint ten times in a row
    PUBLISHING = "publishing"  # it becomes the secret's new version
    OVERLAPPING = "overlapping"  # clients read it, each in its own time
    CONFIRMING = "confirming"  # before the old key dies, the new one is proven again
    RENEWING_OLD = "renewing_old"  # the old key is regenerated
    ASKING = "asking"  # a person is needed
    ROTATED = "rotated"
    ABORTED = "aborted"  # by a person
    DECLINED = "declined"  # nothing was changed


ROTATION_OVER = frozenset(
    {
        RotationPhase.IDLE,
        RotationPhase.ROTATED,
        RotationPhase.ABORTED,
        RotationPhase.DECLINED,
    }
)


class Published(Frozen):
    """The secret's current version; its value is known here by its fingerprint alone."""

    version: str
    fingerprint: str
    created_at: datetime
    expires_at: datetime | None = None


class KeysView(Frozen):
    """The endpoint's keys as they are: fingerprints, and never the keys themselves."""

    mode: str = Field(description="the endpoint's authMode, in lower case")
    state: Provisioning
    fingerprints: Mapping[KeyName, str] = Field(default_factory=dict)
    published: Published | None = None
    ring: str = Field(description="tells one installation secret from another")

    def named(self, fingerprint: str | None) -> KeyName | None:
        """Which key has that fingerprint now."""
        found = (name for name, known in self.fingerprints.items() if known == fingerprint)
        return next(found, None)


class Renewal(Frozen):
    """A regeneration that was asked for: it has happened when the fingerprint is another."""

    key: KeyName
    fingerprint: str = Field(description="of the value that is to go")
    sent_at: datetime
    sent_times: int = 1
    operation: str | None = Field(None, description="the URL that tells how it goes on")


class Rotation(Frozen):
    """Two keys on their way to be replaced, one after the other."""

    id: str
    endpoint: EndpointId
    policy: RotationPolicy
    policy_name: str
    minute: timedelta = Field(description="the length of a policy minute here")
    who: str
    why: str = ""
    leaked: bool = Field(default=False, description="a key is in wrong hands: no overlap")
    forced: bool = Field(default=False, description="also while a rollout is on its way")
    phase: RotationPhase
    phase_since: datetime
    started_at: datetime
    due_at: datetime | None = Field(None, description="when its keys are looked at next")
    said_in_use: KeyName | None = Field(None, description="what a person said is in use")
    in_use: KeyName | None = Field(None, description="the key that clients have at the start")
    ring: str | None = None
    replaces: str | None = Field(None, description="fingerprint of the version found at the start")
    renewal: Renewal | None = None
    fresh: str | None = Field(None, description="fingerprint of the new key")
    published_at: datetime | None = Field(None, description="when the new version was first seen")
    version: str | None = Field(None, description="the secret's version, as last seen")
    acted_at: datetime | None = Field(None, description="when this phase's request was begun")
    passed: int = Field(0, description="good answers to this phase's probe so far, in a row")
    failures: int = Field(0, description="of this phase's requests, one after another")
    during: RotationPhase | None = Field(None, description="what a question interrupted")
    waits: str = Field("", description="what it waits for")
    trouble: str | None = None
    gone_since: datetime | None = None
    renewed: Mapping[KeyName, datetime] = Field(
        default_factory=dict, description="when each key was last seen to be new"
    )
    rotated_at: datetime | None = Field(None, description="when a rotation last came to its end")
    lands_until: datetime | None = Field(
        None, description="until then a key may still change that was asked for before it began"
    )

    @property
    def over(self) -> bool:
        return self.phase in ROTATION_OVER

    @property
    def secret(self) -> str:
        return self.policy.secret.of(self.endpoint)

    @property
    def spare(self) -> KeyName:
        """The key that nobody uses at the start: it becomes the new one."""
        assert self.in_use is not None, self.phase
        return self.in_use.other

    @property
    def regenerating(self) -> bool:
        """Whether a regeneration may be under way on the platform."""
        renewing = {RotationPhase.RENEWING_SPARE, RotationPhase.RENEWING_OLD}
        return self.phase in renewing and self.renewal is not None

    @property
    def overlap(self) -> timedelta:
        return timedelta(0) if self.leaked else self.policy.overlap_minutes * self.minute
