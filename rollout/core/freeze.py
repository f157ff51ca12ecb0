"""When nothing new is to begin: a calendar of windows in one time zone, told in UTC.

Only here do times have zones. Where a clock skips or repeats an hour, the longer reading holds.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from rollout.core.frozen import Frozen

HORIZON = timedelta(days=60)
"""So far ahead the end of a freeze is looked for, at the least."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
_MOMENT = rf"({'|'.join(_DAYS)}) ([01]\d|2[0-4]):([0-5]\d)"
_WEEKLY = re.compile(rf"{_MOMENT} - {_MOMENT}", re.IGNORECASE)
_DATE = r"(\d{4}-\d\d-\d\d)(?: ([01]\d|2[0-3]):([0-5]\d))?"
_DATES = re.compile(rf"{_DATE}(?: - {_DATE})?")


class Frost(NamedTuple):
    """One stretch of frozen time in UTC, and what it is called."""

    since: datetime
    until: datetime
    name: str
    zone: str = "UTC"

    def __str__(self) -> str:
        """When it ends, as a clock in its own zone shows it."""
        ends = self.until.astimezone(ZoneInfo(self.zone))
        return f"frozen ({self.name}) until {ends:%a %Y-%m-%d %H:%M} {self.zone}"


class Window(Frozen):
    """A stretch of the week, or of the calendar, in the zone of its freeze."""

    weekly: str | None = Field(None, description='such as "fri 16:00 - mon 08:00"')
    dates: str | None = Field(
        None, description='"2026-12-24 - 2027-01-01", whole days; or with times on both'
    )
    name: Annotated[str, StringConstraints(max_length=60)] = ""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if (self.weekly is None) == (self.dates is None):
            raise ValueError("a window is either weekly or dates; write one of them")
        if self.weekly is not None:
            _read_week(self.weekly)
        if self.dates is not None:
            _read_dates(self.dates)
        return self

    @property
    def title(self) -> str:
        return self.name or str(self)

    def __str__(self) -> str:
        when = f"every {self.weekly}" if self.weekly else str(self.dates)
        return f"{self.name}: {when}" if self.name else when

    def walls(self, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
        """The beginnings and ends that touch those days, as clocks on the wall show them."""
        if self.dates is not None:
            yield _read_dates(self.dates)
            return
        assert self.weekly is not None, self
        begin, length = _read_week(self.weekly)
        day = first - _WEEK - timedelta(days=first.weekday())
        while day <= last:
            monday = datetime.combine(day, time())
            yield monday + begin, monday + begin + length
            day += _WEEK


class Freeze(Frozen):
    """The windows in which nothing starts and no share grows; the way back is always open."""

    zone: str = Field("UTC", description="such as Europe/Berlin")
    windows: Annotated[tuple[Window, ...], Field(max_length=50)] = ()

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            known = "write one of the tz database, such as Europe/Berlin"
            raise ValueError(f"{zone[:60]!r} is no time zone; {known}") from error
        return zone

    @model_validator(mode="after")
    def _thaws(self) -> Self:
        """Weekly windows must leave a gap, or nothing would ever start."""
        monday = datetime(2026, 1, 5, tzinfo=UTC)
        weekly = [one for one in self.windows if one.weekly is not None]
        frosts = Freeze.model_construct(zone="UTC", windows=tuple(weekly))
        if weekly and frosts.elapsed(monday, monday + _WEEK) >= _WEEK:
            raise ValueError("the weekly windows leave no time of the week free")
        return self

    def frost(self, at: datetime) -> Frost | None:
        """The freeze at that time, with the end of all that follow without a gap; None: none."""
        for frost in self._frosts(at, at + HORIZON):
            if frost.since <= at < frost.until:
                return frost
        return None

    def elapsed(self, since: datetime, until: datetime) -> timedelta:
        """How much of that time was frozen."""
        frosts = self._frosts(since, until) if since < until else ()
        spans = [min(one.until, until) - max(one.since, since) for one in frosts]
        return sum((span for span in spans if span > timedelta(0)), timedelta(0))

    def _frosts(self, since: datetime, until: datetime) -> Sequence[Frost]:
        """Every stretch that touches that time, in order, those that meet as one."""
        zone = ZoneInfo(self.zone)
        first, last = (since - _DAY).date(), (until + _DAY).date()
        merged: list[Frost] = []
        found = (
            Frost(_earliest(begin, zone), _latest(end, zone), window.title, self.zone)
            for window in self.windows
            for begin, end in window.walls(first, last)
        )
        for frost in sorted(found):
            if merged and frost.since <= merged[-1].until:
                known = merged[-1]
                merged[-1] = known._replace(until=max(known.until, frost.until))
            else:
                merged.append(frost)
        return merged


NO_FREEZE = Freeze()


def _earliest(wall: datetime, zone: ZoneInfo) -> datetime:
    return min(_readings(wall, zone))


def _latest(wall: datetime, zone: ZoneInfo) -> datetime:
    return max(_readings(wall, zone))


def _readings(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    folds: tuple[Literal[0, 1], ...] = (0, 1)
    return [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in folds]


def _read_week(text: str) -> tuple[timedelta, timedelta]:
    """From Monday's midnight to its beginning, and its length; raises ValueError."""
    found = _WEEKLY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'{text[:60]!r} is no part of a week; write "fri 16:00 - mon 08:00"')
    parts = found.groups()
    begin, end = _moment(*parts[:3]), _moment(*parts[3:])
    if begin == end:
        raise ValueError(f"{text!r} ends where it begins")
    return begin, (end - begin) % _WEEK


def _moment(day: str, hours: str, minutes: str) -> timedelta:
    if hours == "24" and minutes != "00":
        raise ValueError(f"{hours}:{minutes} is no time of day")
    days = _DAYS.index(day.lower())
    return timedelta(days=days, hours=int(hours), minutes=int(minutes))


def _read_dates(text: str) -> tuple[datetime, datetime]:
    """Its beginning and its end, which without a time is the end of that day."""
    found = _DATES.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f'{text[:60]!r} are no dates; write "2026-12-24 - 2027-01-01", or with times'
            ' "2026-12-24 12:00 - 2026-12-26 08:00"'
        )
    begin, end = _moments(found)
    if end <= begin:
        raise ValueError(f"{text!r} ends before it begins")
    return begin, end


def _moments(found: re.Match[str]) -> tuple[datetime, datetime]:
    begin_day, begin_hour, begin_minute, end_day, end_hour, end_minute = found.groups()
    begin = datetime.combine(date.fromisoformat(begin_day), _time(begin_hour, begin_minute))
    last = date.fromisoformat(end_day or begin_day)
    if end_hour is None:
        return begin, datetime.combine(last + _DAY, time())
    return begin, datetime.combine(last, _time(end_hour, end_minute))


def _time(hour: str | None, minute: str | None) -> time:
    return time(int(hour or 0), int(minute or 0))
