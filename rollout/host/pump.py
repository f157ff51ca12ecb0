"""Messages of one queue to the function that is bound to it, as the platform delivers them."""

import asyncio
import logging
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import azure.functions as func
from azure.functions.servicebus import ServiceBusMessage

from rollout.adapters.sqlite.queue import Delivery
from rollout.errors import Conflict, RolloutError
from rollout.host.doors import QueueDoor
from rollout.ports import Clock

POLL = timedelta(milliseconds=50)
"""So soon a message is seen that another process has sent."""
_POLL_MIN = timedelta(milliseconds=2)
_REASON_MAX = 500

log = logging.getLogger(__name__)


class Receiver(Protocol):
    """The receiving side of a queue: lends out at most one message per session at a time."""

    def receive(self, queue: str, now: datetime, lease: timedelta) -> Delivery | None: ...

    def complete(self, delivery: Delivery) -> None: ...

    def abandon(self, delivery: Delivery, reason: str) -> None: ...

    def renew(self, delivery: Delivery) -> Delivery: ...

    def next_due(self, queue: str) -> datetime | None: ...


class Pump:
    """Completes a message when its function returns, gives it back when it raises.

    Several sessions go on at once; a message is held for as long as its function runs.
    """

    def __init__(
        self, door: QueueDoor, queue: Receiver, clock: Clock, threads: Executor, lease: timedelta
    ) -> None:
        self._door = door
        self._queue = queue
        self._clock = clock
        self._threads = threads
        self._lease = lease
        self._news = asyncio.Event()

    async def run(self, stopping: asyncio.Event, sessions: int) -> None:
        """Deliver until told to stop, then wait for the functions that run."""
        running: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                taken = await asyncio.to_thread(self._take) if len(running) < sessions else POLL
                if isinstance(taken, timedelta):
                    await self._wait(taken)
                    continue
                task = group.create_task(self._deliver(taken))
                running.add(task)
                task.add_done_callback(running.discard)

    def _take(self) -> Delivery | timedelta:
        """A message, or how long to wait for one."""
        now = self._clock.now()
        try:
            due = self._queue.next_due(self._door.queue)
            if due is None or due > now:
                return POLL if due is None else max(_POLL_MIN, min(POLL, due - now))
            return self._queue.receive(self._door.queue, now, self._lease) or POLL
        except RolloutError as trouble:
            log.warning("queue %s: %s", self._door.queue, trouble)
            return POLL

    async def _wait(self, longest: timedelta) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), longest.total_seconds())

    async def _deliver(self, delivery: Delivery) -> None:
        holding = asyncio.create_task(self._hold(delivery))
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, self._call_and_settle, delivery)
        finally:
            holding.cancel()
            self._news.set()

    def _call_and_settle(self, delivery: Delivery) -> None:
        try:
            failure = self._call(delivery)
            if failure is None:
                self._queue.complete(delivery)
            else:
                self._queue.abandon(delivery, failure)
        except RolloutError as trouble:  # it will be delivered again
            log.warning("%s: message %s: %s", self._door.name, delivery.message.id, trouble)

    def _call(self, delivery: Delivery) -> str | None:
        """Why the function failed, or None."""
        try:
            self._door.call(**{self._door.argument: _message(delivery)})
        except Exception as error:
            log.exception("%s: message %s failed", self._door.name, delivery.message.id)
            return f"{type(error).__name__}: {error}"[:_REASON_MAX]
        return None

    async def _hold(self, delivery: Delivery) -> None:
        """Renew the lease for as long as the function runs."""
        while True:
            await asyncio.sleep(delivery.lease.total_seconds() / 3)
            try:
                delivery = await asyncio.to_thread(self._queue.renew, delivery)
            except Conflict:
                return
            except RolloutError as trouble:
                log.warning("message %s: %s", delivery.message.id, trouble)


def _message(delivery: Delivery) -> func.ServiceBusMessage:
    sent = delivery.message
    return ServiceBusMessage(
        body=sent.body,
        message_id=sent.id,
        session_id=sent.session,
        delivery_count=delivery.count,
        scheduled_enqueue_time_utc=sent.not_before,
        locked_until=delivery.until,
        application_properties={},
        user_properties={},
    )
