"""The resources the emulator holds, in memory."""

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from emulator.arm.traffic import Traffic
from emulator.scoring.fleet import Fleet


@dataclass(slots=True)
class Workspace:
    id: str
    name: str
    subscription: str
    location: str
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Asset:
    """A version of a code, a model or an environment."""

    id: str
    kind: str
    name: str
    version: str
    properties: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Keys:
    primary: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    secondary: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    changes: list["KeyChange"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that was regenerated: what it was, what it became, and when."""

    old: str
    new: str
    at: float


@dataclass(slots=True)
class Deployment:
    """`properties` is the document as shown, with the service's defaults filled in."""

    id: str
    name: str
    location: str
    fleet: Fleet
    properties: dict[str, Any]
    sku: dict[str, Any]
    tags: dict[str, str]
    created_at: str
    state: str = "Creating"
    log: str = ""


@dataclass(slots=True)
class Endpoint:
    """`settings` are description, authMode, compute and the like; traffic is what routes."""

    id: str
    name: str
    workspace: Workspace
    settings: dict[str, Any]
    location: str
    tags: dict[str, str]
    identity: dict[str, Any] | None
    created_at: str
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "Creating"
    ready: bool = False
    traffic: Traffic = field(default_factory=Traffic)
    stale: tuple[Traffic, float] | None = None
    keys: Keys = field(default_factory=Keys)
    token_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    deployments: dict[str, Deployment] = field(default_factory=dict)

    @property
    def kubernetes(self) -> bool:
        return bool(self.settings.get("compute"))

    @property
    def auth_mode(self) -> str:
        """Lower-cased: key, amltoken or aadtoken."""
        return str(self.settings["authMode"]).lower()

    def shown_traffic(self, now: float) -> Traffic:
        """What a GET says, which may be old."""
        if self.stale is not None and now < self.stale[1]:
            return self.stale[0]
        return self.traffic
