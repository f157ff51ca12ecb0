"""What others change on the endpoint: noticed at the next look, named, and handled as written."""

from typing import Any

import pytest

from rollout.core.actions import Action, SetTraffic
from rollout.core.endpoint import DeploymentView, Provisioning
from rollout.core.events import EndpointGone, ForeignChangeFound, ResumeRequested
from rollout.core.machine.decide import decide
from rollout.core.policy import Policy
from rollout.core.rollout import HoldCause, Outcome, Phase, StageClock
from rollout.core.traffic import Traffic
from tests.builders import (
    APPROVAL,
    BAKE,
    BLUE,
    CANARY_5,
    CANARY_25,
    DELETE,
    GREEN,
    MINUTE,
    ON_TRIAL,
    PASS,
    SECOND,
    SMOKE,
    StageText,
    a_deployment,
    a_head,
    a_hold,
    a_policy,
    a_question,
    a_rollout,
    a_view,
    an_order,
    looked,
    measured,
    mirrored,
    rollout_of,
    set_traffic,
    split,
    told,
)
from tests.fakes import NOON

BACK = (set_traffic(BLUE, None),)
LATER = NOON + 2 * MINUTE
RESUME = ResumeRequested(id="r", who="anna")
FOREIGN = (
    "someone else set the traffic to blue 50 %, green 50 %; this rollout wants blue 95 %, green 5 %"
)


def on_foreign_change(then: str) -> Policy:
    return a_policy(on_foreign_change=then)


# -- the map -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "phase", "actions", "why"),
    [
        ("hold", Phase.HOLDING, (), FOREIGN),
        ("roll_back", Phase.ROLLING_BACK, BACK, f"roll back: {FOREIGN}"),
        (
            "adopt",
            Phase.SHIFTING,
            (set_traffic(split(5), split(50)),),
            f"{FOREIGN}; adopted as the policy says",
        ),
    ],
)
@pytest.mark.parametrize("phase_before", [Phase.MEASURING, Phase.APPROVING])
def test_a_foreign_change_is_handled_as_the_policy_says(
    phase_before: Phase, then: str, phase: Phase, actions: tuple[Action, ...], why: str
) -> None:
    head = a_head(a_rollout(phase_before, policy=on_foreign_change(then)))

    decision = decide(head, looked(split(50)), LATER)

    assert told(decision) == (phase, actions, why)
    assert rollout_of(decision).observed == split(50)


@pytest.mark.parametrize(
    ("then", "phase", "actions"),
    [
        ("hold", Phase.HOLDING, ()),
        ("roll_back", Phase.ROLLING_BACK, BACK),
        ("adopt", Phase.SHIFTING, (set_traffic(split(5), split(50)),)),
    ],
)
def test_a_foreign_change_found_before_a_write_is_the_same(
    then: str, phase: Phase, actions: tuple[Action, ...]
) -> None:
    head = a_head(a_rollout(Phase.SHIFTING, policy=on_foreign_change(then)))

    decision = decide(head, ForeignChangeFound(id="f", found=split(50)), NOON)

    assert told(decision)[:2] == (phase, actions)


def test_adopted_shares_of_others_are_what_a_rollback_restores() -> None:
    head = a_head(a_rollout(policy=on_foreign_change("adopt")))

    decision = decide(head, looked(split(5, red=40)), LATER)

    assert rollout_of(decision).recorded == split(0, red=40)
    assert decision.actions == (set_traffic(split(3, red=40), split(5, red=40), split(0, red=40)),)
    assert rollout_of(decision).clock == StageClock()
    assert rollout_of(decision).share_since is None


def test_an_adopted_map_that_suits_the_stage_costs_it_no_time() -> None:
    head = a_head(a_rollout(policy=on_foreign_change("adopt")))

    decision = decide(head, looked(split(3, red=40)), LATER)

    assert told(decision)[:2] == (Phase.MEASURING, ())
    assert rollout_of(decision).wanted == split(3, red=40)
    assert rollout_of(decision).clock == StageClock(since=NOON)


def test_an_adopted_map_that_suits_the_stage_keeps_the_answers_of_people() -> None:
    policy = a_policy(CANARY_5, APPROVAL, on_foreign_change="adopt")
    asked = a_question(quorum=2, approved_by=("ben",))
    rollout = a_rollout(Phase.APPROVING, 1, policy, asked=asked)

    decision = decide(a_head(rollout), looked(split(3, red=40)), LATER)

    assert told(decision)[:2] == (Phase.APPROVING, ())
    assert rollout_of(decision).asked == asked


