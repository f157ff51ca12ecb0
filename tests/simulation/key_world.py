"""The endpoint's world with keys: the same engine, a secret, and clients that keep a key."""

from datetime import datetime, timedelta

from pydantic import SecretStr

from rollout.core.head import Head, HistoryEntry
from rollout.core.rotation.state import KeyName, Rotation, RotationPhase
from rollout.effects import Effects
from rollout.engine import Engine
from rollout.keys.lane import KeyLane
from rollout.keys.ring import KeyRing
from rollout.keys.rotations import Rotations, Wish
from rollout.links import Desk
from rollout.looks import Looks
from rollout.measuring import Sources
from rollout.ports import PolicyFile
from rollout.post import Post
from rollout.wakes import STEPS_QUEUE
from tests.fakes import FakeSecrets
from tests.simulation.azure import Faults, SimulatedMetrics
from tests.simulation.keys import Client, KeyFaults, SimulatedKeys
from tests.simulation.workers import Mortal
from tests.simulation.world import (
    CHURN,
    POLICY,
    SWEEP,
    FakePolicies,
    ShakyQueue,
    World,
)

SECRET = "churn-key"  # pragma: allowlist secret
SALT = SecretStr("the installation's own secret")
OVERLAP = timedelta(minutes=10)
ROTATION = """
rotation:
  match: {endpoint: "churn*"}
  schedule: {cron: "0 3 * * *"}
  overlap_minutes: 10
  secret: {name: "{endpoint}-key", expiry_days: 90}
  probe: {requests: smoke/churn.jsonl}
  lands_within_minutes: 2
"""


class BothPolicies(FakePolicies):
    """One rollout policy and one rotation policy."""

    rotation = ROTATION

    def list(self) -> list[PolicyFile]:
        return [PolicyFile("churn", self.text), PolicyFile("keys", self.rotation)]


