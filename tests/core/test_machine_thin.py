"""Too little traffic is never a pass: the stage's one way out, as the policy names it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from rollout.analysis.capacity import Load
from rollout.analysis.report import Evidence, Kind, Report, Verdict
from rollout.core.actions import ScaleDeployment
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine.decide import decide
from rollout.core.machine.decision import Decision
from rollout.core.record import record
from rollout.core.rollout import Further, Phase, Rollout, Share, StageClock
from rollout.core.traffic import Traffic
from tests.builders import (
    BLUE,
    CANARY_5,
    MINUTE,
    PASS,
    a_finding,
    a_head,
    a_policy,
    a_rollout,
    a_view,
    measured,
    mirrored,
    rollout_of,
    set_traffic,
    split,
    started,
    told,
    turned_away,
)
from tests.fakes import NOON

HOUR = NOON + 60 * MINUTE
LOAD = Load(requests_per_second=0.2, mean_seconds=0.02)
FEW = "canary 31 of 100 requests, about 14 minutes left"
WHY = f"canary 5 % is undecided after 60 minutes: {FEW}"
LONGER = "60 minutes more at this share, then a person is asked"
COPIES = {"mirror": {"percent": 20, "longest_minutes": 60}}
EIGHT = {"canary": {"weight": 8}}


def thin(bound: float = 0.1, ln_e: float = 0.0) -> Report:
    """Too few requests for a verdict; nothing else speaks against the canary."""
    evidence = Evidence(Kind.SPLITS, ln_e, ln_e, 3.2, excess_bound_so_far=bound, requests_needed=69)
    return Report((replace(a_finding(Verdict.INCONCLUSIVE), because=FEW, evidence=evidence),))


def short_of(then: str, *stages: Any, **rule: Any) -> Rollout:
    """A rollout at 5 % under a policy with that way out."""
    rules = {name: rule.pop(name) for name in ("capacity", "budget") if name in rule}
    policy = a_policy(*(stages or (CANARY_5,)), on_too_little={"then": then, **rule}, **rules)
    return a_rollout(policy=policy)


def look(
    report: Report, at: datetime = HOUR, traffic: Traffic | None = None, load: Load | None = LOAD
) -> Looked:
    return measured(traffic or split(5), report, at).model_copy(update={"load": load})


def decided(rollout: Rollout, report: Report, **looked: Any) -> Decision:
    return decide(a_head(rollout), look(report, **looked), looked.get("at", HOUR))


# -- which way --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "phase", "why"),
    [
        ("hold", Phase.HOLDING, WHY),
        ("ask", Phase.APPROVING, WHY),
        ("roll_back", Phase.ROLLING_BACK, f"roll back: {WHY}"),
        (
            "longer",
            Phase.MEASURING,
            f"{WHY}; 60 minutes more at this share, then a person is asked",
        ),
    ],
)
def test_too_few_requests_end_as_the_policy_says_and_the_sentence_has_the_count(
    then: str, phase: Phase, why: str
) -> None:
    decision = decided(short_of(then), thin())

    assert (decision.head.phase, decision.why) == (phase, why)


@pytest.mark.parametrize(
    ("inconclusive", "phase"),
    [
        ("hold", Phase.HOLDING),
        ("ask", Phase.APPROVING),
        ("roll_back", Phase.ROLLING_BACK),
        ("advance", Phase.HOLDING),
    ],
)
def test_a_policy_that_names_no_way_out_does_as_with_any_doubt_but_never_goes_forward(
    inconclusive: str, phase: Phase
) -> None:
    rollout = a_rollout(policy=a_policy(on_inconclusive=inconclusive))

    assert decided(rollout, thin()).head.phase is phase


def test_a_doubt_of_another_kind_is_no_want_of_traffic() -> None:
    rollout = short_of("longer")
    doubtful = a_finding(Verdict.INCONCLUSIVE)

    decision = decided(rollout, Report((*thin().findings, doubtful)))

    assert decision.head.phase is Phase.HOLDING
    assert rollout_of(decision).further is None


# -- longer -----------------------------------------------------------------------------------


def test_a_longer_time_is_given_once_and_then_a_person_is_asked() -> None:
    given = decided(short_of("longer", minutes=30), thin())
    before = decide(given.head, look(thin(), HOUR + 29 * MINUTE), HOUR + 29 * MINUTE)
    after = decide(before.head, look(thin(), HOUR + 30 * MINUTE), HOUR + 30 * MINUTE)

    assert told(before) == (Phase.MEASURING, (), f"canary 5 %: {FEW}")
    asked = f"canary 5 % is undecided after 90 minutes: {FEW}; there is still too little traffic"
    assert told(after) == (Phase.APPROVING, (), asked)


def test_what_a_stage_was_given_is_kept_in_the_history_once() -> None:
    head = a_head(short_of("longer"))
    first = decide(head, look(thin()), HOUR)
    later = HOUR + MINUTE
    second = decide(first.head, look(thin(), later), later)

    told_first = record(head, first, look(thin()), HOUR)[2]
    told_second = record(first.head, second, look(thin(), later), later)[2]

    assert told_first is not None
    assert told_first.why.endswith(LONGER)
    assert told_second is None


# -- notch ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "points", "weight"),
    [((CANARY_5,), 3, 8), ((CANARY_5, EIGHT), 10, 8), ((CANARY_5, EIGHT), 2, 7)],
)
def test_a_notch_is_as_large_as_the_policy_says_and_never_above_the_next_weight(
    stages: tuple[Any, ...], points: int, weight: int
) -> None:
    decision = decided(short_of("notch", *stages, points=points), thin())

    assert decision.actions == (set_traffic(split(weight), split(5)),)
    assert decision.why == f"{WHY}; a notch more: {weight} % for 60 minutes"


def test_a_notch_is_given_once_and_its_stage_counts_on() -> None:
    asked = decided(short_of("notch", points=3), thin())
    at = HOUR + MINUTE
    arrived = decide(asked.head, look(thin(), at, split(8)), at)
    end = NOON + 200 * MINUTE
    over = decide(arrived.head, look(thin(), end, split(8)), end)

    rollout = rollout_of(arrived)
    assert arrived.head.phase is Phase.MEASURING
    assert rollout.share_since == NOON
    assert [share.percent for share in rollout.shares] == [5, 8]
    assert over.actions == ()
    assert told(over)[0] is Phase.APPROVING


def test_after_a_notch_the_next_stage_has_its_own_weight() -> None:
    notched = decided(short_of("notch", CANARY_5, EIGHT, points=2), thin())
    at = HOUR + 10 * MINUTE
    there = decide(notched.head, look(PASS, at, split(7)), at)

    decision = decide(there.head, look(PASS, at + MINUTE, split(7)), at + MINUTE)

    assert decision.actions == (set_traffic(split(8), split(7)),)
    assert rollout_of(decision).further is None


@pytest.mark.parametrize(
    ("looked", "rules", "why"),
    [
        ({"report": thin(ln_e=2.0)}, {}, "the evidence is a warning"),
        ({"report": thin(), "load": None}, {}, "it is not known how many requests come"),
        (
            {"report": thin(bound=0.5), "load": Load(100, 0.001)},
            {"budget": {"failures": 40}},
            "the budget of failed requests allows",
        ),
        (
            {"report": thin(bound=0.0001), "load": Load(1000, 0.1)},
            {},
            "workers busy",
        ),
        ({"report": thin()}, {"points": 1, "stages": ({"canary": {"weight": 5}},)}, None),
    ],
)
def test_no_notch_is_given_where_nobody_has_weighed_its_risk(
    looked: dict[str, Any], rules: dict[str, Any], why: str | None
) -> None:
    rules = dict(rules)
    stages = rules.pop("stages", (CANARY_5,))

    decision = decided(short_of("notch", *stages, **rules), **looked)

    if why is None:  # the control: with none of these a notch is given
        assert decision.actions == (set_traffic(split(6), split(5)),)
    else:
        assert told(decision)[:2] == (Phase.APPROVING, ())
        assert "no notch more: " in decision.why
        assert why in decision.why


@pytest.mark.parametrize(
    ("points", "looked", "why"),
    [
        (1, {}, "a weight of 6 gives it 3 % of the requests, which it has already"),
        (
            10,
            {"report": thin(bound=0.5), "load": Load(100, 0.001)},
            "the budget of failed requests allows 4 %, and 9 % is next",
        ),
    ],
)
def test_beside_others_a_notch_is_told_as_the_share_that_it_is(
    points: int, looked: dict[str, Any], why: str
) -> None:
    others = Traffic(live={"blue": 60, "red": 40})
    policy = a_policy(CANARY_5, on_too_little={"then": "notch", "points": points})
    rollout = a_rollout(policy=policy, recorded=others)

    decision = decided(rollout, **{"report": thin(), "traffic": rollout.observed, **looked})

    assert decision.why == f"{WHY}; no notch more: {why}"


def test_a_canary_without_room_for_its_notch_is_scaled_first_where_the_policy_says_so() -> None:
    busy = Load(1000, 0.1)

    decision = decided(short_of("notch", capacity="scale"), thin(bound=0.0001), load=busy)

    assert isinstance(decision.actions[0], ScaleDeployment)
    assert rollout_of(decision).further is None


# -- mirror -----------------------------------------------------------------------------------


def copying(report: Report, at: datetime) -> tuple[Head, Decision]:
    """5 % is cleared, 20 % are copied since two minutes after the hour, then a look."""
    head = decided(short_of("mirror"), thin()).head
    for minute, traffic in ((1, BLUE), (2, mirrored())):
        time = HOUR + minute * MINUTE
        head = decide(head, look(thin(), time, traffic), time).head
    return head, decide(head, look(report, at, mirrored()), at)


def test_copies_take_the_place_of_live_requests_which_are_seen_cleared_first() -> None:
    first = decided(short_of("mirror"), thin())
    at = HOUR + MINUTE
    second = decide(first.head, look(thin(), at, BLUE), at)

    assert first.actions == (set_traffic(BLUE, split(5)),)
    assert second.actions == (set_traffic(mirrored(), BLUE),)
    assert first.why == f"{WHY}; no live request, but copies of 20 % for 60 minutes"


def test_copies_that_suffice_lead_back_to_the_stage_and_not_past_it() -> None:
    head, decision = copying(PASS, HOUR + 8 * MINUTE)
    at = HOUR + 9 * MINUTE
    cleared = decide(decision.head, look(PASS, at, BLUE), at)
    there = decide(cleared.head, look(PASS, at + MINUTE, split(5)), at + MINUTE)
    early = decide(there.head, look(PASS, at + 2 * MINUTE, split(5)), at + 2 * MINUTE)

    assert head.phase is Phase.MEASURING
    assert decision.actions == (set_traffic(BLUE, mirrored()),)
    assert decision.why == "the copies were enough for all guards; back to canary 5 %"
    assert cleared.actions == (set_traffic(split(5), BLUE),)
    assert rollout_of(there).clock == StageClock(since=at + MINUTE)
    assert early.why == "4 minutes of canary 5 % left"


def test_copies_gather_no_longer_than_the_policy_says() -> None:
    _, during = copying(thin(), HOUR + 61 * MINUTE)
    _, over = copying(thin(), HOUR + 62 * MINUTE)

    assert during.why == f"canary 5 %: copies gather evidence: {FEW}"
    assert over.why == "the time for copies is over; back to canary 5 %"
    assert over.actions == (set_traffic(BLUE, mirrored()),)


def test_after_copies_a_stage_that_is_still_short_asks() -> None:
    further = Further(kind="mirror", since=HOUR, limit_minutes=60)
    rollout = short_of("mirror").model_copy(update={"further": further})

    decision = decided(rollout, thin())

    assert told(decision)[:2] == (Phase.APPROVING, ())


def test_an_endpoint_that_cannot_mirror_is_told_at_the_start() -> None:
    policy = a_policy(on_too_little={"then": "mirror"})

    decision = decide(a_head(), started(policy=policy, view=a_view(managed=False)), NOON)

    assert "cannot mirror" in turned_away(decision)


# -- where nothing else can be given -------------------------------------------------------------


@pytest.mark.parametrize("then", ["notch", "mirror"])
@pytest.mark.parametrize("stage", [COPIES, {"bake": {}}])
def test_copies_and_all_traffic_are_only_given_time(then: str, stage: Any) -> None:
    rollout = short_of(then, stage)
    rollout = rollout.model_copy(update={"shares": (Share(since=NOON, percent=20, stage="x"),)})
    at = NOON + 130 * MINUTE

    decision = decided(rollout, thin(), at=at, traffic=rollout.observed)

    assert told(decision)[:2] == (Phase.MEASURING, ())
    assert decision.why.endswith(LONGER)