def test_what_took_the_baselines_place_is_not_adopted() -> None:
    head = a_head(a_rollout(policy=on_foreign_change("adopt")))

    decision = decide(head, looked(Traffic.all_to("red")), LATER)

    assert decision.head.phase is Phase.HOLDING


def test_a_first_deployment_does_not_take_what_others_were_given() -> None:
    policy = a_policy(SMOKE, on_foreign_change="adopt")
    rollout = a_rollout(Phase.SMOKING, policy=policy, baseline=None, recorded=Traffic())

    decision = decide(a_head(rollout), looked(Traffic.all_to("red")), LATER)

    assert told(decision)[:2] == (Phase.HOLDING, ())


@pytest.mark.parametrize("phase", [Phase.PREPARING, Phase.HOLDING])
def test_an_adopted_change_neither_hurries_nor_ends_a_wait(phase: Phase) -> None:
    head = a_head(a_rollout(phase, policy=on_foreign_change("adopt")))

    decision = decide(head, looked(split(0, red=40)), LATER)

    assert told(decision)[:2] == (phase, ())
    assert rollout_of(decision).recorded == split(0, red=40)


def test_nothing_is_adopted_while_the_old_baseline_is_retired() -> None:
    policy = a_policy(CANARY_5, BAKE, DELETE, on_foreign_change="adopt")

    decision = decide(a_head(a_rollout(Phase.RETIRING, 2, policy)), looked(split(50)), LATER)

    assert told(decision)[:2] == (Phase.HOLDING, ())


def test_a_map_that_is_put_back_goes_on_by_itself() -> None:
    held = decide(a_head(a_rollout()), looked(split(50)), LATER)

    still = decide(held.head, looked(split(50)), LATER + MINUTE)
    decision = decide(still.head, looked(split(5)), LATER + 2 * MINUTE)

    assert still.head == held.head
    assert told(decision) == (Phase.MEASURING, (), "blue 95 %, green 5 % is back")


def test_minutes_at_anothers_share_are_no_evidence_of_the_stage() -> None:
    held = decide(a_head(a_rollout()), looked(split(50)), LATER)
    back_at = LATER + 2 * MINUTE

    decision = decide(held.head, looked(split(5)), back_at)

    rollout = rollout_of(decision)
    assert rollout.clock == StageClock(since=back_at)
    assert rollout.share_since == back_at
    assert [share.since for share in rollout.shares] == [NOON, back_at]


def test_a_change_during_a_pause_costs_the_stage_its_time_too() -> None:
    paused = a_head(a_rollout(Phase.HOLDING, clock=StageClock(ran=4 * MINUTE)))
    changed = decide(paused, looked(split(50)), LATER)
    resumed = decide(changed.head, ResumeRequested(id="r", who="anna"), LATER + MINUTE)

    decision = decide(resumed.head, looked(split(5)), LATER + 2 * MINUTE)

    assert decision.head.phase is Phase.MEASURING
    assert rollout_of(decision).clock == StageClock(since=LATER + 2 * MINUTE)
    assert rollout_of(decision).share_since == LATER + 2 * MINUTE


def test_a_map_is_back_when_the_endpoint_has_settled() -> None:
    held = decide(a_head(a_rollout()), looked(split(50)), LATER)
    busy = a_view(split(5), state=Provisioning.UPDATING)

    decision = decide(held.head, looked(busy), LATER + MINUTE)

    assert decision.head.phase is Phase.HOLDING


def test_a_resumption_restores_the_map_before_people_are_asked_again() -> None:
    policy = a_policy(CANARY_5, APPROVAL)
    held = decide(a_head(a_rollout(Phase.APPROVING, 1, policy)), looked(split(50)), LATER)

    resumed = decide(held.head, RESUME, LATER)
    there = decide(resumed.head, looked(split(5)), LATER + MINUTE)

    assert told(resumed)[:2] == (Phase.SHIFTING, (set_traffic(split(5), split(50)),))
    assert there.head.phase is Phase.APPROVING


def test_a_map_from_before_a_write_is_put_back_and_the_write_is_asked_for_again() -> None:
    found = ForeignChangeFound(id="f", found=split(50))
    held = decide(a_head(a_rollout(Phase.SHIFTING)), found, NOON)

    decision = decide(held.head, looked(BLUE), LATER)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(5), BLUE),),
        "blue 100 % is back",
    )


