"""Connections, links and deliveries: AMQP 1.0 as the Service Bus SDK speaks it, on qpid-proton."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from proton import (
    Condition,
    Connection,
    Delivery,
    Disposition,
    Handler,
    Link,
    Receiver,
    Sender,
    Terminus,
    symbol,
)

from tests.broker import management, wire
from tests.broker.links import SESSION_FILTER, Outlet, address_of, filter_of, outcome_of, reject
from tests.broker.queues import BrokerQueue, Refusal, Stored

CREDIT = 100
SESSION_WAIT = 60.0
CBS = "$cbs"
MANAGEMENT = "/$management"
_LOCKED_UNTIL = symbol("com.microsoft:locked-until-utc")
_WAIT = symbol("com.microsoft:timeout")


@dataclass
class Faults:
    """What the broker does wrong, on command."""

    refuse_sends: Refusal | None = None
    refuse_tokens: bool = False

    def check_sending(self) -> None:
        if self.refuse_sends:
            raise self.refuse_sends


class Server(Handler):
    """Runs on the reactor's thread; all of its state is that thread's."""

    def __init__(
        self, queues: Mapping[str, BrokerQueue], faults: Faults, now: Callable[[], datetime]
    ) -> None:
        super().__init__()
        self.connections: list[Connection] = []
        self._queues = queues
        self._faults = faults
        self._now = now
        self._outlets: list[Outlet] = []
        self._answers: list[Sender] = []

    def cut(self) -> None:
        """Break every connection without a word."""
        for connection in self.connections:
            if connection.transport:
                connection.transport.close_head()
                connection.transport.close_tail()

    def forget(self) -> None:
        for queue in self._queues.values():
            queue.forget()

    # -- connections and links -------------------------------------------------------------------

    def on_connection_bound(self, event: Any) -> None:
        """A connection is one from its first byte on: a cut must not forget who says hello."""
        self.connections.append(event.connection)

    def on_connection_remote_open(self, event: Any) -> None:
        event.connection.open()

    def on_connection_remote_close(self, event: Any) -> None:
        event.connection.close()

    def on_session_remote_open(self, event: Any) -> None:
        event.session.open()

    def on_session_remote_close(self, event: Any) -> None:
        event.session.close()

    def on_transport_closed(self, event: Any) -> None:
        gone = event.connection
        self.connections = [one for one in self.connections if one != gone]
        self._answers = [one for one in self._answers if one.connection != gone]
        for outlet in [one for one in self._outlets if one.link.connection == gone]:
            self._drop(outlet)
        self.serve()

    def on_link_remote_open(self, event: Any) -> None:
        link = event.link
        try:
            self._attach(link)
        except Refusal as no:
            _refuse(link, no)

    def _attach(self, link: Any) -> None:
        address = address_of(link)
        if address == CBS or address.endswith(MANAGEMENT):
            _open(link)
            if link.is_sender:
                self._answers.append(link)
        elif link.is_receiver:
            link.max_message_size = self._queue(address).spec.message_bytes_max
            _open(link)
        else:
            self._offer(link, self._queue(address))
        if link.is_receiver:
            link.flow(CREDIT)

    def _offer(self, link: Sender, queue: BrokerQueue) -> None:
        """A receiver comes; one that asks for any session is let in when there is one."""
        asked = filter_of(link)
        if queue.spec.sessions != (SESSION_FILTER in asked):
            raise Refusal("amqp:not-allowed", f"{queue.name} is read by session: as it was created")
        outlet = Outlet(link, queue, waits=queue.spec.sessions and asked[SESSION_FILTER] is None)
        if asked.get(SESSION_FILTER):
            outlet.session = queue.accept(asked[SESSION_FILTER], outlet, self._now())
        wait = (link.remote_properties or {}).get(_WAIT)
        outlet.until = monotonic() + (float(wait) / 1000 if wait else SESSION_WAIT)
        self._outlets.append(outlet)
        if not outlet.waits:
            _let_in(outlet)
        self.serve()

    def on_link_remote_close(self, event: Any) -> None:
        link = event.link
        for outlet in [one for one in self._outlets if one.link == link]:
            self._drop(outlet)
        self._answers = [one for one in self._answers if one != link]
        link.close()
        self.serve()

    on_link_remote_detach = on_link_remote_close

    def _drop(self, outlet: Outlet) -> None:
        self._outlets.remove(outlet)
        outlet.queue.release(outlet)

    def _queue(self, address: str) -> BrokerQueue:
        name, _, inner = address.partition("/")
        found = self._queues.get(name)
        if found is None or inner.lower() not in {"", "$deadletterqueue"}:
            raise Refusal("amqp:not-found", f"there is no queue {address}", 404)
        if not inner:
            return found
        assert found.dead
        return found.dead

    # -- messages that come in -------------------------------------------------------------------

    def on_delivery(self, event: Any) -> None:
        delivery = event.delivery
        if delivery.link.is_sender:
            self._settle(delivery)
        elif delivery.readable and not delivery.partial:
            link = delivery.link
            payload = link.recv(delivery.pending)
            link.advance()
            try:
                self._take(link, payload)
                delivery.update(Disposition.ACCEPTED)
            except Refusal as no:
                reject(delivery, no)
            delivery.settle()
            link.flow(1)
            self.serve()

    def _take(self, link: Receiver, payload: bytes) -> None:
        address = address_of(link)
        if address == CBS:
            request = wire.decoded(payload)
            self._reply(link, management.put_token(request, refused=self._faults.refuse_tokens))
        elif address.endswith(MANAGEMENT):
            queue = self._queue(address.removesuffix(MANAGEMENT))
            request, check = wire.decoded(payload), self._faults.check_sending
            self._reply(link, management.manage(request, queue, self._now(), check))
        else:
            self._faults.check_sending()
            self._queue(address).send(wire.read(payload), self._now())

    def _reply(self, asked_on: Receiver, answer: bytes) -> None:
        for link in self._answers:
            if link.connection == asked_on.connection and address_of(link) == address_of(asked_on):
                told = link.delivery(link.delivery_tag())
                link.send(answer)
                link.advance()
                told.settle()

    # -- messages that go out --------------------------------------------------------------------

    def on_link_flow(self, _event: Any) -> None:
        self.serve()

    def serve(self) -> None:
        """Let waiting receivers in, end what lost its session, send what is due and asked for."""
        now = self._now()
        for queue in self._queues.values():
            queue.tick(now)
            for outlet in queue.losers:
                self.lose(outlet)
            queue.losers.clear()
        for outlet in list(self._outlets):
            if outlet.waits:
                self._admit(outlet, now)
            else:
                self._send_out(outlet, now)

    def lose(self, outlet: object) -> None:
        """Tell a receiver that the session it held is no longer its own."""
        assert isinstance(outlet, Outlet)
        if outlet in self._outlets:
            self._outlets.remove(outlet)
            no = Refusal("com.microsoft:session-lock-lost", "the session's lock was lost")
            _end(outlet.link, no)

    def _admit(self, outlet: Outlet, now: datetime) -> None:
        outlet.session = outlet.queue.accept(None, outlet, now)
        if outlet.session is not None:
            outlet.waits = False
            _let_in(outlet)
        elif outlet.until < monotonic():
            self._outlets.remove(outlet)
            _refuse(outlet.link, Refusal("com.microsoft:timeout", "no session is free"))

    def _send_out(self, outlet: Outlet, now: datetime) -> None:
        while outlet.link.credit > 0:
            one = outlet.queue.take(outlet.session, outlet, now)
            if one is None:
                break
            _lend(outlet, one)
        if outlet.link.drain_mode:
            outlet.link.drained()

    def _settle(self, delivery: Delivery) -> None:
        """Do what the receiver says, and say the same back: it waits for that."""
        outlet, token = self._lent(delivery)
        if outlet is None or not delivery.remote_state:
            if delivery.settled:
                delivery.settle()
            return
        outlet.out = [(one, known) for one, known in outlet.out if one != delivery]
        try:
            outlet.queue.settle(token, outcome_of(delivery), self._now())
            delivery.update(delivery.remote_state)
        except Refusal as no:
            reject(delivery, no)
        delivery.settle()
        self.serve()

    def _lent(self, delivery: Delivery) -> tuple[Outlet | None, UUID]:
        for outlet in self._outlets:
            for one, token in outlet.out:
                if one == delivery:
                    return outlet, token
        return None, UUID(int=0)


def _let_in(outlet: Outlet) -> None:
    link = outlet.link
    if outlet.session is not None:
        until = outlet.queue.held[outlet.session].until
        link.properties = {_LOCKED_UNTIL: wire.to_ticks(until)}
    _open(link, outlet.session)


def _open(link: Link, session: str | None = None) -> None:
    """Say yes to both ends as they were asked for; any session has become that one."""
    link.source.copy(link.remote_source)
    link.target.copy(link.remote_target)
    if session is not None:
        link.source.filter.clear()
        link.source.filter.put_object({SESSION_FILTER: session})
    link.open()


def _lend(outlet: Outlet, one: Stored) -> None:
    assert one.lock
    tag: Any = one.lock.token.bytes_le
    outlet.out.append((outlet.link.delivery(tag), one.lock.token))
    outlet.link.send(wire.written(one))
    outlet.link.advance()


def _refuse(link: Link, no: Refusal) -> None:
    """Open it without ends, which tells the SDK to wait for the reason, and say the reason."""
    link.source.type = link.target.type = Terminus.UNSPECIFIED
    link.open()
    _end(link, no)


def _end(link: Link, no: Refusal) -> None:
    link.condition = Condition(no.condition, str(no))
    link.close()