class KeyWorld(World):
    """Asserts at every moment that each client's key opens the endpoint."""

    def __init__(
        self,
        seed: int = 1,
        faults: KeyFaults | None = None,
        deaths: float = 0.0,
        clients: int = 20,
        azure: Faults | None = None,
        *,
        age: bool = True,
        policy: str = POLICY,
    ) -> None:
        self.key_faults = faults or KeyFaults()
        self.secrets: FakeSecrets | None = None
        super().__init__(seed, policy, azure, deaths)
        self.policies = BothPolicies(policy)
        self.keys = SimulatedKeys(
            CHURN, self.clock, self.random, self.key_faults, chances=self.chances
        )
        self.secrets = FakeSecrets(self.clock)
        first = SecretStr(self.keys.keys[KeyName.PRIMARY])
        self.secrets.publish(SECRET, first, None, {})
        if age:  # what is published is read by everybody
            self.clock.advance(2 * OVERLAP)
        self.clients = [self._client() for _ in range(clients)]
        self.refused: list[str] = []
        self.killed: set[str] = set()
        self.engine = self.new_worker()

    def _client(self) -> Client:
        since = self.random.uniform(0, OVERLAP.total_seconds())
        return Client(self.published, self.clock.now() + timedelta(seconds=since))

    def new_worker(self) -> Engine:
        if self.secrets is None:
            return super().new_worker()
        mortal = {
            name: Mortal(port, self.deaths)
            for name, port in (
                ("store", self.shaky_store()),
                ("queue", ShakyQueue(self.queue, self.roads, self.chances)),
                ("azure", self.azure),
                ("metrics", SimulatedMetrics(self.azure)),
                ("keys", self.keys),
                ("secrets", self.secrets),
            )
        }
        ring = KeyRing(
            mortal["keys"],
            mortal["secrets"],
            mortal["azure"],
            self.policies,
            self.clock,
            lambda: SALT,
        )
        queue = mortal["queue"]
        lane = KeyLane(mortal["store"], self.clock, ring, queue)
        self.rotations = Rotations(
            lane=lane,
            ring=ring,
            endpoints=mortal["keys"],
            policies=self.policies,
            store=mortal["store"],
            clock=self.clock,
            workspaces=(CHURN.in_workspace,),
        )
        sources = Sources(
            endpoints=mortal["azure"],
            metrics=mortal["metrics"],
            samples=self.samples,
            policies=self.policies,
            clock=self.clock,
            logs=self.logs,
            custom=self.custom,
            scoring=self.scoring,
        )
        looks = Looks(sources, (CHURN.in_workspace,), "test", self.missing)
        azure = mortal["azure"]
        effects = Effects(azure, azure, self.policies, "test", self.clock)
        post = Post(mortal["store"], self.clock, self, Desk(lambda: SALT, None))
        return Engine(mortal["store"], queue, self.clock, looks, effects, lane, post=post)

    # -- what people do ------------------------------------------------------------------------

    def rotate(self, event_id: str = "rotate", **wish: object) -> None:
        self.rotations.rotate(CHURN, event_id, Wish("anna", **wish))  # type: ignore[arg-type]

    def somebody_regenerates(self, phase: RotationPhase) -> None:
        """By hand, the spare key, the moment that phase is entered for the first time."""

        def entered(before: Head, after: Head, _entry: HistoryEntry | None) -> None:
            rotation, last = after.rotation, before.rotation
            if self.killed or rotation is None or rotation.phase is not phase:
                return
            if last is None or last.phase is not phase:
                self.killed.add(self.keys.keys[rotation.spare])
                self.keys.change(rotation.spare)

        self.saved.append(entered)

    # -- what time brings ----------------------------------------------------------------------

    def pass_time(self, minutes: float) -> RotationPhase:
        """Let time pass until a rotation ends or asks, or the minutes are over."""
        end = self.clock.now() + timedelta(minutes=minutes)
        sweep_at = self.clock.now() + SWEEP
        while self.clock.now() < end and not self._stands():
            moments: list[datetime | None] = [
                self.queue.next_due(STEPS_QUEUE),
                self.keys.next_change,
                min((client.reads_at for client in self.clients), default=None),
                min((at for at, _ in self.plans), default=None),
            ]
            at = min(moment for moment in (*moments, sweep_at, end) if moment)
            self.clock.time = max(self.clock.time, at)
            self.keys.settle()
            self.azure.settle()
            self.serve()
            self._do_plans()
            self._deliver()
            if self.clock.time >= sweep_at:
                self._survive(self.engine.sweep)
                sweep_at = self.clock.time + SWEEP
            self.serve()
        return self.rotation.phase

    def _stands(self) -> bool:
        rotation = self.head.rotation
        return rotation is not None and (rotation.over or rotation.phase is RotationPhase.ASKING)

    def serve(self) -> None:
        """Every client sends a request with the key it has."""
        now = self.clock.now()
        for client in self.clients:
            if client.reads_at <= now:
                client.key, client.reads_at = self.published, client.reads_at + OVERLAP
        held = {client.key for client in self.clients} - self.killed
        shut = {key for key in held if not self.keys.opens(key)}
        if shut:
            told = f"{now:%H:%M:%S} {{}} in {self.rotation.phase}"
            self.refused += [told.format(one.key) for one in self.clients if one.key in shut]

    # -- what is so ----------------------------------------------------------------------------

    @property
    def published(self) -> str:
        assert self.secrets is not None
        current = self.secrets.current(SECRET)
        assert current is not None
        return current.value.get_secret_value()

    @property
    def rotation(self) -> Rotation:
        rotation = self.head.rotation
        assert rotation is not None
        return rotation

    @property
    def key_story(self) -> list[str]:
        return [
            f"{entry.at:%H:%M:%S} {entry.before} > {entry.after}: {entry.why}"
            for entry in self.store.history(CHURN.key)
        ]
