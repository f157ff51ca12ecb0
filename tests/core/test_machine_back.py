"""The way back: asked for until it is seen, and watched after that."""

import pytest

from rollout.core.actions import Action
from rollout.core.alerts import AlertSeverity
from rollout.core.endpoint import Provisioning
from rollout.core.events import (
    ActionRefused,
    AlertFired,
    EndpointGone,
    Looked,
    ReleaseRequested,
    TrafficAccepted,
)
from rollout.core.head import Debt
from rollout.core.machine.decide import decide, next_look
from rollout.core.record import record
from rollout.core.rollout import Outcome, Phase
from rollout.core.traffic import Traffic
from tests.builders import (
    BLUE,
    MINUTE,
    SECOND,
    a_deployment,
    a_head,
    a_rollout,
    a_view,
    looked,
    mirrored,
    rollout_of,
    set_traffic,
    split,
    told,
    turned_away,
)
from tests.fakes import NOON

BACK = (set_traffic(BLUE, None),)
STANDS = "the endpoint has blue 95 %, green 5 %"
WAITING = "waiting for blue 100 %, the endpoint has blue 95 %, green 5 %"


# -- until it is seen --------------------------------------------------------------------------


def test_the_way_back_is_over_when_the_recorded_map_is_seen() -> None:
    decision = decide(a_head(a_rollout(Phase.ROLLING_BACK)), looked(BLUE), NOON + 5 * SECOND)

    assert told(decision) == (Phase.ROLLED_BACK, (), "the endpoint has blue 100 % again")
    rollout = rollout_of(decision)
    assert rollout.rollback is not None
    assert rollout.rollback.seen_at == NOON + 5 * SECOND
    assert rollout.outcome is Outcome.ROLLED_BACK


def test_a_map_on_an_endpoint_that_is_busy_is_not_seen_yet() -> None:
    busy = a_view(BLUE, state=Provisioning.UPDATING)

    decision = decide(a_head(a_rollout(Phase.ROLLING_BACK)), looked(busy), NOON + MINUTE)

    assert told(decision)[:2] == (Phase.ROLLING_BACK, ())


def test_the_way_back_is_asked_for_again_until_it_is_seen() -> None:
    head = a_head(a_rollout(Phase.ROLLING_BACK))

    early = decide(head, looked(split(5)), NOON + 15 * SECOND)
    late = decide(early.head, looked(split(5)), NOON + 16 * SECOND)
    later = decide(late.head, looked(split(5)), NOON + 32 * SECOND)

    assert told(early) == (Phase.ROLLING_BACK, (), WAITING)
    assert told(late) == (Phase.ROLLING_BACK, BACK, f"{WAITING}; asked again")
    assert later.actions == BACK


def test_a_failed_operation_is_followed_by_the_next_at_once() -> None:
    event = looked(split(5)).model_copy(update={"operation_failed": "quota"})

    decision = decide(a_head(a_rollout(Phase.ROLLING_BACK)), event, NOON + SECOND)

    assert decision.actions == BACK


def test_what_is_still_owed_is_not_owed_twice() -> None:
    debt = Debt(id="d", action=BACK[0], generation=1, not_before=NOON)
    head = a_head(a_rollout(Phase.ROLLING_BACK), owed=(debt,))

    decision = decide(head, looked(split(5)), NOON + MINUTE)

    assert told(decision) == (Phase.ROLLING_BACK, (), WAITING)


def test_an_accepted_way_back_is_noted_once() -> None:
    event = TrafficAccepted(id="t", traffic=BLUE, operation="url")
    first = decide(a_head(a_rollout(Phase.ROLLING_BACK)), event, NOON + SECOND)
    second = decide(first.head, event, NOON + MINUTE)

    assert told(first) == (Phase.ROLLING_BACK, (), "Azure accepted blue 100 %")
    back = rollout_of(second).rollback
    assert back is not None
    assert back.accepted_at == NOON + SECOND


def test_an_older_write_is_not_taken_for_the_way_back() -> None:
    event = TrafficAccepted(id="t", traffic=split(5))

    decision = decide(a_head(a_rollout(Phase.ROLLING_BACK)), event, NOON)

    assert turned_away(decision) == "blue 95 %, green 5 % is not what is wanted now"


def test_a_refused_way_back_says_loudly_what_a_person_can_run() -> None:
    event = ActionRefused(id="n", action="set traffic", reason="no rights", remedy="az ml x")

    decision = decide(a_head(a_rollout(Phase.ROLLING_BACK)), event, NOON)

    why = "Azure refuses to set traffic: no rights. Run: az ml x"
    assert told(decision) == (Phase.ROLLING_BACK, (), why)
    assert rollout_of(decision).trouble == why


