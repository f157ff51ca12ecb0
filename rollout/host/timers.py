"""Timers on one machine: six-field schedules, in time that runs as fast as the clock says."""

import asyncio
import logging
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime, timedelta

from azure.functions.timer import TimerRequest
from croniter import CroniterError, croniter

from rollout.errors import Malformed
from rollout.host.doors import TimerDoor
from rollout.ports import Clock

log = logging.getLogger(__name__)

_FIELDS = 6
_TRUE_MINUTE = timedelta(minutes=1)


def check_schedule(door: TimerDoor) -> None:
    """Raises Malformed for a schedule that this host cannot run."""
    if len(door.schedule.split()) != _FIELDS or not _is_cron(door.schedule):
        raise Malformed(f"{door.name}: {door.schedule!r} is no schedule of six fields")


def _is_cron(schedule: str) -> bool:
    try:
        return croniter.is_valid(schedule, second_at_beginning=True)
    except CroniterError:
        return False


def next_time(schedule: str, after: datetime) -> datetime:
    """The schedule's first moment after that one."""
    found: datetime = croniter(schedule, after, second_at_beginning=True).get_next(datetime)
    return found


class Timer:
    """Runs one function when its schedule says so, never twice at once.

    Where policy minutes are shorter than real ones, its schedule is read in their time.
    """

    def __init__(self, door: TimerDoor, clock: Clock, threads: Executor) -> None:
        self._door = door
        self._clock = clock
        self._threads = threads
        self._began = clock.now()
        self._speed = _TRUE_MINUTE / clock.minute

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until told to stop; a run that has begun is finished."""
        if self._door.at_start:
            await self._call(past_due=False)
        due = next_time(self._door.schedule, self._now())
        while await self._reached(due, stopping):
            following = next_time(self._door.schedule, due)
            await self._call(past_due=self._now() >= following)
            due = max(following, next_time(self._door.schedule, self._now()))

    def _now(self) -> datetime:
        """The time in which the schedule is read."""
        return self._began + (self._clock.now() - self._began) * self._speed

    async def _reached(self, due: datetime, stopping: asyncio.Event) -> bool:
        """Wait until then; False when told to stop."""
        while not stopping.is_set() and (left := (due - self._now()) / self._speed) > timedelta(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), left.total_seconds())
        return not stopping.is_set()

    async def _call(self, *, past_due: bool) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._call_now, past_due)

    def _call_now(self, past_due: bool) -> None:
        try:
            self._door.call(**{self._door.argument: TimerRequest(past_due=past_due)})
        except Exception:
            log.exception("%s failed; it runs again at its next time", self._door.name)
