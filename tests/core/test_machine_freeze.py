"""What a freeze keeps back: starts and steps up; never the way back."""

from datetime import timedelta
from typing import Any

import pytest

from rollout.core.events import (
    AbortRequested,
    ApprovalGiven,
    CancelRequested,
    PromoteRequested,
    ResumeRequested,
    SkipRequested,
    SmokeFinished,
)
from rollout.core.machine.decide import decide, is_turn_of_queued, next_look
from rollout.core.policy import Policy
from rollout.core.record import record
from rollout.core.rollout import HoldCause, Phase, Rollout
from tests.builders import (
    APPROVAL,
    BLUE,
    CANARY_5,
    CANARY_25,
    FAIL,
    MINUTE,
    PASS,
    SMOKE,
    StageText,
    a_head,
    a_hold,
    a_policy,
    a_rollout,
    an_order,
    looked,
    measured,
    rollout_of,
    set_traffic,
    split,
    started,
    told,
    turned_away,
)
from tests.fakes import NOON

THAW = NOON + timedelta(hours=1)
FREEZE = {"windows": [{"weekly": "mon 11:00 - mon 13:00", "name": "launch"}]}
FROZEN = "frozen (launch) until Mon 2026-03-02 13:00 UTC"
LATER = NOON + 10 * MINUTE


def frozen(*stages: StageText, **rules: Any) -> Policy:
    return a_policy(*stages, freeze=FREEZE, **rules)


def test_a_start_waits_for_the_end_of_the_freeze_and_then_begins() -> None:
    event = started(policy=frozen())

    waits = decide(a_head(), event, NOON)
    early = decide(waits.head, event, THAW - MINUTE)
    begun = decide(waits.head, event, THAW)

    assert told(waits) == (Phase.IDLE, (), f"green waits: it is {FROZEN}")
    assert (waits.head.queued, waits.head.queued_until) == (event.order, THAW)
    assert next_look(waits.head, NOON) == THAW
    assert not is_turn_of_queued(waits.head, THAW - MINUTE)
    assert is_turn_of_queued(waits.head, THAW)
    assert early.head.queued == event.order
    assert (begun.head.phase, begun.head.queued) == (Phase.PREPARING, None)
    assert begun.head.queued_until is None


@pytest.mark.parametrize("rollout", [None, a_rollout(), a_rollout(Phase.ROLLED_BACK)])
def test_a_start_that_waits_is_taken_back_and_nothing_else_moves(rollout: Rollout | None) -> None:
    head = a_head(rollout, queued=an_order("red"), queued_until=THAW)
    event = CancelRequested(id="c", who="anna", why="wrong model")

    decision = decide(head, event, NOON)
    row, owed, entry = record(head, decision, event, NOON)

    assert decision.head == a_head(rollout)
    assert decision.why == "the start of red is cancelled by anna: wrong model"
    assert owed == ()
    assert entry is not None
    assert (entry.event, entry.who) == ("CancelRequested", "anna")
    assert not is_turn_of_queued(row, THAW)


def test_where_no_start_waits_there_is_none_to_take_back() -> None:
    decision = decide(a_head(a_rollout()), CancelRequested(id="c", who="anna"), NOON)

    why = "no start waits here; abort is for a rollout that has begun"
    assert turned_away(decision) == why


@pytest.mark.parametrize(("order", "taken"), [("start:7", True), ("start:8", False)])
def test_a_start_is_taken_back_by_its_id_and_no_other_one_with_it(order: str, taken: bool) -> None:
    head = a_head(a_rollout(), queued=an_order("red", id="start:7"))

    decision = decide(head, CancelRequested(id="c", who="ci", order=order), NOON)

    assert decision.taken is taken
    assert (decision.head.queued is None) is taken
    if not taken:
        assert turned_away(decision) == "red waits here by another start: it is left"


def test_a_start_despite_the_freeze_begins_and_is_held_up_by_none() -> None:
    event = started(policy=frozen(), order=an_order(despite_freeze=True))

    begun = decide(a_head(), event, NOON)

    assert begun.head.phase is Phase.PREPARING
    assert begun.why == "ci starts green against blue under churn, despite every freeze"
    assert rollout_of(begun).frost(NOON) is None


