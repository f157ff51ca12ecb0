"""What the answers are made from."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from threading import Semaphore
from typing import Protocol

from rollout.api.exchange import Request
from rollout.arrivals import Arrivals
from rollout.core.endpoint import EndpointId
from rollout.core.events import Event
from rollout.core.machine.decision import Decision
from rollout.core.rollout import Order
from rollout.doctor import Report
from rollout.feed_ports import Feed
from rollout.keys.rotations import Rotations
from rollout.links import Desk
from rollout.ports import Clock, PolicyFiles, Queue, Store, Telemetry
from rollout.rehearsal.memory import Memory
from rollout.retention import PrunedPage
from rollout.settings import Settings
from rollout.signals import Silent

WAITING_MAX = 4
"""So many requests may wait for news at once in this process: an alert must find a thread."""


class Examiner(Protocol):
    """Who tells whether the installation is well."""

    def examine(self) -> Report: ...


class Pruner(Protocol):
    """Who removes the past."""

    def page(self, before: datetime, after: str, who: str, *, dry: bool) -> PrunedPage: ...


class Decider(Protocol):
    """The part of the engine that these doors hand over to."""

    def resolve(self, name: str) -> EndpointId: ...

    def start(self, order: Order, event_id: str) -> Decision: ...

    def recall(self, name: str) -> EndpointId: ...

    def retry(self, endpoint: EndpointId, event_id: str, who: str, why: str) -> Decision: ...

    def undo(self, endpoint: EndpointId, event_id: str, who: str, why: str) -> Decision: ...

    def handle(self, endpoint: EndpointId, event: Event) -> Decision: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    engine: Decider
    store: Store
    queue: Queue
    keys: Rotations
    policies: PolicyFiles
    clock: Clock
    settings: Settings
    memory: Memory
    doctor: Examiner
    arrivals: Arrivals
    desk: Desk
    retention: Pruner
    feed: Feed
    telemetry: Telemetry = field(default_factory=Silent)
    new_id: Callable[[], str] = token_hex
    sleep: Callable[[float], None] = time.sleep
    waiting: Semaphore = field(default_factory=lambda: Semaphore(WAITING_MAX))

    def event_id(self, request: Request, what: str) -> str:
        """The caller's key, by which a repeat is known; otherwise a new one."""
        return f"{what}:{request.idempotency_key() or self.new_id()}"