def test_trouble_on_the_way_forward_is_not_told_of_the_way_back() -> None:
    refused = ActionRefused(id="n", action="set traffic", reason="quota", remedy="az ml x")
    held = decide(a_head(a_rollout(Phase.SHIFTING)), refused, NOON)
    alert = AlertFired(id="a", rule="errors", severity=AlertSeverity.SEV0, fired_at=NOON)

    decision = decide(held.head, alert, NOON)

    assert rollout_of(decision).trouble is None


@pytest.mark.parametrize(("seconds", "actions"), [(5, ()), (20, BACK)])
def test_a_baseline_that_is_gone_is_said_loudly_and_still_asked_for(
    seconds: int, actions: tuple[Action, ...]
) -> None:
    view = a_view(split(5)).model_copy(update={"deployments": {"green": a_deployment()}})

    decision = decide(a_head(a_rollout(Phase.ROLLING_BACK)), looked(view), NOON + seconds * SECOND)

    assert decision.actions == actions
    assert decision.why.startswith(f"blue of the recorded map is gone! {WAITING}")
    trouble = rollout_of(decision).trouble
    assert trouble is not None
    assert trouble.startswith(decision.why.removesuffix("; asked again"))
    assert trouble.endswith("Run: rollout release ml/churn")


def test_a_person_ends_a_way_back_that_does_not_come_through_and_is_told_what_stands() -> None:
    head = a_head(a_rollout(Phase.ROLLING_BACK, trouble="blue is gone"))
    debt = Debt(id="d", action=BACK[0], generation=1, not_before=NOON)

    decision = decide(
        head.model_copy(update={"owed": (debt,)}),
        ReleaseRequested(id="r", who="anna", why="blue is gone for good"),
        NOON + MINUTE,
    )

    assert told(decision) == (
        Phase.RELEASED,
        (),
        f"released by anna: blue is gone for good; the traffic is NOT given back, {STANDS}",
    )
    row, _, entry = record(head, decision, ReleaseRequested(id="r", who="anna"), NOON + MINUTE)
    assert rollout_of(decision).outcome is Outcome.RELEASED
    assert row.owed == ()
    assert next_look(row, NOON + MINUTE) is None
    assert entry is not None
    assert (entry.who, entry.after) == ("anna", Phase.RELEASED)


def test_a_way_back_that_comes_through_is_not_ended_by_hand() -> None:
    decision = decide(
        a_head(a_rollout(Phase.ROLLING_BACK)), ReleaseRequested(id="r", who="anna"), NOON
    )

    why = "its way back is under way; release is for one that does not succeed"
    assert turned_away(decision) == why


def test_a_lost_endpoint_ends_the_way_back() -> None:
    decision = decide(a_head(a_rollout(Phase.ROLLING_BACK)), EndpointGone(id="g"), NOON)

    assert told(decision) == (Phase.ROLLED_BACK, (), "the endpoint ml/churn is gone")
    assert next_look(decision.head, NOON) == NOON + MINUTE  # if it was a mistake, it is seen
    assert next_look(decision.head, NOON + 11 * MINUTE) is None


# -- the watch after it ------------------------------------------------------------------------


@pytest.mark.parametrize("found", [split(5), split(25), mirrored()])
def test_a_write_that_lands_late_is_followed_by_the_rollback(found: Traffic) -> None:
    decision = decide(a_head(a_rollout(Phase.ROLLED_BACK)), looked(found), NOON + 9 * MINUTE)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        BACK,
        f"roll back again: {found} landed after the rollback",
    )
    assert decision.head.generation == 2


def test_what_others_do_after_a_rollback_is_left_alone() -> None:
    found = Traffic.all_to("red")

    decision = decide(a_head(a_rollout(Phase.ROLLED_BACK)), looked(found), NOON + MINUTE)

    assert told(decision) == (
        Phase.ROLLED_BACK,
        (),
        "someone set red 100 % after the rollback; it is left alone",
    )


def test_a_quiet_watch_says_so() -> None:
    decision = decide(a_head(a_rollout(Phase.ROLLED_BACK)), looked(BLUE), NOON + MINUTE)

    assert told(decision) == (Phase.ROLLED_BACK, (), "still blue 100 %")


def test_the_watch_ends_after_ten_minutes() -> None:
    head = a_head(a_rollout(Phase.ROLLED_BACK))

    decision = decide(head, Looked(id="l", view=a_view(split(5))), NOON + 10 * MINUTE)

    assert next_look(head, NOON + 9 * MINUTE) == NOON + 10 * MINUTE
    assert next_look(head, NOON + 10 * MINUTE) is None
    assert turned_away(decision) == "the watch after the rollback is over"
