"""A way back that cannot be saved: the request that gives traffic back leaves a mark that keeps it.

The endpoint's tag is then what the store would be: no step onward is sent over it, and every look
that finds it decides the same.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from rollout.core.actions import SetTraffic
from rollout.core.endpoint import EndpointId
from rollout.core.events import AlertNotice, Command, Event, Looked
from rollout.core.head import Head, Wake
from rollout.core.machine.back import CONTROLLER
from rollout.core.machine.decision import Decision
from rollout.core.rollout import Outcome, Rollout
from rollout.core.way_back import AbortedAtAzure
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Clock, Queue
from rollout.waits import backed_off
from rollout.wakes import wake_message, wake_of

log = logging.getLogger(__name__)

GiveBack = Callable[[Rollout, AbortedAtAzure], None]

_SOON, _PATIENCE = timedelta(seconds=1), timedelta(seconds=5)
_WHO_GAVE_UP = frozenset({Outcome.ROLLED_BACK, Outcome.ABORTED})
"""What ends for its own sake; what ends for another rollout's waits until that can be saved."""


class Unsaved:
    """The ways back that this process has decided and could not save."""

    def __init__(self, give_back: GiveBack, queue: Queue, clock: Clock) -> None:
        self._give_back = give_back
        self._queue = queue
        self._clock = clock
        self._waiting: dict[EndpointId, Event] = {}
        self._sent = 0

    def give_back(
        self, before: Head, decision: Decision, event: Event, error: Unavailable | Refused
    ) -> Decision:
        """Do it at Azure instead; raises `error` for all that is not a way back.

        Where Azure does not take it either, what people and alerts said is tried again and again.
        """
        rollout = decision.head.rollout
        if rollout is None or not _is_way_back(decision, rollout):
            raise error
        try:
            self._give_back(rollout, _mark(rollout, event))
        except RolloutError as no:
            told = f"{error}. Azure was asked to take the traffic back, and said: {no}"
            if isinstance(event, Command | AlertNotice):  # a look is taken again, and sees more
                self._wait(before, event)
                told = f"{told}; it is asked again as long as this process lives"
            raise Unavailable(told) from no
        log.error("%s: kept in the endpoint's tags: %s: %s", rollout.id, decision.why, error)
        why = (
            f"{decision.why}; Azure has taken {rollout.recorded}, and the endpoint's tags tell who"
            f" asked, because it cannot be saved here: {error}"
        )
        return replace(decision, why=why)

    def waiting(self, endpoint: EndpointId) -> Event | None:
        """What is to be tried again on that endpoint."""
        return self._waiting.get(endpoint)

    def settled(self, endpoint: EndpointId) -> None:
        """It is saved, or Azure has it, or it means nothing any more."""
        self._waiting.pop(endpoint, None)

    def each(self, attempt: Callable[[EndpointId], None]) -> None:
        """Try all of them again; one that fails is noted and holds up no other."""
        for endpoint in list(self._waiting):
            try:
                attempt(endpoint)
            except RolloutError as later:
                log.warning("%s: the way back waits: %s", endpoint, later)

    def patience(self, wake: Wake) -> timedelta:
        """How long a wake-up that failed waits: as long as a rollback, where one is waited for."""
        later = backed_off(wake.retries + 1)
        return min(later, _PATIENCE) if wake.endpoint in self._waiting else later

    def _wait(self, before: Head, event: Event) -> None:
        if self._waiting.get(before.endpoint) == event:
            return  # the message that tried it again is sent again
        self._waiting[before.endpoint] = event
        self._sent += 1
        soon = wake_message(wake_of(before, -self._sent), self._clock.now() + _SOON)
        try:
            self._queue.send(soon)
        except RolloutError as down:  # then the sweep tries it
            log.warning("%s: not sent: %s", before.endpoint, down)


def _is_way_back(decision: Decision, rollout: Rollout) -> bool:
    back = rollout.rollback
    asked = any(isinstance(one, SetTraffic) and one.is_rollback for one in decision.actions)
    return asked and back is not None and back.outcome in _WHO_GAVE_UP


def _mark(rollout: Rollout, event: Event) -> AbortedAtAzure:
    """A person who aborts signs it; what the controller decides by itself, it signs itself."""
    there = event.view.aborted if isinstance(event, Looked) else None
    if there and there.rollout_id == rollout.id:  # it agrees with what it has found
        return there
    back = rollout.rollback
    assert back is not None, rollout
    who = back.who if back.outcome is Outcome.ABORTED else CONTROLLER
    why = event.why if isinstance(event, Command) else back.why
    event_id = "" if isinstance(event, Looked) else event.id
    return AbortedAtAzure(rollout_id=rollout.id, who=who, why=why, event_id=event_id)
