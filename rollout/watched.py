"""The engine and its ports as they are watched: they do the same, and tell what they do."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from rollout import signals
from rollout.core.endpoint import EndpointId
from rollout.core.events import Event
from rollout.core.head import Debt, Head, HistoryEntry, Wake
from rollout.core.machine.decision import Decision
from rollout.core.rollout import Order, Outcome, Rollout
from rollout.effects import Effects, Partly, StillWanted
from rollout.engine import Engine
from rollout.errors import RolloutError
from rollout.ports import Clock, Held, Queue, Store, Telemetry
from rollout.signals import ENDPOINT, EVENT_ID, ROLLOUT_ID

DEAD_MAX = 100

_Port = TypeVar("_Port")


class WatchedEngine(Engine):
    """Each door is a span, and what is logged behind it names endpoint, rollout and event."""

    telemetry: Telemetry = signals.Silent()

    def start(self, order: Order, event_id: str) -> Decision:
        with self._at("engine.start", order.endpoint, event_id):
            return super().start(order, event_id)

    def retry(self, endpoint: EndpointId, event_id: str, who: str, why: str) -> Decision:
        with self._at("engine.retry", endpoint, event_id):
            return super().retry(endpoint, event_id, who, why)

    def handle(self, endpoint: EndpointId, event: Event) -> Decision:
        with self._at("engine.handle", endpoint, event.id):
            return super().handle(endpoint, event)

    def wake(self, wake: Wake) -> None:
        with self._at("engine.wake", wake.endpoint, wake.message_id):
            super().wake(wake)

    def sweep(self) -> int:
        with self.telemetry.span("engine.sweep"):
            late = super().sweep()
        self._tell_of_sweep(self._clock, self._store, self._queue)
        return late

    @contextmanager
    def _at(self, name: str, endpoint: EndpointId, event_id: str) -> Iterator[None]:
        facts = {ENDPOINT: str(endpoint), EVENT_ID: event_id}
        with signals.working_on(facts), self.telemetry.span(name):
            self.telemetry.about(facts)
            yield

    def _tell_of_sweep(self, clock: Clock, store: Store, queue: Queue) -> None:
        if not self.telemetry.on:
            return
        try:
            now = clock.now()
            late = store.due(now, 1)
            oldest = late[0].due_at if late else None
            dead = len(queue.dead_letters(DEAD_MAX))
        except RolloutError:
            return  # a number that is missing is seen; a sweep that fails for it helps nobody
        seconds = (now - oldest).total_seconds() if oldest else 0.0
        self.telemetry.tell(signals.OLDEST_STEP, seconds, {})
        self.telemetry.tell(signals.DEAD_LETTERS, dead, {})


class WatchedEffects(Effects):
    """Each owed action is a span of its own."""

    telemetry: Telemetry = signals.Silent()

    def perform(self, debt: Debt, still_wanted: StillWanted) -> Event | Partly | None:
        with self.telemetry.span(f"effect.{debt.action.type}"):
            return super().perform(debt, still_wanted)


class WatchedStore:
    """What is saved is told, once: a save that lost against another worker is not."""

    def __init__(self, store: Store, telemetry: Telemetry) -> None:
        self._store = store
        self._telemetry = telemetry

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the store's other methods
        return getattr(self._store, name)

    def load(self, endpoint: EndpointId) -> Held:
        held = self._store.load(endpoint)
        self._name(held.head)
        return held

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        saved = self._store.save(held, head, entry)
        self._name(head)
        if head.rollout:
            _tell_of(self._telemetry, held.head.rollout, head.rollout)
        return saved

    def _name(self, head: Head) -> None:
        if head.rollout and signals.subject().get(ENDPOINT) == str(head.endpoint):
            facts = {ROLLOUT_ID: head.rollout.id}
            signals.found_out(facts)
            self._telemetry.about(facts)


def _tell_of(telemetry: Telemetry, before: Rollout | None, after: Rollout) -> None:
    about = {ENDPOINT: str(after.endpoint), ROLLOUT_ID: after.id}
    if before and before.id != after.id:
        before = None
    if before is None or before.phase is not after.phase:
        if before:
            telemetry.tell(signals.PHASE, 0, {**about, "phase": before.phase.value})
        telemetry.tell(signals.PHASE, 1, {**about, "phase": after.phase.value})
    telemetry.tell(signals.WEIGHT, after.observed.share(after.canary), about)
    if after.report and after.report is not (before and before.report):
        seen = max((one.canary.requests for one in after.report.findings), default=0)
        telemetry.tell(signals.EVIDENCE, seen, about)
    if after.outcome is Outcome.PROMOTED and (before is None or not before.over):
        telemetry.tell(signals.PROMOTIONS, 1, about)
    _tell_of_way_back(telemetry, before, after)


def _tell_of_way_back(telemetry: Telemetry, before: Rollout | None, after: Rollout) -> None:
    back, earlier = after.rollback, before.rollback if before else None
    if back is None:
        return
    about = {ENDPOINT: str(after.endpoint), ROLLOUT_ID: after.id}
    if earlier is None or earlier.decided_at != back.decided_at:
        telemetry.tell(signals.ROLLBACKS, 1, {**about, "outcome": back.outcome.value})
    accepted = back.accepted_at
    if accepted and not (earlier and earlier.accepted_at):
        telemetry.tell(signals.ROLLBACK_REQUEST, _seconds(back.decided_at, accepted), about)
        if back.alert_fired_at:
            telemetry.tell(signals.ALERT_REQUEST, _seconds(back.alert_fired_at, accepted), about)


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())


class _Watched:
    """A port whose every call is a span."""

    def __init__(self, port: object, name: str, telemetry: Telemetry) -> None:
        self._port = port
        self._name = name
        self._telemetry = telemetry

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the port's own
        found = getattr(self._port, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the port's own
            with self._telemetry.span(f"{self._name}.{name}"):
                return found(*args, **kwargs)

        return call


def watched(port: _Port, name: str, telemetry: Telemetry) -> _Port:
    """The same port, with a span for each call where anybody takes spans."""
    if not telemetry.on or port is None:
        return port
    seen: Any = _Watched(port, name, telemetry)
    told: _Port = seen
    return told
