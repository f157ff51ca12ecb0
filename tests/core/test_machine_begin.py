"""How a rollout begins, who is turned away, and what becomes of a newer deployment."""

from typing import Any

import pytest

from rollout.core.actions import ClaimEndpoint
from rollout.core.endpoint import Provisioning
from rollout.core.events import Beginning, OrderFailed
from rollout.core.machine.decide import decide, is_turn_of_queued, next_look
from rollout.core.rollout import OVER, Outcome, Phase
from rollout.core.traffic import Traffic
from tests.builders import (
    BLUE,
    CANARY_25,
    DELETE,
    GREEN,
    MINUTE,
    MIRROR,
    a_head,
    a_policy,
    a_rollout,
    a_view,
    an_endpoint,
    an_order,
    looked,
    mirrored,
    retried,
    rollout_of,
    set_traffic,
    split,
    started,
    told,
    turned_away,
)
from tests.fakes import NOON

CLAIM = ClaimEndpoint(endpoint=an_endpoint())


def test_a_start_claims_the_endpoint_and_records_its_map() -> None:
    decision = decide(a_head(), started(), NOON)

    assert told(decision) == (
        Phase.PREPARING,
        (CLAIM,),
        "ci starts green against blue under churn",
    )
    assert decision.head.generation == 1
    assert rollout_of(decision).recorded == BLUE
    assert rollout_of(decision).id.endswith("-1")


def test_a_first_deployment_has_no_baseline() -> None:
    event = started(view=a_view(Traffic(), blue=None))

    decision = decide(a_head(), event, NOON)

    assert decision.why == "ci starts green against nothing under churn"
    assert [str(stage) for stage in rollout_of(decision).stages] == ["bake 100 %"]


def test_a_named_baseline_is_compared_with_while_others_serve() -> None:
    view = a_view(Traffic(live={"blue": 60, "red": 40}))

    decision = decide(a_head(), started(view=view, policy=a_policy(baseline="blue")), NOON)

    assert rollout_of(decision).baseline == "blue"
    assert rollout_of(decision).recorded == Traffic(live={"blue": 60, "red": 40})


def test_an_adopted_canary_gives_its_share_back_in_a_rollback() -> None:
    decision = decide(a_head(), started(view=a_view(split(30)), adopt=True), NOON)

    assert rollout_of(decision).recorded == BLUE
    assert rollout_of(decision).observed == split(30)


def test_a_mirror_that_reaches_the_canary_already_is_not_restored() -> None:
    decision = decide(a_head(), started(view=a_view(mirrored(10))), NOON)

    assert rollout_of(decision).recorded == BLUE


def test_the_same_owner_may_start_and_another_may_take_over() -> None:
    ours = decide(a_head(), started(view=a_view(owner="here")), NOON)
    taken = decide(a_head(), started(view=a_view(owner="there"), take_over=True), NOON)

    assert (ours.taken, taken.taken) == (True, True)


