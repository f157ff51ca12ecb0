"""The rules of traffic maps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.arm import traffic
from emulator.arm.refusals import Refusal
from emulator.arm.traffic import Traffic

KNOWN = ("blue", "green", "red")


def checked(live: object, mirror: object = None, *, kubernetes: bool = False) -> Traffic:
    asked = traffic.parse({"traffic": live, "mirrorTraffic": mirror})
    return traffic.check(asked, KNOWN, kubernetes=kubernetes)


@pytest.mark.parametrize(
    ("live", "mirror"),
    [
        ({}, {}),
        (None, None),
        ({"blue": 100}, {"green": 50}),
        ({"Blue": 90, "green": 10}, {"red": 1}),
        ({"blue": "90", "green": "10"}, {}),
        ({"blue": 100, "green": 0}, {"green": 20, "red": 0}),
        ({"blue": 0}, {}),
    ],
)
def test_a_map_that_keeps_the_rules_is_taken(live: object, mirror: object) -> None:
    assert isinstance(checked(live, mirror), Traffic)


@pytest.mark.parametrize(
    ("live", "mirror", "why"),
    [
        ({"blue": 90}, {}, "0 or 100"),
        ({"blue": 90, "green": 20}, {}, "0 or 100"),
        ({"blue": 99.5, "green": 0.5}, {}, "integer"),
        ({"blue": True}, {}, "integer"),
        ({"blue": 110, "green": -10}, {}, "between 0 and 100"),
        ({"violet": 100}, {}, "violet"),
        ({"violet": 0}, {}, "violet"),
        ({"blue": 50, "BLUE": 50}, {}, "twice"),
        ({"blue": 100}, {"green": 51}, "at most 50"),
        ({"blue": 100}, {"green": 10, "red": 10}, "one deployment only"),
        ({"blue": 100}, {"blue": 10}, "at once"),
        ([], {}, "object"),
    ],
)
def test_a_map_that_breaks_a_rule_is_refused(live: object, mirror: object, why: str) -> None:
    with pytest.raises(Refusal, match=why) as caught:
        checked(live, mirror)

    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("given", "merges", "live", "mirror"),
    [
        ({}, False, {"blue": 90, "green": 10}, {"red": 5}),
        ({"traffic": {"BLUE": 100}}, False, {"BLUE": 100}, {"red": 5}),
        ({"traffic": {"BLUE": 100}}, True, {"green": 10, "BLUE": 100}, {"red": 5}),
        ({"traffic": {"blue": 100, "green": 0}}, True, {"blue": 100, "green": 0}, {"red": 5}),
        ({"mirrorTraffic": {}}, False, {"blue": 90, "green": 10}, {}),
        ({"mirrorTraffic": {}}, True, {"blue": 90, "green": 10}, {"red": 5}),
    ],
)
def test_a_patch_replaces_a_map_or_leaves_the_shares_it_does_not_name(
    given: dict[str, object], merges: bool, live: dict[str, int], mirror: dict[str, int]
) -> None:
    before = Traffic({"blue": 90, "green": 10}, {"red": 5})

    assert traffic.amended(before, given, merges=merges) == Traffic(live, mirror)


def test_kubernetes_endpoints_mirror_nothing() -> None:
    with pytest.raises(Refusal, match="Kubernetes"):
        checked({"blue": 100}, {"green": 10}, kubernetes=True)


@given(st.dictionaries(st.sampled_from(KNOWN), st.integers(-20, 120)))
def test_live_shares_are_taken_if_and_only_if_they_are_percents_that_add_up(
    live: dict[str, int],
) -> None:
    right = sum(live.values()) in {0, 100} and all(0 <= share <= 100 for share in live.values())

    try:
        taken = checked(live).live == live
    except Refusal:
        taken = False

    assert taken == right
