"""Whole minutes: where they begin, for a time of any zone and a minute of any length."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from rollout.core.minutes import ceil, floor, starts

ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
TIMES = st.datetimes(datetime(1999, 1, 1), datetime(2099, 1, 1), timezones=ZONES)  # noqa: DTZ001
MINUTES = st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1))


@given(TIMES, MINUTES)
def test_a_time_lies_between_the_two_starts_around_it(at: datetime, minute: timedelta) -> None:
    before, after = floor(at, minute), ceil(at, minute)

    assert before <= at <= after
    assert after - before == (timedelta(0) if starts(at, minute) else minute)
    assert starts(before, minute)
    assert starts(after, minute)
    assert (before.tzinfo, after.tzinfo) == (UTC, UTC)


def test_minutes_are_counted_from_the_epoch_whatever_their_length() -> None:
    at = datetime(2026, 3, 2, 12, 0, 7, tzinfo=UTC)

    assert floor(at, timedelta(seconds=2.5)) == at.replace(second=5)
    assert ceil(at, timedelta(seconds=2.5)) == at.replace(second=7, microsecond=500_000)
    assert floor(at, timedelta(minutes=1)) == at.replace(second=0)
    assert ceil(at, timedelta(minutes=1)) == at.replace(minute=1, second=0)