def test_a_stage_that_passed_waits_and_is_judged_on() -> None:
    rollout = a_rollout(policy=frozen())

    waits = decide(a_head(rollout), measured(split(5), PASS, LATER), LATER)
    failed = decide(waits.head, measured(split(5), FAIL, LATER + MINUTE), LATER + MINUTE)
    goes_on = decide(waits.head, measured(split(5), PASS, THAW), THAW)

    assert told(waits) == (Phase.MEASURING, (), f"canary 5 % passed all its guards; {FROZEN}")
    assert failed.head.phase is Phase.ROLLING_BACK
    assert failed.actions == (set_traffic(BLUE, None),)
    assert goes_on.actions == (set_traffic(split(25), split(5)),)


def test_what_no_stage_waits_with_holds_until_the_thaw() -> None:
    rollout = a_rollout(Phase.SMOKING, policy=frozen(SMOKE, CANARY_5))

    held = decide(a_head(rollout), SmokeFinished(id="s", passed=3), NOON)
    still = decide(held.head, looked(BLUE), LATER)
    goes_on = decide(held.head, looked(BLUE), THAW)

    assert held.why == f"all 3 smoke requests were answered as expected; {FROZEN}"
    hold = rollout_of(held).hold
    assert hold is not None
    assert (hold.cause, hold.until, hold.then) == (HoldCause.FROZEN, THAW, None)
    assert still.head.phase is Phase.HOLDING
    assert goes_on.actions == (set_traffic(split(5), BLUE),)
    assert goes_on.why == "the freeze is over"


def test_an_approval_counts_in_a_freeze_and_moves_nothing_until_it_ends() -> None:
    rollout = a_rollout(Phase.APPROVING, 1, frozen(CANARY_5, APPROVAL, CANARY_25))

    held = decide(a_head(rollout), ApprovalGiven(id="a", who="anna"), NOON)
    goes_on = decide(held.head, looked(split(5)), THAW)

    assert told(held) == (Phase.HOLDING, (), f"approved by anna; {FROZEN}")
    assert goes_on.actions == (set_traffic(split(25), split(5)),)


@pytest.mark.parametrize("ask", [SkipRequested, PromoteRequested])
def test_a_person_who_asks_for_more_is_told_of_the_freeze(ask: Any) -> None:
    head = a_head(a_rollout(policy=frozen()))

    decision = decide(head, ask(id="c", who="anna"), NOON)

    assert turned_away(decision) == f"it is {FROZEN}; wait until then, or add --despite-freeze"
    assert decision.head == head


def test_despite_the_freeze_is_recorded_and_good_for_this_freeze_alone() -> None:
    event = SkipRequested(id="c", who="anna", why="hotfix", despite_freeze=True)

    decision = decide(a_head(a_rollout(policy=frozen())), event, NOON)

    assert decision.why == "skipped canary 5 % by anna despite a freeze: hotfix"
    assert decision.actions == (set_traffic(split(25), split(5)),)
    assert rollout_of(decision).frost(LATER) is None
    assert rollout_of(decision).frost(NOON + timedelta(days=7)) is not None


def test_resuming_what_is_frozen_needs_the_word() -> None:
    hold = a_hold(HoldCause.FROZEN, until=THAW)
    head = a_head(a_rollout(Phase.HOLDING, 1, frozen(), observed=split(5), hold=hold))

    no = decide(head, ResumeRequested(id="r", who="anna"), NOON)
    yes = decide(head, ResumeRequested(id="r", who="anna", despite_freeze=True), NOON)

    assert turned_away(no) == f"it is {FROZEN}; wait until then, or add --despite-freeze"
    assert yes.actions == (set_traffic(split(25), split(5)),)


@pytest.mark.parametrize("phase", [Phase.SMOKING, Phase.SHIFTING, Phase.MEASURING, Phase.HOLDING])
def test_the_way_back_is_open_in_every_freeze(phase: Phase) -> None:
    head = a_head(a_rollout(phase, policy=frozen()))

    decision = decide(head, AbortRequested(id="x", who="anna"), NOON)

    assert decision.actions == (set_traffic(BLUE, None),)


def test_frozen_time_does_not_count_against_the_deadline() -> None:
    """100 minutes since noon, of which 60 were frozen."""
    policy = frozen(on_deadline={"minutes": 60})
    rollout = a_rollout(policy=policy)

    at = NOON + 100 * MINUTE
    within = decide(a_head(rollout), looked(split(5)), at)
    passed = decide(a_head(rollout), looked(split(5)), NOON + 120 * MINUTE)

    assert within.head.phase is not Phase.ROLLING_BACK
    assert passed.why == "roll back: not decided within 60 minutes"
