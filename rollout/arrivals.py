"""What others announce becomes a start, by the rules that policies have for it."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pydantic import ValidationError

from rollout.core.creation import CreateWish
from rollout.core.endpoint import EndpointId
from rollout.core.machine.decision import Decision
from rollout.core.news import News, Wanted, start_of
from rollout.core.rollout import Order, Origin
from rollout.core.rotation.expiry import Expiry
from rollout.core.start_on import Source, words
from rollout.errors import Conflict, RolloutError, Unavailable, Unknown
from rollout.inbox import Handshake, Unread, read_events
from rollout.looks import read_policies
from rollout.ports import Clock, Message, PolicyFiles, Queue
from rollout.waits import backed_off
from rollout.wakes import EVENTS_QUEUE

log = logging.getLogger(__name__)

UNKNOWN_MAX = 50
"""So many types of unknown events are counted apart; more of them come together under `others`."""

RETRIES_MAX = 60
"""So often, about an hour, an event waits for Azure or the state; then it is a dead letter."""

_AGAIN = "~"
"""Stands between an event's message id and how often it waited."""


class Starter(Protocol):
    """The part of the engine that a start is handed to."""

    def resolve(self, name: str) -> EndpointId: ...

    def start(self, order: Order, event_id: str) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Begun:
    """What came of an announcement: an order and its decision; or none, and why."""

    why: str
    order: Order | None = None
    decision: Decision | None = None


class Arrivals:
    """Takes announcements; the same one delivered again is decided already."""

    def __init__(
        self,
        starter: Starter,
        policies: PolicyFiles,
        queue: Queue,
        clock: Clock,
        on_expiry: Callable[[Expiry], str] = lambda heard: f"{heard.name} is nobody's here",
    ) -> None:
        """`on_expiry` answers a secret that is about to expire, and says what came of it."""
        self._on_expiry = on_expiry
        self._starter = starter
        self._policies = policies
        self._queue = queue
        self._clock = clock
        self._unknown: Counter[str] = Counter()

    @property
    def unknown(self) -> Mapping[str, int]:
        """How many events came that mean nothing here, by type, since this process began."""
        return dict(self._unknown)

    def count(self, name: str) -> None:
        """Count what was not taken, under the name of its type."""
        known = name in self._unknown or len(self._unknown) < UNKNOWN_MAX
        self._unknown[name if known else "others"] += 1

    def begin(self, news: News) -> Begun:
        """Start what the one rule that fits says; raises what a start raises.

        Raises PolicyError where several rules fit, or one that lacks a value.
        """
        whole, broken = read_policies(self._policies)
        wanted = start_of(news, whole)
        if isinstance(wanted, str):
            return Begun("; ".join([wanted, *broken]))
        order = self._order(news, wanted)
        decision = self._starter.start(order, news.id)
        return Begun(decision.why, order, decision)

    def hear(self, body: bytes, message_id: str) -> None:
        """Take a message of the queue `events`; one that comes too early is sent again, later.

        Raises Malformed and what a start raises for good: then the queue lays the message aside.
        """
        try:
            self.take(read_events(body))
        except (Unavailable, Conflict) as later:
            self._hear_later(body, message_id, later)

    def _hear_later(self, body: bytes, message_id: str, later: Unavailable | Conflict) -> None:
        """A redelivery would come at once: this one comes when something may have changed."""
        base, _, waited = message_id.rpartition(_AGAIN)
        if not waited.isdecimal():
            base, waited = message_id, "0"
        retries = int(waited) + 1
        if retries > RETRIES_MAX:
            raise later
        asked = later.after if isinstance(later, Unavailable) else None
        at = self._clock.now() + max(backed_off(retries), asked or timedelta(0))
        log.warning("event %s waits until %s: %s", base, at, later)
        self._queue.send(Message(EVENTS_QUEUE, "", f"{base}{_AGAIN}{retries}", body, at))

    def take(self, events: Iterable[News | Handshake | Expiry | Unread]) -> tuple[str, ...]:
        """Take each event, and say what came of it.

        One that fails does not keep the others waiting; its error is raised at the end, so that
        all are delivered again: those that are decided stay decided.
        """
        told: list[str] = []
        failed: RolloutError | None = None
        for event in events:
            try:
                told.append(self._take(event))
            except RolloutError as error:
                log.warning("an event waits: %s", error)
                failed = failed or error
        if failed:
            raise failed
        return tuple(told)

    def _take(self, event: News | Handshake | Expiry | Unread) -> str:
        match event:
            case Handshake():
                return "a handshake is answered where it is asked, over HTTP"
            case Unread(type=name, why=why):
                self.count(name)
            case Expiry():
                why = self._on_expiry(event)
            case News():
                try:
                    why = self.begin(event).why
                except Unknown as gone:  # it will not come back by asking again
                    why = str(gone)
        log.info("%s", why)
        return why

    def _order(self, news: News, wanted: Wanted) -> Order:
        return Order(
            endpoint=self._starter.resolve(wanted.endpoint),
            deployment=wanted.deployment,
            policy=wanted.policy,
            create=self._create(news, wanted),
            announced=news.source is Source.DEPLOYMENT_WRITTEN,
            happened_at=news.at,
            origin=_origin(news.values),
            who=news.who,
            why=news.why,
        )

    def _create(self, news: News, wanted: Wanted) -> CreateWish | None:
        """The file and the values that it asks for: an order keeps no more than it needs."""
        if wanted.template is None:
            return None
        text = self._policies.attachment(wanted.template).decode(errors="replace")
        values = {**news.values, "deployment": wanted.deployment}
        used = {name: values[name] for name in words(text) if name in values}
        return CreateWish(template=wanted.template, values=used)


def _origin(values: Mapping[str, str]) -> Origin | None:
    """Where its code comes from, if the news told both the repository and the commit."""
    try:
        return Origin.model_validate(
            {"repository": values.get("repository"), "commit": values.get("sha")}
        )
    except ValidationError:
        return None
