"""A plan tells when, what, for how much, what not, and what to change."""

from typing import Any

import pytest

from rollout.analysis.samples import Counts
from rollout.errors import Malformed
from rollout.rehearsal.plan import PlanView, foretell
from rollout.rehearsal.traffic import counted, given, terms_of
from tests.builders import APPROVAL, BAKE, CANARY_5, CANARY_25, KEEP, SMOKE, StageText, a_policy

MIRROR: StageText = {"mirror": {"percent": 20, "shortest_minutes": 5}}
ERRORS: dict[str, Any] = {
    "metric": "error_rate",
    "worse_by_ratio": 1.25,
    "worse_by_points": 0.0005,
}


def planned(
    *stages: StageText, rps: float = 40, error_rate: float = 0.004, **rules: Any
) -> PlanView:
    policy = a_policy(*stages, **{"guards": [ERRORS], **rules})
    return foretell(policy, "churn", given(rps, error_rate))


def test_each_stage_has_its_earliest_and_its_latest_time() -> None:
    plan = planned(SMOKE, CANARY_5, APPROVAL, CANARY_25, BAKE, KEEP)

    assert [
        (one.name, one.begins_earliest, one.ends_earliest, one.begins_latest, one.ends_latest)
        for one in plan.stages
    ] == [
        ("smoke", 0, 0, 0, 0),
        ("canary 5 %", 0, 7, 0, 60),  # five minutes, and two until the last can be read
        ("approval", 7, 7, 60, 120),
        ("canary 25 %", 7, 14, 120, 180),
        ("bake 100 %", 14, 46, 180, 300),
        ("retire", 46, 46, 300, 300),
    ]
    assert [round(one.canary_requests) for one in plan.stages] == [0, 840, 0, 4200, 76800, 0]


def test_few_requests_make_a_stage_longer() -> None:
    stage = planned(CANARY_5, CANARY_25, rps=2).stages[0]  # 6 of 120 a minute, 100 are needed

    assert stage.ends_earliest == 17 + 2


def test_what_is_seen_grows_with_the_effect() -> None:
    seen = planned(CANARY_5, CANARY_25).sees

    assert [one.canary for one in seen] == [
        "fails 1.5 times as often (0.6 %)",
        "fails 2 times as often (0.8 %)",
        "fails 3 times as often (1.2 %)",
        "fails 5 times as often (2 %)",
        "fails 10 times as often (4 %)",
        "fails every request",
    ]
    chances = [one.detection for one in seen]
    assert chances == sorted(chances)
    assert not any(one.allowed for one in seen)
    assert (seen[-1].detection, seen[-1].minute, seen[-1].canary_requests) == (1, 3, 360)


@pytest.mark.parametrize(
    "rules",
    [
        {"strict": True},
        {"guards": [{**ERRORS, "worse_by_ratio": 2}]},
        {"guards": [ERRORS, {"metric": "latency_p95", "worse_by_ratio": 1.1}]},
    ],
    ids=["strict", "a wider margin", "a guard that shares the risk"],
)
def test_what_a_policy_asks_for_before_a_guard_fails_makes_it_less_likely(
    rules: dict[str, Any],
) -> None:
    usual, asking = planned(CANARY_5, CANARY_25), planned(CANARY_5, CANARY_25, **rules)

    assert asking.sees[2].detection < usual.sees[2].detection


def test_what_cannot_be_more_than_every_request_is_left_out() -> None:
    seen = planned(CANARY_25, error_rate=0.3).sees

    assert [one.canary.partition(" (")[0] for one in seen] == [
        "fails 1.5 times as often",
        "fails 2 times as often",
        "fails 3 times as often",
        "fails every request",
    ]


def test_who_never_failed_is_taken_for_one_not_seen_to_fail() -> None:
    seen = planned(CANARY_25, error_rate=0).sees

    assert seen[-1].canary == "fails every request"
    assert seen[-1].detection > 0.99


def test_where_all_fails_already_nothing_worse_can_be_seen() -> None:
    plan = planned(CANARY_25, error_rate=1)

    assert plan.at_risk.sentence == (
        "a canary that fails every request is not noticed before 100 %"
    )


def test_what_is_at_risk() -> None:
    live, copied = planned(CANARY_5), planned(MIRROR, CANARY_5)

    assert live.at_risk.sentence == (
        "a canary that fails every request is rolled back in the first three minutes of its"
        " traffic, after about 360 failed requests"
    )
    assert copied.at_risk.sentence.endswith("before any live request")
    assert any(one.startswith("mirror first") for one in live.advice)
    assert not any("mirror" in one for one in copied.advice)


def test_a_policy_that_holds_says_so() -> None:
    plan = planned(CANARY_5, on_failure="hold")

    assert "is held in the first three minutes" in plan.at_risk.sentence
    assert plan.misses[-1].startswith("on_failure is hold")


def test_what_is_missed_is_said_with_its_chance() -> None:
    loose = {**ERRORS, "worse_by_ratio": 1.6}

    plan = planned(CANARY_5, CANARY_25, guards=[loose])

    assert plan.misses[0] == (
        "a canary that fails 1.5 times as often (0.6 %) is within what the guards allow"
    )
    assert plan.misses[1] == ("a canary that fails 2 times as often (0.8 %) is not noticed")
    assert plan.misses[2].endswith(" % of the rollouts")


