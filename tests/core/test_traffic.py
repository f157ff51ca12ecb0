"""How an endpoint's requests may be split, and how one map becomes another."""

import pytest
from pydantic import ValidationError

from rollout.core.traffic import Traffic
from tests.builders import BLUE, mirrored, split


@pytest.mark.parametrize(
    ("live", "mirror", "complaint"),
    [
        ({"blue": 90}, {}, "traffic must add up to 100, not 90"),
        ({"blue": 90, "green": 20}, {}, "traffic must add up to 100, not 110"),
        ({"blue": 120, "green": -20}, {}, "a share is from 0 to 100 percent"),
        ({"blue": 100}, {"green": 51}, "mirror at most 50 % to one deployment"),
        ({"blue": 100}, {"green": 10, "red": 10}, "mirror at most 50 % to one deployment"),
        ({"blue": 95, "green": 5}, {"green": 10}, "a mirrored deployment has no live traffic"),
    ],
)
def test_a_map_that_the_platform_would_refuse_cannot_be_written_down(
    live: dict[str, int], mirror: dict[str, int], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Traffic(live=live, mirror=mirror)


def test_a_zero_share_is_the_same_as_none() -> None:
    written = Traffic(live={"green": 0, "blue": 100}, mirror={"red": 0})

    assert written == BLUE
    assert str(written) == "blue 100 %"


def test_nothing_may_be_live() -> None:
    assert str(Traffic()) == "nothing live"


def test_the_order_of_writing_does_not_matter() -> None:
    one = Traffic(live={"a": 40, "b": 60})
    other = Traffic(live={"b": 60, "a": 40})

    assert (one, str(one)) == (other, str(other))


def test_a_canary_takes_its_weight_from_the_baseline_alone() -> None:
    found = Traffic(live={"blue": 60, "red": 40}, mirror={"grey": 10})

    given = found.with_canary("green", "blue", 50)

    assert given == Traffic(live={"blue": 30, "green": 30, "red": 40}, mirror={"grey": 10})


def test_a_canary_of_a_small_baseline_gets_at_least_one_percent() -> None:
    found = Traffic(live={"blue": 10, "red": 90})

    assert found.with_canary("green", "blue", 5).share("green") == 1


def test_a_canary_without_weight_gives_its_share_back() -> None:
    assert split(30).with_canary("green", "blue", 0) == BLUE


def test_a_first_deployment_gets_everything() -> None:
    assert Traffic().with_canary("green", None, 100) == Traffic.all_to("green")


def test_a_mirror_is_cleared_before_the_first_live_weight() -> None:
    goal = split(5)

    first = mirrored().on_the_way_to(goal, "green")
    then = first.on_the_way_to(goal, "green")

    assert (first, then) == (BLUE, goal)


def test_a_live_weight_is_taken_back_before_the_mirror() -> None:
    goal = mirrored()

    first = split(5).on_the_way_to(goal, "green")
    then = first.on_the_way_to(goal, "green")

    assert (first, then) == (BLUE, goal)


@pytest.mark.parametrize(
    ("traffic", "reached"), [(BLUE, False), (split(1), True), (mirrored(1), True)]
)
def test_a_copied_request_reaches_the_canary_too(traffic: Traffic, reached: bool) -> None:
    assert traffic.reaches("green") is reached
