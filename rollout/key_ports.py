"""What rotations need from outside beside the other ports: an endpoint's keys, and secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from rollout.core.endpoint import EndpointId, Provisioning, WorkspaceId
from rollout.core.rotation.state import KeyName
from rollout.ports import Accepted, Answer


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An endpoint's two keys; empty where its `mode` (authMode in lower case) has none.

    `busiest` is the deployment with the most live traffic.
    """

    mode: str
    state: Provisioning
    keys: Mapping[KeyName, SecretStr] = field(default_factory=dict)
    busiest: str | None = None


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The platform did certainly not take a request."""

    why: str


class EndpointKeys(Protocol):
    """The keys of online endpoints; each call raises Unavailable, Refused or Unknown."""

    def list(self, workspace: WorkspaceId) -> Sequence[EndpointId]: ...

    def read(self, endpoint: EndpointId) -> KeyPair: ...

    def regenerate(self, endpoint: EndpointId, key: KeyName) -> Accepted | NotTaken:
        """Ask for another value; raises Unavailable where it may have been taken or not."""
        ...

    def probe(self, endpoint: EndpointId, deployment: str, key: SecretStr, body: bytes) -> Answer:
        """Send one request with that key, over a connection of its own."""
        ...


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """One version of a secret."""

    id: str
    value: SecretStr
    created_at: datetime
    expires_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class Secrets(Protocol):
    """Named secrets with versions; each call raises Unavailable or Refused."""

    def current(self, name: str) -> SecretVersion | None:
        """The latest version; None where there is none."""
        ...

    def publish(
        self, name: str, value: SecretStr, expires_at: datetime, tags: Mapping[str, str]
    ) -> SecretVersion:
        """Write a new version, which is the current one from then on."""
        ...

    def once(self, name: str, value: SecretStr) -> SecretStr:
        """The first version ever written; that value, where there is none yet.

        Any number of callers may do so at once: all get the same.
        """
        ...