@pytest.mark.parametrize("phase", [Phase.PREPARING, Phase.APPROVING])
def test_a_map_that_is_put_back_goes_on_waiting(phase: Phase) -> None:
    rollout = a_rollout(phase, 0 if phase is Phase.PREPARING else 1, a_policy(CANARY_5, APPROVAL))
    held = decide(a_head(rollout), looked(split(50)), LATER)

    decision = decide(held.head, looked(rollout.observed), LATER + MINUTE)

    assert held.head.phase is Phase.HOLDING
    assert told(decision) == (phase, (), f"{rollout.observed} is back")


def test_a_pause_outlives_a_foreign_change() -> None:
    held = decide(a_head(a_rollout(Phase.HOLDING)), looked(split(50)), LATER)

    decision = decide(held.head, looked(split(5)), LATER + MINUTE)

    assert told(held) == (Phase.HOLDING, (), FOREIGN)
    assert told(decision) == (Phase.HOLDING, (), FOREIGN)
    hold = rollout_of(decision).hold
    assert hold is not None
    assert hold.cause is HoldCause.PAUSED


def test_a_resumption_before_the_canary_is_ready_knows_the_foreign_map() -> None:
    held = decide(a_head(a_rollout(Phase.PREPARING)), looked(split(0, red=40)), LATER)

    resumed = decide(held.head, RESUME, LATER)
    view = a_view(split(0, red=40), green=Provisioning.CREATING)
    waiting = decide(resumed.head, looked(view), LATER)
    ready = decide(waiting.head, looked(split(0, red=40)), LATER)

    assert waiting.head.phase is Phase.PREPARING
    assert ready.actions == (set_traffic(split(5), split(0, red=40)),)


def test_an_old_map_after_a_shift_is_no_foreign_change_for_a_minute() -> None:
    rollout = a_rollout(stage=1, asked_at=NOON, before=split(5))

    stale = decide(a_head(rollout), looked(split(5)), NOON + 59 * SECOND)
    foreign = decide(a_head(rollout), looked(split(5)), NOON + 60 * SECOND)

    assert stale.head.phase is Phase.MEASURING
    assert foreign.head.phase is Phase.HOLDING


def test_a_mirror_that_others_set_is_foreign_too() -> None:
    decision = decide(a_head(a_rollout(Phase.PREPARING)), looked(mirrored()), LATER)

    assert decision.head.phase is Phase.HOLDING


# -- the canary --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("green", "why"),
    [
        (None, "green is gone from the endpoint"),
        (Provisioning.FAILED, "Azure says that green has failed"),
    ],
)
@pytest.mark.parametrize(
    "phase", [Phase.SMOKING, Phase.SHIFTING, Phase.MEASURING, Phase.HOLDING, Phase.APPROVING]
)
def test_a_lost_canary_gives_the_traffic_back(
    phase: Phase, green: Provisioning | None, why: str
) -> None:
    rollout = a_rollout(phase)
    view = a_view(rollout.observed, green=green)
    if green is None:
        view = view.model_copy(update={"deployments": {"blue": a_deployment("blue")}})

    decision = decide(a_head(rollout), looked(view), LATER)

    assert told(decision) == (Phase.ROLLING_BACK, BACK, f"roll back: {why}")


@pytest.mark.parametrize("phase", [Phase.HOLDING, Phase.APPROVING])
def test_a_canary_that_is_still_to_be_made_is_not_lost(phase: Phase) -> None:
    making = an_order(create={"template": "deployments/churn.yaml", "values": {}})
    rollout = a_rollout(phase, order=making, fingerprints={"blue": "v1"}, observed=BLUE)
    view = a_view(BLUE).model_copy(update={"deployments": {"blue": a_deployment("blue")}})

    decision = decide(a_head(rollout.model_copy(update={"wanted": BLUE})), looked(view), LATER)

    assert told(decision)[:2] == (phase, ())


CHANGED = a_deployment("green", fingerprint="v2")


def test_a_changed_canary_loses_its_evidence_and_starts_again() -> None:
    rollout = a_rollout(stage=1, report=PASS)

    decision = decide(a_head(rollout), looked(a_view(split(25), green=CHANGED)), LATER)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(5), split(25)),),
        "green was changed under its name; its evidence is lost, it starts again",
    )
    again = rollout_of(decision)
    assert (again.stage, again.evidence_since, again.report) == (0, LATER, None)