def test_copies_are_told_to_share_the_endpoints_bandwidth() -> None:
    said = [one for one in planned(MIRROR, CANARY_5).misses if "bandwidth" in one]

    assert said == [
        (
            "whether 480 copies a minute fit into the endpoint's bandwidth of 5 MBPS: how large"
            " requests are is not known here"
        )
    ]


def test_without_a_guard_that_compares_errors_nothing_is_seen() -> None:
    plan = planned(CANARY_5, guards=[{**ERRORS, "severity": "hold"}])

    assert plan.sees == ()
    assert plan.misses[0].startswith("no guard of severity fail compares error_rate")


def test_advice_tells_what_it_would_bring() -> None:
    plan = planned(CANARY_5, CANARY_25, rps=8)

    told = [one for one in plan.advice if "is then seen in" in one]
    assert told
    assert all(float(one.rpartition(", not ")[2].removesuffix(" %")) < 80 for one in told)
    assert plan.advice[-1].startswith("add an approval before 100 %")


def test_a_stage_too_thin_to_be_judged_is_in_vain() -> None:
    plan = planned({"canary": {"weight": 1, "longest_minutes": 10}}, rps=1)

    assert plan.in_vain[0] == (
        "canary 1 %: in ten minutes at the longest the canary answers about 6 of the 100 requests"
        " that a guard needs; it cannot pass, and on_inconclusive (hold) decides"
    )


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"then": "ask"}, "on_too_little (ask) decides"),
        (
            {"then": "longer", "minutes": 20},
            (
                "on_too_little (longer) decides: 20 minutes more brings about 18,"
                " which is too little: a person is asked"
            ),
        ),
        (
            {"then": "notch", "minutes": 60, "points": 4},
            (
                "on_too_little (notch) decides: a notch to 5 % for 60 minutes brings about 190,"
                " which suffices"
            ),
        ),
        (
            {"then": "mirror", "minutes": 30, "percent": 20},
            (
                "on_too_little (mirror) decides: copies of 20 % for 30 minutes brings about 370,"
                " which suffices"
            ),
        ),
    ],
)
def test_a_plan_tells_what_the_way_out_of_too_little_traffic_brings(
    rule: dict[str, Any], told: str
) -> None:
    stages = ({"canary": {"weight": 1, "longest_minutes": 10}}, CANARY_25)

    plan = planned(*stages, rps=1, on_too_little=rule)

    assert plan.in_vain[0].endswith(f"it cannot pass, and {told}")


def test_a_baseline_too_thin_to_compare_with_is_in_vain() -> None:
    plan = planned({"canary": {"weight": 99, "longest_minutes": 10}}, rps=1)

    assert "the baseline answers about 6 of the 100 requests" in plan.in_vain[0]


def test_a_stage_in_which_not_even_a_broken_canary_is_found_out_is_in_vain() -> None:
    short = {"canary": {"weight": 1, "shortest_minutes": 1, "longest_minutes": 1}}

    plan = planned(short, rps=0.2)

    assert plan.in_vain[1].startswith("canary 1 %: not even a canary that fails every request")


@pytest.mark.parametrize(
    "guard",
    [
        {"metric": "error_rate", "worse_by_points": 1.0},
        {"metric": "error_rate", "worse_by_ratio": 400.0},
        {"metric": "unavailable_rate", "at_most": 1.0},
    ],
)
def test_a_guard_that_allows_everything_is_in_vain(guard: dict[str, Any]) -> None:
    plan = planned(CANARY_25, guards=[ERRORS, guard])

    limit = "its limit is 100 % of the requests or more; it can never trip"
    assert plan.in_vain == (f"guards[1]: {guard['metric']}: {limit}",)


def test_a_stage_of_weeks_is_planned_in_no_time() -> None:
    weeks = {"canary": {"weight": 5, "shortest_minutes": 80_000, "longest_minutes": 86_400}}

    assert planned(weeks).stages[0].ends_earliest == 80_002


@pytest.mark.parametrize(
    ("rps", "rate", "told"),
    [
        (0, 0.1, "rps: 0 is no traffic"),
        (-1, 0.1, "rps: -1 is no traffic"),
        (float("nan"), 0.1, "rps: nan is no traffic"),
        (float("inf"), 0.1, "rps: inf is no traffic"),
        (1, -0.1, "error_rate: -0.1 is not from 0 to 1; write 0.004 where 4 in 1000 fail"),
        (1, 4, "error_rate: 4 is not from 0 to 1"),
        (1, float("nan"), "error_rate: nan is not from 0 to 1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(rps: float, rate: float, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        given(rps, rate)


# -- traffic that was counted ----------------------------------------------------------------------


def test_traffic_is_counted_since_the_first_request() -> None:
    busy = Counts({200: 990, 424: 10})

    found = counted([None, None, busy, None, busy], terms_of(a_policy()))

    assert found is not None
    assert (found.minutes, round(found.requests_per_minute)) == (3, 667)
    assert found.error_rate == pytest.approx(0.01, rel=0.05)


def test_the_policy_says_what_an_error_is() -> None:
    minutes = [Counts({200: 990, 500: 10})]

    ours = counted(minutes, terms_of(a_policy(errors=[500])))
    usual = counted(minutes, terms_of(a_policy()))

    assert ours is not None
    assert usual is not None
    assert ours.error_rate > 10 * usual.error_rate


def test_without_a_request_there_is_no_traffic() -> None:
    assert counted([None, Counts(), None], terms_of(a_policy())) is None
