"""What we ask of the world about keys: each names a key by its fingerprint, never by its value."""

from datetime import datetime

from pydantic import Field

from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.rotation.policy import Probe
from rollout.core.rotation.state import KeyName


class KeyAction(Frozen):
    endpoint: EndpointId
    key: KeyName
    fingerprint: str = Field(description="of the value that the key has when it is decided")


class ProbeKey(KeyAction):
    """See that this key opens the endpoint so many times in a row, over fresh connections."""

    probe: Probe
    times: int
    asked_at: datetime = Field(description="tells this request from one before or after it")

    def __str__(self) -> str:
        return f"ask the endpoint {self.times} times with the {self.key} key"


class RegenerateKey(KeyAction):
    """Give the key another value; nothing is sent when it has one already, or when it is late."""

    sent_at: datetime = Field(description="tells this request from one before or after it")
    not_after: datetime = Field(description="a worker that slept so long must not send it")

    def __str__(self) -> str:
        return f"regenerate the {self.key} key"


class PublishKey(KeyAction):
    """Make the key the secret's current version; nothing is written when it is already."""

    secret: str
    expires_at: datetime
    rotation_id: str

    def __str__(self) -> str:
        return f"publish the {self.key} key as {self.secret}"


AnyKeyAction = ProbeKey | RegenerateKey | PublishKey
