"""Installations to be looked at: well ones, and what may be wrong with each part."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rollout import marks
from rollout.access_ports import Lack
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.rotation.state import KeyName
from rollout.doctor import Doctor, House, Platform, Vault
from rollout.errors import RolloutError
from rollout.key_ports import Secrets
from rollout.keys.views import KeysStatus
from rollout.ports import Clock, Metrics, PolicyFiles
from rollout.wakes import STEPS_QUEUE
from tests.fakes import FakeClock, FakeSecrets
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.world import CHURN, World


@dataclass
class FakeAccess:
    """The port Access; each call may be made to fail."""

    clock: FakeClock
    ahead: timedelta | None = timedelta(0)
    found: Sequence[EndpointId] = (CHURN,)
    lacking: Sequence[Lack] = ()
    failing: dict[str, RolloutError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def sign_in(self) -> datetime:
        self._maybe("sign_in")
        return self.clock.now() + timedelta(minutes=75)

    def visit(self, workspace: WorkspaceId) -> datetime | None:
        self._maybe("visit")
        return None if self.ahead is None else self.clock.now() - self.ahead

    def endpoints(self, workspace: WorkspaceId) -> Sequence[EndpointId]:
        self._maybe("endpoints")
        return self.found

    def lacks(self, workspace: WorkspaceId) -> Sequence[Lack]:
        self._maybe("lacks")
        return self.lacking

    def _maybe(self, name: str) -> None:
        self.asked.append(name)
        if name in self.failing:
            raise self.failing[name]


def a_doctor(
    world: World,
    policies: PolicyFiles | None = None,
    access: FakeAccess | None = None,
    vault: Vault | None = None,
) -> Doctor:
    """Of that world's store, queue and numbers."""
    clock: Clock = world.clock
    metrics: tuple[Metrics, ...] = (SimulatedMetrics(world.azure),)
    house = House(
        store=world.store,
        queue=world.queue,
        queue_name=STEPS_QUEUE,
        policies=policies or world.policies,
        clock=clock,
    )
    platform = Platform(
        access=access or FakeAccess(world.clock),
        clock=clock,
        metrics=metrics,
        workspaces=(CHURN.in_workspace,),
        assignee="0c11e47",
    )
    return Doctor(house, platform, vault or a_vault(world.clock))


def a_status(**details: object) -> KeysStatus:
    """Of keys that are well."""
    # pragma: allowlist nextline secret
    well = {"endpoint": "w/churn", "mode": "key", "policy": "keys", "secret": "churn-key"}
    return KeysStatus.model_validate(
        {**well, "version": "v7", "in_use": KeyName.SECONDARY, **details}
    )


def a_vault(
    clock: FakeClock,
    rotated: Sequence[KeysStatus] | None = None,
    secrets: Secrets | None = None,
    key_vault: str | None = None,
) -> Vault:
    """With the keys of these endpoints; of one that is well, where none is given."""
    return Vault(
        secrets=secrets or FakeSecrets(clock),
        clock=clock,
        rotated=lambda: (a_status(),) if rotated is None else rotated,
        key_vault=key_vault,
        assignee="0c11e47",
    )


def a_well_world() -> World:
    """An endpoint with requests, a sweep that has just run, and an alert of this morning."""
    world = World()
    world.engine.sweep()
    marks.note(world.store, marks.ALERT, world.clock.now(), "about w/churn")
    return world
