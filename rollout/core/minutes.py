"""Whole minutes: of any length, they begin at whole multiples of it since the epoch."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST = timedelta(microseconds=1)


def floor(at: datetime, minute: timedelta) -> datetime:
    """The start of its minute, in UTC."""
    return _EPOCH + (at - _EPOCH) // minute * minute


def ceil(at: datetime, minute: timedelta) -> datetime:
    """The first start of a minute that is not before it, in UTC."""
    return floor(at + minute - _LEAST, minute)


def starts(at: datetime, minute: timedelta) -> bool:
    """Whether a minute starts then."""
    return not (at - _EPOCH) % minute