@pytest.mark.parametrize(
    ("details", "why"),
    [
        (
            {"view": a_view(owner="there")},
            "ml/churn is worked on by 'there'; if that is over, start with --take-over",
        ),
        (
            {"view": a_view(green=None)},
            (
                "ml/churn has no deployment 'green': it has blue;"
                " create it first, it may still be on its way when the rollout starts"
            ),
        ),
        (
            {"view": a_view(green=Provisioning.FAILED)},
            "green is Failed: create it again, then start",
        ),
        (
            {"view": a_view(green=Provisioning.DELETING)},
            "green is Deleting: create it again, then start",
        ),
        (
            {"view": a_view(GREEN)},
            "green serves all traffic already: there is nothing to roll out",
        ),
        (
            {"view": a_view(split(30))},
            (
                "green has live traffic already (blue 70 %, green 30 %);"
                " start with --adopt to go on from it"
            ),
        ),
        (
            {"view": a_view(split(0, red=40))},
            (
                "more than one deployment is live (blue 60 %, red 40 %);"
                " name the one to compare with: baseline, in the policy"
            ),
        ),
        (
            {"policy": a_policy(baseline="green")},
            "green is the policy's baseline: it cannot be the canary as well",
        ),
        (
            {"policy": a_policy(baseline="red")},
            "the policy's baseline 'red' has no live traffic (blue 100 %)",
        ),
        (
            {"policy": a_policy(MIRROR), "view": a_view(managed=False)},
            (
                "ml/churn is a Kubernetes endpoint, which cannot mirror;"
                " use a policy that starts with a small canary weight"
            ),
        ),
        ({"view": a_view(state=Provisioning.DELETING)}, "ml/churn is being deleted"),
    ],
)
def test_what_cannot_be_rolled_out_is_turned_away_with_the_remedy(
    details: dict[str, Any], why: str
) -> None:
    head = a_head()

    decision = decide(head, started(**details), NOON)

    assert turned_away(decision) == why
    assert decision.head == head


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.RELEASED, Phase.REFUSED])
def test_a_retry_begins_anew_after_an_end_that_was_not_good(phase: Phase) -> None:
    decision = decide(a_head(a_rollout(phase)), retried(), NOON + 10 * MINUTE)

    assert told(decision) == (
        Phase.PREPARING,
        (CLAIM,),
        "ci starts green against blue under churn",
    )
    assert decision.head.generation == 2


@pytest.mark.parametrize("event", [started(), retried()])
def test_a_start_within_the_watch_after_a_rollback_waits_for_its_end(event: Beginning) -> None:
    head = a_head(a_rollout(Phase.ROLLED_BACK))

    decision = decide(head, event, NOON + 9 * MINUTE)
    landed = decide(decision.head, looked(split(5)), NOON + 9 * MINUTE)

    why = "green waits until 12:10:00 UTC: the endpoint is watched after the rollback"
    assert told(decision) == (Phase.ROLLED_BACK, (), why)
    assert decision.head.queued == event.order
    assert landed.actions == (set_traffic(BLUE, None),)
    assert is_turn_of_queued(decision.head, NOON + 10 * MINUTE)


def test_a_start_within_the_watch_takes_the_place_of_the_one_that_waits() -> None:
    head = a_head(a_rollout(Phase.ROLLED_BACK), queued=an_order("red"))

    decision = decide(head, started(), NOON)

    assert decision.why.startswith("green waits in place of red until 12:10:00 UTC")
    assert decision.head.queued == an_order("green")


def test_a_start_that_cannot_be_is_turned_away_in_the_watch_already() -> None:
    event = started(view=a_view(green=None))

    decision = decide(a_head(a_rollout(Phase.ROLLED_BACK)), event, NOON)

    assert "has no deployment 'green'" in turned_away(decision)


def test_after_an_end_before_any_map_was_asked_for_a_start_need_not_wait() -> None:
    head = a_head(a_rollout(Phase.ROLLED_BACK, before=BLUE))

    assert decide(head, started(), NOON).head.phase is Phase.PREPARING


def test_a_promotion_is_not_tried_again() -> None:
    decision = decide(a_head(a_rollout(Phase.PROMOTED)), retried(), NOON)

    assert turned_away(decision) == "it is promoted; there is nothing to try again"


# -- a newer deployment ------------------------------------------------------------------------


def test_a_newer_deployment_waits_its_turn() -> None:
    event = started("red", view=a_view(split(5), red=Provisioning.CREATING))

    decision = decide(a_head(a_rollout()), event, NOON)

    assert told(decision) == (Phase.MEASURING, (), "red waits until churn-1 is over")
    assert decision.head.queued == event.order


def test_the_latest_takes_the_place_of_the_one_that_waits() -> None:
    head = a_head(a_rollout(), queued=an_order("pink"))

    decision = decide(head, started("red", view=a_view(red=Provisioning.SUCCEEDED)), NOON)

    assert decision.why == "red waits in place of pink until churn-1 is over"


