"""An endpoint's two keys in virtual time: regenerations land late, or never, or unheard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from pydantic import SecretStr

from rollout.core.endpoint import EndpointId, Provisioning, WorkspaceId
from rollout.core.rotation.state import KeyName
from rollout.errors import Unavailable, Unknown
from rollout.key_ports import KeyPair, NotTaken
from rollout.ports import Accepted, Answer
from tests.fakes import FakeClock
from tests.simulation.chances import Chances


@dataclass
class KeyFaults:
    """How the platform misbehaves; a rate is the chance for one call."""

    operation: tuple[float, float] = (1.0, 10.0)  # seconds a regeneration is known to run
    lands: tuple[float, float] = (0.0, 20.0)  # seconds from then until the key changes
    refused: tuple[float, float] = (0.0, 30.0)  # seconds until the new key opens the endpoint
    never_lands: float = 0.0
    busy: float = 0.0
    throttled: float = 0.0
    lost_answer: float = 0.0  # it is taken, the caller hears a broken connection
    lost_request: float = 0.0  # it is not taken, and the caller hears the same


@dataclass
class SimulatedKeys:
    """The port EndpointKeys on one endpoint."""

    id: EndpointId
    clock: FakeClock
    random: Random
    faults: KeyFaults = field(default_factory=KeyFaults)
    mode: str = "key"
    keys: dict[KeyName, str] = field(
        default_factory=lambda: {KeyName.PRIMARY: "primary-0", KeyName.SECONDARY: "secondary-0"}
    )
    pending: list[tuple[datetime, KeyName]] = field(default_factory=list)
    opens_at: dict[str, datetime] = field(default_factory=dict)
    landings: list[float] = field(default_factory=list)
    """Seconds until the next regenerations land, in place of what the dice say."""
    busy_until: datetime | None = None
    regenerated: list[KeyName] = field(default_factory=list)
    chances: Chances = field(default_factory=lambda: Chances(0))
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    # -- what is true --------------------------------------------------------------------------

    def settle(self) -> None:
        """Let what has come due change its key."""
        now = self.clock.now()
        for at, name in sorted(self.pending):
            if at <= now:
                self.pending.remove((at, name))
                self.change(name)

    def change(self, name: KeyName) -> None:
        """Give that key another value now; the old one is dead at once."""
        self.keys[name] = f"{name}-{next(self._numbers)}"
        delay = timedelta(seconds=self.random.uniform(*self.faults.refused))
        self.opens_at[self.keys[name]] = self.clock.now() + delay

    def opens(self, key: str) -> bool:
        known = key in self.keys.values()
        return known and self.clock.now() >= self.opens_at.get(key, self.clock.now())

    @property
    def next_change(self) -> datetime | None:
        return min((at for at, _ in self.pending), default=None)

    @property
    def is_busy(self) -> bool:
        return self.busy_until is not None and self.clock.now() < self.busy_until

    # -- the port ------------------------------------------------------------------------------

    def list(self, workspace: WorkspaceId) -> Sequence[EndpointId]:
        return [self.id] if workspace == self.id.in_workspace else []

    def read(self, endpoint: EndpointId) -> KeyPair:
        if endpoint != self.id:
            raise Unknown(f"there is no endpoint {endpoint}")
        self._may_fail("throttled", "429 TooManyRequests")
        state = Provisioning.UPDATING if self.is_busy else Provisioning.SUCCEEDED
        keys: Mapping[KeyName, SecretStr] = {
            name: SecretStr(value) for name, value in self.keys.items()
        }
        return KeyPair(self.mode, state, keys if self.mode == "key" else {}, "blue")

    def regenerate(self, endpoint: EndpointId, key: KeyName) -> Accepted | NotTaken:
        assert endpoint == self.id
        if self.is_busy or self._strikes("busy"):
            return NotTaken("409 Conflict")
        self._may_fail("lost_request", "connection refused")
        self.regenerated.append(key)
        runs = timedelta(seconds=self.random.uniform(*self.faults.operation))
        self.busy_until = self.clock.now() + runs
        if not self._strikes("never_lands"):
            told = self.landings.pop(0) if self.landings else None
            late = self.random.uniform(*self.faults.lands) if told is None else told
            self.pending.append((self.busy_until + timedelta(seconds=late), key))
        self._may_fail("lost_answer", "connection reset")
        return Accepted("https://management.azure.com/operations/keys")

    def probe(self, endpoint: EndpointId, deployment: str, key: SecretStr, body: bytes) -> Answer:
        self._may_fail("throttled", f"no answer to {len(body)} bytes from {endpoint}")
        good = self.opens(key.get_secret_value()) and deployment == "blue"
        return Answer(200 if good else 401, b"{}", timedelta(milliseconds=20))

    def _strikes(self, fault: str) -> bool:
        return self.chances.strikes(f"keys {fault}", getattr(self.faults, fault))

    def _may_fail(self, fault: str, why: str) -> None:
        if self._strikes(fault):
            raise Unavailable(why)


@dataclass
class Client:
    """Keeps a key for the overlap, never retries, and never reads anew because of a 401."""

    key: str
    reads_at: datetime
