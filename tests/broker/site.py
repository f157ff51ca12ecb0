"""A simulated Azure, a store on disk and a broker; workers are pumps, as many as a test starts."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from rollout import inbox
from rollout.adapters.azure.identity import EmulatorCredential
from rollout.adapters.azure.service_bus import ServiceBusQueue, connect
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.head import Head, Wake
from rollout.engine import Engine
from rollout.ports import Message
from rollout.wakes import STEPS_QUEUE
from tests.broker import Broker
from tests.broker.pump import Delivered, Pump
from tests.broker.queues import QueueSpec
from tests.simulation.world import CHURN, World

PATIENCE = 20.0


class Site:
    """Time stands still, for the broker too, until a test lets it pass."""

    def __init__(self, specs: Mapping[str, QueueSpec], folder: Path) -> None:
        self.world = World()
        self.began = self.world.clock.time = datetime.now(UTC)
        self.broker = Broker(specs, self.world.clock.now)
        client = partial(connect, self.broker.connection_string, EmulatorCredential())
        self.queue = ServiceBusQueue(client, self.world.clock, ("steps", "events"))
        self.store = SqliteStore(folder / "rollout.db")
        ports: Any = {"store": self.store, "queue": self.queue}
        vars(self.world).update(ports)
        self.world.engine = self.worker()
        self.pumps: list[Pump] = []
        self.done: SimpleQueue[tuple[str, int]] = SimpleQueue()

    def worker(self, azure: Any = None) -> Engine:
        """Another worker on the same store; it may see Azure through something else."""
        own, self.world.azure = self.world.azure, azure or self.world.azure
        try:
            engine: Engine = self.world.new_worker()
        finally:
            self.world.azure = own
        return engine

    def start_rollout(self) -> Wake:
        """Start, forget what was sent for it, and answer the wake-up for its first look."""
        self.world.start()
        self.broker.forget()
        return _first_wake(self.world)

    def once(self) -> tuple[Head, list[str]]:
        """What one worker makes of one wake-up at this time, in a world like this one."""
        twin = World()
        twin.clock.time = self.began
        twin.start()
        wake = _first_wake(twin)
        twin.clock.time = self.world.clock.time
        twin.engine.wake(wake)
        return twin.head, twin.told

    def now(self) -> tuple[Head, list[str]]:
        return self.world.head, self.world.told

    def send(self, wake: Wake, session: str = CHURN.key) -> None:
        body = wake.model_dump_json().encode()
        self.queue.send(Message(STEPS_QUEUE, session, wake.message_id, body))

    def work(self, engine: Engine | None = None) -> Pump:
        """Start a worker as function_app.step is one."""
        chosen = engine or self.world.engine

        def step(body: bytes, about: Delivered) -> None:
            chosen.wake(inbox.read_wake(body))
            self.done.put((about.id, about.count))

        pump = Pump(self.broker.connection_string)
        self.pumps.append(pump)
        pump.start(STEPS_QUEUE, step)
        return pump

    def stop(self) -> None:
        """Let every worker finish what it has."""
        for pump in self.pumps:
            pump.ask_to_stop()
        for pump in self.pumps:
            pump.stop()


def _first_wake(world: World) -> Wake:
    head = world.head
    assert head.due_at
    world.clock.time = max(world.clock.time, head.due_at)
    world.azure.settle()
    return Wake(endpoint=CHURN, generation=head.generation, turn=head.turn)


class Gate:
    """Azure, at which a worker that reads an endpoint waits until it is let through."""

    def __init__(self, azure: Any) -> None:
        self._azure = azure
        self.entered, self.opened = threading.Event(), threading.Event()

    def read(self, endpoint: Any) -> Any:
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        return self._azure.read(endpoint)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._azure, name)


class Meeting(Gate):
    """Azure, at which workers that read an endpoint wait for each other once."""

    def __init__(self, azure: Any, all_here: threading.Barrier) -> None:
        super().__init__(azure)
        self._all_here = all_here

    def read(self, endpoint: Any) -> Any:
        if not self.entered.is_set():
            self.entered.set()
            self._all_here.wait(PATIENCE)
        return self._azure.read(endpoint)
