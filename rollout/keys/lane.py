"""The way of an event about keys: load, decide, save, do; beside that of rollouts, on one row."""

import logging
from datetime import timedelta

from rollout.core.endpoint import EndpointId
from rollout.core.head import Head
from rollout.core.machine.repeats import answered, is_for_good
from rollout.core.rollout import Phase
from rollout.core.rotation.actions import AnyKeyAction
from rollout.core.rotation.decide import decide_keys
from rollout.core.rotation.decision import KeyDecision, refuse
from rollout.core.rotation.events import EndpointMissed, KeyCommand, KeyEvent, LookFailed
from rollout.core.rotation.record import record_keys
from rollout.core.rotation.state import Rotation
from rollout.errors import Conflict, Refused, Unavailable, Unknown
from rollout.keys.ring import KeyRing
from rollout.ports import Clock, Held, Queue, Store
from rollout.wakes import send_notices, send_wake

STEPS_MAX = 30
"""So many looks one message may lead to; the rest is another message's."""

log = logging.getLogger(__name__)


class KeyLane:
    """Answers events about keys, one endpoint at a time; any number of workers may run at once.

    Every action is done by the worker that saved the decision, and by no other: where it died,
    a later look shows what became of it, and decides again.
    """

    def __init__(self, store: Store, clock: Clock, ring: KeyRing, queue: Queue) -> None:
        self._store = store
        self._clock = clock
        self._ring = ring
        self._queue = queue

    def tell(self, endpoint: EndpointId, event: KeyCommand) -> KeyDecision:
        """Decide on what is asked, and go on with it at once, as far as it goes."""
        decision = self._decide(endpoint, event)
        if decision.taken:
            self.step(endpoint)
        return decision

    def step(self, endpoint: EndpointId) -> Held:
        """Look and do, until nothing about the keys is due any more; returns the row as it is."""
        for _ in range(STEPS_MAX):
            held = self._store.load(endpoint)
            rotation = held.head.rotation
            if rotation is None or rotation.due_at is None:
                return held
            if rotation.due_at > self._clock.now():
                return held
            self._decide(endpoint, self._look(held.head, rotation), held.head.turn)
        return self._store.load(endpoint)

    def _look(self, head: Head, rotation: Rotation) -> KeyEvent:
        event_id = f"keys:{head.endpoint.key}:{head.turn}"
        try:
            return self._ring.look(rotation, event_id)
        except Unknown as gone:
            log.info("%s: %s", head.endpoint, gone)
            return EndpointMissed(id=event_id)
        except (Unavailable, Refused) as later:
            after = later.after if isinstance(later, Unavailable) else timedelta(minutes=1)
            return LookFailed(id=event_id, reason=str(later), after=after)

    def _decide(
        self, endpoint: EndpointId, event: KeyEvent, turn: int | None = None
    ) -> KeyDecision:
        """Decide, save, do; what comes of it is the next event. A faster worker is followed."""
        while True:
            held = self._store.load(endpoint)
            if turn is not None and turn != held.head.turn:
                return refuse(held.head, "something was decided since")
            if known := answered(held.head, event.id):
                return KeyDecision(known.head, known.why, taken=known.taken)
            now = self._clock.now()
            decision = decide_keys(held.head, event, now)
            if not decision.taken and not is_for_good(event):
                return decision
            row, entry = record_keys(held.head, decision, event, now)
            try:
                saved = self._store.save(held, row, entry)
            except Conflict:
                continue
            break
        if decision.taken:
            self._send(held.head, saved.head)
        if decision.action:
            self._do(endpoint, decision.action, saved.head)
        return KeyDecision(saved.head, decision.why, taken=decision.taken)

    def _send(self, before: Head, saved: Head) -> None:
        """The row's own wake-up, and word of what people are to be told."""
        send_wake(self._queue, saved, saved.due_at)
        if saved.outbox != before.outbox:
            send_notices(self._queue, saved)

    def _do(self, endpoint: EndpointId, action: AnyKeyAction, saved: Head) -> None:
        def still_wanted() -> bool:
            head = self._store.load(endpoint).head
            return _place(head) == _place(saved) and head.phase is not Phase.ROLLING_BACK

        answer = self._ring.perform(action, f"{saved.endpoint.key}:{saved.turn}:keys", still_wanted)
        if answer:
            self._decide(endpoint, answer)


def _place(head: Head) -> tuple[object, ...]:
    rotation = head.rotation
    return (rotation.id, rotation.phase, rotation.phase_since) if rotation else ()
