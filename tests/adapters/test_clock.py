"""The machine's clock."""

from datetime import UTC, datetime, timedelta

import pytest

from rollout.adapters.clock import SystemClock


def test_now_is_the_present_in_utc() -> None:
    clock = SystemClock()
    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)

    assert before <= now <= after
    assert now.tzinfo is UTC


@pytest.mark.parametrize(("speed", "seconds"), [(1, 60), (12, 5), (30, 2), (0.5, 120)])
def test_a_policy_minute_shrinks_with_the_speed(speed: float, seconds: float) -> None:
    assert SystemClock(speed).minute == timedelta(seconds=seconds)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_time_does_not_stand_still_or_run_backwards(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        SystemClock(speed)