def test_a_newer_deployment_takes_over_where_the_policy_says_so() -> None:
    rollout = a_rollout(policy=a_policy(on_newer="supersede"))
    event = started("red", view=a_view(red=Provisioning.SUCCEEDED))

    decision = decide(a_head(rollout), event, NOON)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        (set_traffic(BLUE, None),),
        "roll back: red is newer and takes over",
    )
    assert decision.head.queued == event.order
    back = rollout_of(decision).rollback
    assert back is not None
    assert (back.outcome, back.who) == (Outcome.SUPERSEDED, "ci")


@pytest.mark.parametrize("phase", [Phase.RETIRING, Phase.ROLLING_BACK])
def test_nothing_is_superseded_that_is_proven_or_on_its_way_back(phase: Phase) -> None:
    policy = a_policy(DELETE, on_newer="supersede")
    stage = 1 if phase is Phase.RETIRING else 0
    event = started("red", view=a_view(red=Provisioning.SUCCEEDED))

    decision = decide(a_head(a_rollout(phase, stage, policy)), event, NOON)

    assert told(decision) == (phase, (), "red waits until churn-1 is over")


def test_a_policy_may_refuse_newer_deployments() -> None:
    rollout = a_rollout(policy=a_policy(on_newer="refuse"))
    event = started("red", view=a_view(red=Provisioning.SUCCEEDED))

    decision = decide(a_head(rollout), event, NOON)

    assert turned_away(decision) == "churn-1 is live and its policy refuses newer deployments"


def test_the_same_deployment_does_not_wait_for_itself() -> None:
    decision = decide(a_head(a_rollout()), started(), NOON)

    assert turned_away(decision) == "green is being rolled out already: churn-1"


def test_one_that_is_not_there_does_not_wait() -> None:
    decision = decide(a_head(a_rollout()), started("red"), NOON)

    assert turned_away(decision).startswith("ml/churn has no deployment 'red'")


def test_what_waits_begins_only_after_the_watch_that_follows_a_rollback() -> None:
    head = a_head(a_rollout(Phase.ROLLED_BACK), queued=an_order("red"))
    watched = NOON + 11 * MINUTE

    assert not is_turn_of_queued(head, NOON)
    assert is_turn_of_queued(head, watched)
    assert next_look(head, watched) == watched


@pytest.mark.parametrize("phase", sorted(OVER - {Phase.IDLE, Phase.ROLLED_BACK}))
def test_what_waits_begins_at_once_when_the_other_is_over(phase: Phase) -> None:
    order = an_order("red")
    head = a_head(a_rollout(phase), queued=order)
    event = started("red", view=a_view(red=Provisioning.SUCCEEDED), policy=a_policy(CANARY_25))

    decision = decide(head, event, NOON)

    assert next_look(head, NOON) == NOON
    assert decision.head.phase is Phase.PREPARING
    assert decision.head.queued is None


def test_what_waited_and_cannot_begin_waits_no_more() -> None:
    head = a_head(a_rollout(Phase.PROMOTED), queued=an_order("red"))

    decision = decide(head, started("red"), NOON)

    assert decision.head.queued is None
    assert next_look(decision.head, NOON) is None


def test_an_order_that_failed_is_dropped_and_said() -> None:
    order = an_order("red")
    event = OrderFailed(id="f", order=order, reason="no policy matches")

    decision = decide(a_head(a_rollout(Phase.PROMOTED), queued=order), event, NOON)

    assert told(decision) == (Phase.PROMOTED, (), "red cannot start: no policy matches")
    assert decision.head.queued is None


def test_an_order_that_does_not_wait_cannot_fail() -> None:
    event = OrderFailed(id="f", order=an_order("red"), reason="no policy matches")

    decision = decide(a_head(a_rollout()), event, NOON + MINUTE)

    assert turned_away(decision) == "it does not wait any more"