def test_a_canary_changed_while_a_map_is_on_its_way_has_the_first_map_asked_for() -> None:
    rollout = a_rollout(Phase.SHIFTING, stage=1, before=BLUE, wanted=split(5), observed=BLUE)
    first = a_policy(stages=[SMOKE, CANARY_5])
    changed = rollout.model_copy(update={"policy": first})

    decision = decide(a_head(changed), looked(a_view(BLUE, green=CHANGED)), LATER)
    seen = decide(decision.head, looked(a_view(split(5), green=CHANGED)), LATER + MINUTE)

    assert told(decision)[:2] == (Phase.SHIFTING, (set_traffic(BLUE, BLUE),))
    assert rollout_of(decision).before == split(5)
    assert seen.head.phase is Phase.SHIFTING


@pytest.mark.parametrize(("minutes", "phase"), [(8, Phase.SHIFTING), (11, Phase.HOLDING)])
def test_a_map_of_before_that_lands_late_is_followed_at_once(minutes: int, phase: Phase) -> None:
    """It gives the canary more than is wanted now; whoever sets it by hand later is believed."""
    asked: dict[str, Any] = {"before": split(5), "wanted": BLUE, "observed": BLUE, "asked_at": NOON}
    rollout = a_rollout(Phase.SMOKING, policy=a_policy(stages=[SMOKE, CANARY_5]), **asked)

    decision = decide(a_head(rollout), looked(a_view(split(5))), NOON + minutes * MINUTE)

    again = (set_traffic(BLUE, split(5)),) if phase is Phase.SHIFTING else ()
    assert told(decision)[:2] == (phase, again)


def test_the_map_that_a_step_up_replaced_is_a_change_by_someone_else() -> None:
    asked: dict[str, Any] = {
        "before": BLUE,
        "wanted": split(5),
        "observed": split(5),
        "asked_at": NOON,
    }
    rollout = a_rollout(Phase.MEASURING, **asked)

    decision = decide(a_head(rollout), looked(a_view(BLUE)), NOON + 5 * MINUTE)

    assert told(decision)[:2] == (Phase.HOLDING, ())


def test_a_canary_changed_in_a_pause_stays_held_and_starts_again_when_it_goes_on() -> None:
    rollout = a_rollout(Phase.HOLDING, stage=1, report=PASS)

    decision = decide(a_head(rollout), looked(a_view(split(25), green=CHANGED)), LATER)
    at = LATER + MINUTE
    landed = decide(decision.head, looked(a_view(split(5), green=CHANGED)), at)
    resumed = decide(landed.head, RESUME, at)

    assert told(decision) == (
        Phase.HOLDING,
        (set_traffic(split(5), split(25)),),
        "green was changed under its name; its evidence is lost. Still held: paused it is",
    )
    held = rollout_of(decision)
    assert (held.stage, held.report, held.evidence_since) == (0, None, LATER)
    assert held.hold is not None
    assert held.hold.cause is HoldCause.PAUSED
    assert told(landed)[:2] == (Phase.HOLDING, ())
    assert told(resumed)[:2] == (Phase.MEASURING, ())
    assert rollout_of(resumed).share_since == at


def test_a_canary_changed_while_anothers_map_stands_leaves_that_map_alone() -> None:
    held = decide(a_head(a_rollout(stage=1)), looked(split(50)), LATER)
    at = LATER + MINUTE

    decision = decide(held.head, looked(a_view(split(50), green=CHANGED)), at)
    still = decide(decision.head, looked(a_view(split(50), green=CHANGED)), at + MINUTE)

    assert told(decision)[:2] == (Phase.HOLDING, ())
    assert still.head.rollout == decision.head.rollout


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        (CANARY_5, set_traffic(split(5), BLUE)),
        ({"mirror": {"percent": 20}}, set_traffic(BLUE.mirrored_to("green", 20), BLUE)),
    ],
)
def test_a_canary_changed_in_a_pause_gets_no_more_until_a_person_lets_it(
    first: StageText, asked: SetTraffic
) -> None:
    policy = a_policy(first, CANARY_25)
    rollout = a_rollout(Phase.HOLDING, policy=policy, before=BLUE, wanted=BLUE, observed=BLUE)

    changed = decide(a_head(rollout), looked(a_view(BLUE, green=CHANGED)), LATER)
    still = decide(changed.head, looked(a_view(BLUE, green=CHANGED)), LATER + MINUTE)
    resumed = decide(still.head, RESUME, LATER + MINUTE)

    assert told(changed)[:2] == (Phase.HOLDING, ())
    assert "Still held: paused" in changed.why
    assert told(still)[:2] == (Phase.HOLDING, ())
    assert told(resumed)[:2] == (Phase.SHIFTING, (asked,))


