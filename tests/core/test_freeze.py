"""Calendars: what is frozen, until when, and that no clock change makes a freeze shorter."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rollout.core.freeze import Freeze

BERLIN = ZoneInfo("Europe/Berlin")
WEEKEND = "fri 16:00 - mon 08:00"


def a_freeze(*windows: dict[str, str], zone: str = "Europe/Berlin") -> Freeze:
    return Freeze.model_validate({"zone": zone, "windows": windows})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-06 14:59", None),  # Friday 15:59 in Berlin
        ("2026-03-06 15:00", "2026-03-09 07:00"),
        ("2026-03-09 06:59", "2026-03-09 07:00"),
        ("2026-03-09 07:00", None),
        ("2026-03-28 12:00", "2026-03-30 06:00"),  # the clock is put forward on Sunday
        ("2026-10-24 12:00", "2026-10-26 07:00"),  # and back
    ],
)
def test_a_weekend_ends_by_the_clock_on_the_wall(at: str, until: str | None) -> None:
    frost = a_freeze({"weekly": WEEKEND, "name": "weekend"}).frost(utc(at))

    assert (frost.until if frost else None) == (utc(until) if until else None)


def test_the_hour_that_comes_twice_is_frozen_twice() -> None:
    """On 25 October 2026 Berlin has 02:00 to 03:00 twice."""
    freeze = a_freeze({"weekly": "sun 02:15 - sun 02:45"})

    found = freeze.frost(utc("2026-10-25 00:15"))

    assert found is not None
    assert (found.since, found.until) == (utc("2026-10-25 00:15"), utc("2026-10-25 01:45"))


def test_the_hour_that_never_comes_is_frozen_all_the_same() -> None:
    """On 29 March 2026 Berlin has no 02:00 to 03:00."""
    freeze = a_freeze({"weekly": "sun 02:15 - sun 02:45"})

    found = freeze.frost(utc("2026-03-29 01:00"))

    assert found is not None
    assert (found.since, found.until) == (utc("2026-03-29 00:15"), utc("2026-03-29 01:45"))


def test_dates_are_whole_days_and_windows_that_meet_are_one() -> None:
    freeze = a_freeze(
        {"dates": "2026-12-24 - 2026-12-26", "name": "christmas"},
        {"dates": "2026-12-27 00:00 - 2026-12-27 12:00"},
        {"dates": "2026-12-31"},
    )

    found = freeze.frost(utc("2026-12-24 08:00"))

    assert found is not None
    assert (found.since, found.until) == (utc("2026-12-23 23:00"), utc("2026-12-27 11:00"))
    assert str(found) == "frozen (christmas) until Sun 2026-12-27 12:00 Europe/Berlin"
    assert freeze.frost(utc("2026-12-27 11:00")) is None


_instants = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - UTC is added
    max_value=datetime(2027, 12, 31),  # noqa: DTZ001 - UTC is added
    timezones=st.just(UTC),
)
_days = st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
_moments = st.builds("{} {:02}:{:02}".format, _days, st.integers(0, 23), st.integers(0, 59))
_windows = st.tuples(_moments, _moments).filter(lambda pair: pair[0] != pair[1])


@given(at=_instants, pair=_windows)
def test_whatever_the_wall_shows_in_a_window_is_frozen(at: datetime, pair: tuple[str, str]) -> None:
    freeze = a_freeze({"weekly": " - ".join(pair)})

    found = freeze.frost(at)

    if _is_within(at.astimezone(BERLIN), pair):
        assert found is not None
    elif found is not None:  # only the hour of a clock change makes it longer
        hour = timedelta(hours=1)
        near = [at + step for step in (-hour, hour)]
        assert any(one.astimezone(BERLIN).utcoffset() != BERLIN.utcoffset(at) for one in near) or (
            any(_is_within(one.astimezone(BERLIN), pair) for one in near)
        )


@given(at=_instants, pair=_windows)
def test_a_freeze_holds_until_its_end_and_not_at_it(at: datetime, pair: tuple[str, str]) -> None:
    freeze = a_freeze({"weekly": " - ".join(pair)})

    found = freeze.frost(at)

    if found is not None:
        assert found.since <= at < found.until
        assert freeze.frost(found.until) is None
        assert freeze.elapsed(found.since, found.until) == found.until - found.since


def _is_within(wall: datetime, pair: tuple[str, str]) -> bool:
    now = wall.weekday() * 1440 + wall.hour * 60 + wall.minute
    begin, end = (_minute(text) for text in pair)
    return begin <= now < end if begin < end else now >= begin or now < end


def _minute(text: str) -> int:
    day, _, time = text.partition(" ")
    hours, _, minutes = time.partition(":")
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(day)
    return days * 1440 + int(hours) * 60 + int(minutes)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zone": "Mars/Olympus"}, "is no time zone; write one of the tz database"),
        ({"windows": [{"weekly": "friday to monday"}]}, 'write "fri 16:00 - mon 08:00"'),
        ({"windows": [{"weekly": "fri 16:00 - fri 16:00"}]}, "ends where it begins"),
        ({"windows": [{"weekly": "fri 24:30 - mon 08:00"}]}, "24:30 is no time of day"),
        ({"windows": [{"dates": "2026-12-24 - 2026-12-01"}]}, "ends before it begins"),
        ({"windows": [{"dates": "2026-13-01"}]}, "month must be in 1..12"),
        ({"windows": [{"dates": "christmas"}]}, "are no dates; write"),
        ({"windows": [{"name": "both"}]}, "either weekly or dates"),
        (
            {"windows": [{"weekly": "mon 00:00 - thu 12:00"}, {"weekly": "thu 12:00 - mon 00:00"}]},
            "leave no time of the week free",
        ),
    ],
)
def test_what_cannot_be_a_calendar_is_told(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Freeze.model_validate(wrong)


def test_frozen_time_is_counted_once_where_windows_overlap() -> None:
    freeze = a_freeze({"weekly": "mon 10:00 - mon 12:00"}, {"weekly": "mon 11:00 - mon 13:00"})

    counted = freeze.elapsed(utc("2026-03-02 00:00"), utc("2026-03-16 00:00"))

    assert counted == timedelta(hours=6)
