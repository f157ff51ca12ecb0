"""Load, decide, save, perform: what is decided is saved before it is done."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from rollout.core import outbox
from rollout.core.actions import Action, DeleteDeployment, ScaleDeployment, SetTraffic
from rollout.core.endpoint import EndpointId
from rollout.core.events import (
    AlertNotice,
    EndpointGone,
    Event,
    TrafficAccepted,
    UndoRequested,
)
from rollout.core.head import Debt, Head, Wake
from rollout.core.machine.decide import decide, is_turn_of_queued, next_look, rests
from rollout.core.machine.decision import Decision, refuse
from rollout.core.machine.repeats import answered, is_for_good
from rollout.core.record import due, record, without
from rollout.core.rollout import Order
from rollout.core.rotation.beside import waits_for_key
from rollout.effects import Effects, Partly
from rollout.errors import Conflict, Refused, Unavailable, Unknown
from rollout.keys.lane import KeyLane
from rollout.looks import Looks
from rollout.ports import Clock, Held, Queue, Store
from rollout.post import Post
from rollout.sweeping import Sweep
from rollout.unsaved import Unsaved
from rollout.waits import DELAY_MAX, delay
from rollout.wakes import send_notices, send_wake, wake_message

log = logging.getLogger(__name__)

GONE_AFTER = timedelta(minutes=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Engine:
    """Answers events, one endpoint at a time; any number of workers may run at once."""

    def __init__(  # noqa: PLR0913 - what it orders, and two lanes beside it
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        looks: Looks,
        effects: Effects,
        keys: KeyLane | None = None,
        *,
        post: Post | None = None,
    ) -> None:
        """Without `keys` no rotation is gone on with; without `post` nobody is told."""
        self._store = store
        self._queue = queue
        self._clock = clock
        self._looks = looks
        self._effects = effects
        self._keys = keys
        self._post = post
        self._unsaved = Unsaved(effects.give_back, queue, clock)

    # -- doors -------------------------------------------------------------------------------

    def resolve(self, name: str) -> EndpointId:
        """The endpoint a person means; raises Malformed or Unknown with the candidates."""
        return self._looks.resolve(name)

    def recall(self, name: str) -> EndpointId:
        """The endpoint of that name on which something was rolled out, or waits to be.

        Azure is asked only where the store does not tell which one is meant: an abort needs no ARM.
        """
        candidates = self._looks.candidates(name)
        heads = [self._store.load(one).head for one in candidates]
        known = [head.endpoint for head in heads if head.rollout or head.queued]
        return known[0] if len(known) == 1 else self._looks.resolve(name)

    def start(self, order: Order, event_id: str) -> Decision:
        """Begin a rollout, or say why not; a repeat of the same id changes nothing."""
        repeat = self._repeat(order.endpoint, event_id)
        named = order.model_copy(update={"id": event_id})
        return repeat or self.handle(order.endpoint, self._looks.start(named, event_id))

    def retry(self, endpoint: EndpointId, event_id: str, who: str, why: str) -> Decision:
        """The last order again, or the stage that holds; raises Unknown where there is none."""
        if repeat := self._repeat(endpoint, event_id):
            return repeat
        last = self._store.load(endpoint).head.rollout
        if last is None:
            raise Unknown(f"nothing was rolled out on {endpoint} yet")
        asked = {"id": event_id, "who": who, "why": why, "announced": False, "happened_at": None}
        order = last.order.model_copy(update=asked)
        return self.handle(endpoint, self._looks.retry(order, event_id))

    def undo(self, endpoint: EndpointId, event_id: str, who: str, why: str) -> Decision:
        """After a promotion: back to what served before, if Azure does not say that it is gone."""
        repeat = self._repeat(endpoint, event_id)
        there = None if repeat else self._looks.there(endpoint)
        return repeat or self.handle(
            endpoint, UndoRequested(id=event_id, who=who, why=why, there=there)
        )

    def wake(self, wake: Wake) -> None:
        """Look at an endpoint, unless it was looked at since the message was sent.

        Where the state cannot be had, the message is sent again for later: raised, it would be
        delivered again at once, and soon be a dead letter.
        """
        try:
            if wake.outbox:
                self._deliver(wake.endpoint)
            else:
                self._wake(wake)
        except (Unavailable, Refused) as later:
            self._wake_later(wake, later)

    def _wake(self, wake: Wake) -> None:
        self._try_unsaved(wake.endpoint)
        held = self._store.load(wake.endpoint)
        if (held.head.generation, held.head.turn) != (wake.generation, wake.turn):
            return
        self._go_on(held)
        if self._keys:  # last: a way back waits for no key
            self._keys.step(wake.endpoint)

    def _go_on(self, held: Held) -> None:
        """Perform what is owed to the rollout, and look at it."""
        now = self._clock.now()
        owed = [debt for debt in held.head.owed if debt.not_before <= now]
        if owed:
            self._pay(held.head.endpoint, owed)
            held = self._store.load(held.head.endpoint)
        if outbox.is_overdue(held.head, now):
            send_notices(self._queue, held.head, (now - _EPOCH) // outbox.GRACE)
        if rests(held.head, now):
            self._rest(held, now)
            return
        try:
            event = self._next_event(held.head)
        except (Unavailable, Refused, Unknown) as later:  # raised, it would end as a dead letter
            self._look_later(held, later)
        else:
            self._handle_look(held, event)

    def sweep(self) -> int:
        """Send again what got lost: a wake-up long due whose message never came."""
        self._unsaved.each(self._try_unsaved)
        return Sweep(self._store, self._queue, self._clock, self._wake).run()

    def _try_unsaved(self, endpoint: EndpointId) -> None:
        event = self._unsaved.waiting(endpoint)
        if event:
            self.handle(endpoint, event)
            self._unsaved.settled(endpoint)

    # -- load, decide, save --------------------------------------------------------------------

    def handle(self, endpoint: EndpointId, event: Event) -> Decision:
        """Answer one event: decide on what is stored, save it, then do it."""
        decision, owed = self._decide(endpoint, event, None)
        self._pay(endpoint, owed)
        return decision

    def _handle_look(self, looked_at: Held, event: Event) -> None:
        """The same, unless something was decided since the look was taken."""
        decision, owed = self._decide(looked_at.head.endpoint, event, None, looked_at)
        self._perform(decision.head.endpoint, owed)

    def _decide(
        self, endpoint: EndpointId, event: Event, paid: Debt | None, looked_at: Held | None = None
    ) -> tuple[Decision, tuple[Debt, ...]]:
        """Decide and save; a worker that was faster makes us load and decide again.

        A look decides on the row that it was taken for: the etag tells whether that still stands.
        """
        held, turn = looked_at, looked_at.head.turn if looked_at else None
        while True:
            held = held or self._store.load(endpoint)
            if paid is not None and paid not in held.head.owed:
                return refuse(held.head, "it was withdrawn or done meanwhile"), ()
            if turn is not None and turn != held.head.turn:
                return refuse(held.head, "something was decided since"), ()
            if known := None if isinstance(event, AlertNotice) else answered(held.head, event.id):
                return known, ()
            now = self._clock.now()
            before = without(held.head, paid)
            decision = decide(before, event, now)
            changed = decision.taken or decision.head != held.head or is_for_good(event)
            asked = turn is None  # what a look brings always sets the next one
            if asked and not changed:
                return decision, ()
            row, new, entry = record(before, decision, event, now, asked=asked)
            try:
                saved = self._store.save(held, row, entry)
            except Conflict:
                held = None
                continue
            except (Unavailable, Refused) as error:
                return self._unsaved.give_back(held.head, decision, event, error), ()
            if saved.head.turn != held.head.turn:
                self._send(saved.head, saved.head.due_at)
            if saved.head.outbox != held.head.outbox:
                send_notices(self._queue, saved.head)
            return replace(decision, head=saved.head), new

    def _repeat(self, endpoint: EndpointId, event_id: str) -> Decision | None:
        return answered(self._store.load(endpoint).head, event_id)

    # -- perform -------------------------------------------------------------------------------

    def _pay(self, endpoint: EndpointId, owed: Iterable[Debt]) -> None:
        """Do what is owed; what cannot be noted as done stays owed, and holds up nothing."""
        try:
            self._perform(endpoint, owed)
        except (Unavailable, Refused) as later:
            log.warning("%s: decided, but not noted as done: %s", endpoint, later)

    def _perform(self, endpoint: EndpointId, debts: Iterable[Debt]) -> None:
        """Do what is owed, in order; what comes of it may owe more."""
        waiting = list(debts)
        while waiting:
            debt = waiting.pop(0)
            still_wanted = partial(self._is_owed, endpoint, debt)
            asked_at = debt.asked_at or self._clock.now()
            try:
                if not self._may_be_done(endpoint, debt):
                    continue
                answer = self._effects.perform(debt, still_wanted)
            except Unavailable as later:
                answer = Partly(debt.smoked, later)
            if isinstance(answer, Partly):
                self._leave_owed(endpoint, debt, answer, asked_at)
                return
            if isinstance(answer, TrafficAccepted):
                answer = answer.model_copy(update={"asked_at": asked_at})
            if answer is None:
                self._strike_off(endpoint, debt)
            else:
                waiting.extend(self._decide(endpoint, answer, debt)[1])

    def _may_be_done(self, endpoint: EndpointId, debt: Debt) -> bool:
        """Whether it is still owed; a way back is asked for whatever the store can tell now.

        Raises Unavailable while a key is regenerated that the action has to wait for.
        """
        if isinstance(debt.action, SetTraffic) and debt.action.is_rollback:
            return True
        head = self._store.load(endpoint).head
        why = waits_for_key(head, debt.action)
        if why:
            raise Unavailable(why, timedelta(seconds=1))
        return debt in head.owed and not self._is_given_back(head, debt.action)

    def _is_given_back(self, head: Head, action: Action) -> bool:
        """Whether only Azure knows of a rollback to what is to be deleted or made smaller."""
        retires = isinstance(action, DeleteDeployment | ScaleDeployment)
        with suppress(Refused, Unknown):  # the action meets the same, and that is told
            return retires and head.rollout is not None and self._looks.is_given_back(head.rollout)
        return False

    def _is_owed(self, endpoint: EndpointId, debt: Debt) -> bool:
        """Raises Unavailable where the store refuses: that is no answer of Azure's."""
        try:
            return debt in self._store.load(endpoint).head.owed
        except Refused as no:
            raise Unavailable(str(no)) from no

    def _strike_off(self, endpoint: EndpointId, debt: Debt) -> None:
        self._change(endpoint, debt, lambda head: without(head, debt))

    def _leave_owed(
        self, endpoint: EndpointId, debt: Debt, done: Partly, asked_at: datetime
    ) -> None:
        """It stays owed, with how far it came and its next time in the row."""
        again, later = self._clock.now(), done.later
        known: dict[str, Any] = {"smoked": done.smoked, "asked_at": asked_at, "last_error": None}
        if later:
            log.warning("%s: %s waits: %s", endpoint, debt.action, later)
            again += delay(debt, later)
            known |= {"last_error": str(later), "attempts": debt.attempts + 1}
        waiting = debt.model_copy(update={**known, "not_before": again})

        def postponed(head: Head) -> Head:
            owed = tuple(waiting if one == debt else one for one in head.owed)
            soonest = min(again, head.due_at) if head.due_at else again
            return due(head.model_copy(update={"owed": owed}), soonest)

        self._change(endpoint, debt, postponed)

    def _change(self, endpoint: EndpointId, debt: Debt, change: Any) -> None:  # noqa: ANN401
        while True:
            held = self._store.load(endpoint)
            if debt not in held.head.owed:
                return
            changed: Head = change(held.head)
            try:
                saved = self._store.save(held, changed)
            except Conflict:
                continue
            if changed.turn != held.head.turn:
                self._send(saved.head, saved.head.due_at)
            return

    def _deliver(self, endpoint: EndpointId) -> None:
        """Send what is owed to people, by a message of its own: nothing else waits for it."""
        if self._post is not None:
            send_notices(self._queue, self._post.deliver(endpoint))

    # -- look ----------------------------------------------------------------------------------

    def _next_event(self, head: Head) -> Event:
        """What a look shows; where an order waits and nothing is live, its beginning."""
        look_id = f"{head.endpoint.key}:{head.generation}:{head.turn}"
        now = self._clock.now()
        if head.queued and is_turn_of_queued(head, now):
            return self._looks.start_queued(head.queued, f"queued:{look_id}")
        try:
            return self._looks.look(head, f"look:{look_id}")
        except Unknown:
            if head.gone_since is None or now - head.gone_since < GONE_AFTER:
                raise  # one 404 proves nothing
            return EndpointGone(id=f"gone:{look_id}")

    def _look_later(self, held: Held, later: Unavailable | Refused | Unknown) -> None:
        """The world does not answer: nothing is decided, it is shown, and we look again."""
        log.info("%s: the look waits: %s", held.head.endpoint, later)
        now = self._clock.now()
        soon = later.after if isinstance(later, Unavailable) else None
        wait = min(DELAY_MAX, soon or timedelta(seconds=5))
        gone_since = (held.head.gone_since or now) if isinstance(later, Unknown) else None
        head = held.head.model_copy(update={"trouble": str(later), "gone_since": gone_since})
        again = min([now + wait, *(max(now, debt.not_before) for debt in head.owed)])
        try:
            saved = self._store.save(held, due(head, again))
        except Conflict:
            return  # another worker has looked or decided, and sends its own message
        self._send(saved.head, saved.head.due_at)

    def _wake_later(self, wake: Wake, later: Unavailable | Refused) -> None:
        """Send it again under an id of its own; raises where the queue cannot be had either."""
        again = wake.model_copy(update={"retries": wake.retries + 1})
        asked = later.after if isinstance(later, Unavailable) else None
        wait = max(self._unsaved.patience(wake), asked or timedelta(0))
        log.warning("%s: the state waits %s: %s", wake.endpoint, wait, later)
        if wake.attempt <= 0 or wake.outbox:  # what the sweep has sent it sends again itself
            self._queue.send(wake_message(again, self._clock.now() + wait))

    def _rest(self, held: Held, now: datetime) -> None:
        """Nothing is to be seen of the rollout: the row waits for its debts, notices and keys."""
        owed = (debt.not_before for debt in held.head.owed)
        times = (next_look(held.head, now), outbox.remind_at(held.head, now), *owed)
        soonest = min((time for time in times if time), default=None)
        with suppress(Conflict):
            saved = self._store.save(held, due(held.head, soonest))
            self._send(saved.head, saved.head.due_at)

    def _send(self, head: Head, at: datetime | None) -> None:
        send_wake(self._queue, head, at)