def test_traffic_given_back_by_hand_is_not_taken_from_the_baseline_again() -> None:
    head = a_head(a_rollout(policy=on_foreign_change("adopt")))

    decision = decide(head, looked(BLUE), LATER)

    assert told(decision)[:2] == (Phase.HOLDING, ())
    hold = rollout_of(decision).hold
    assert hold is not None
    assert hold.cause is HoldCause.FOREIGN_CHANGE


def test_a_changed_canary_gives_the_traffic_back_where_the_policy_says_so() -> None:
    rollout = a_rollout(policy=a_policy(on_changed_in_place="roll_back"))

    decision = decide(a_head(rollout), looked(a_view(split(5), green=CHANGED)), LATER)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        BACK,
        "roll back: green was changed under its name",
    )


def test_a_changed_canary_is_noticed_once() -> None:
    event = looked(a_view(split(5), green=CHANGED))
    restarted = decide(a_head(a_rollout()), event, LATER)

    again = decide(restarted.head, event, LATER + MINUTE)

    assert "changed" not in again.why


# -- the baseline ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blue", "why"),
    [
        (
            a_deployment("blue", fingerprint="v2"),
            "the baseline blue was changed under its name; evidence starts again",
        ),
        (None, "blue is gone"),
    ],
)
def test_a_changed_baseline_holds_once(blue: DeploymentView | None, why: str) -> None:
    rollout = a_rollout(stage=1, policy=a_policy(CANARY_5, BAKE))
    view = a_view(GREEN, blue=blue)

    held = decide(a_head(rollout), looked(view), LATER)
    resumed = decide(held.head, RESUME, LATER + MINUTE)
    at = LATER + 2 * MINUTE
    decision = decide(resumed.head, measured(view, PASS, at), at)

    assert told(held) == (Phase.HOLDING, (), why)
    assert told(resumed)[0] is Phase.MEASURING
    assert told(decision)[0] is Phase.MEASURING


BLUE_CHANGED = a_deployment("blue", fingerprint="v2")


@pytest.mark.parametrize("phase", ON_TRIAL)
def test_a_changed_baseline_is_noticed_at_the_next_look(phase: Phase) -> None:
    rollout = a_rollout(phase, fingerprints={"blue": "v1"})

    decision = decide(a_head(rollout), looked(a_view(rollout.observed, blue=BLUE_CHANGED)), LATER)

    assert told(decision) == (
        Phase.HOLDING,
        (),
        "the baseline blue was changed under its name; evidence starts again",
    )
    assert rollout_of(decision).evidence_since == LATER


def test_a_baseline_changed_in_a_freeze_lets_nothing_go_up_when_that_is_over() -> None:
    hold = a_hold(HoldCause.FROZEN, during=Phase.SHIFTING)
    rollout = a_rollout(Phase.HOLDING, stage=1, observed=split(5), wanted=split(5), hold=hold)

    decision = decide(a_head(rollout), looked(a_view(split(5), blue=BLUE_CHANGED)), LATER)

    assert told(decision)[:2] == (Phase.HOLDING, ())


def test_fresh_evidence_gets_the_whole_shortest_time() -> None:
    at = NOON + 4 * MINUTE
    view = a_view(split(5), blue=a_deployment("blue", fingerprint="v2"))
    held = decide(a_head(a_rollout()), looked(view), at)
    resumed = decide(held.head, RESUME, at)

    decision = decide(resumed.head, measured(view, PASS, at + 2 * MINUTE), at + 2 * MINUTE)

    assert decision.why == "3 minutes of canary 5 % left"
    assert rollout_of(decision).evidence_since == at


# -- the endpoint ------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.PREPARING, Phase.MEASURING, Phase.RETIRING])
def test_a_lost_endpoint_ends_it(phase: Phase) -> None:
    stage = 2 if phase is Phase.RETIRING else 0
    rollout = a_rollout(phase, stage, a_policy(CANARY_5, BAKE, DELETE))

    decision = decide(a_head(rollout), EndpointGone(id="g"), NOON)

    assert told(decision) == (Phase.ROLLED_BACK, (), "the endpoint ml/churn is gone")
    assert rollout_of(decision).outcome is Outcome.ABORTED


def test_a_foreign_change_takes_the_place_of_a_silence() -> None:
    rollout = a_rollout(Phase.HOLDING, hold=a_hold(HoldCause.NO_DATA))

    decision = decide(a_head(rollout), looked(split(50)), LATER)

    hold = rollout_of(decision).hold
    assert hold is not None
    assert hold.cause is HoldCause.FOREIGN_CHANGE
