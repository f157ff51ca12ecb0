"""What time brings: patience that ends, silence, questions that nobody answers, and pauses."""

from datetime import timedelta
from typing import Any

import pytest

from rollout.analysis.report import Report, Severity, Verdict
from rollout.core.actions import Action
from rollout.core.alerts import AlertSeverity
from rollout.core.events import (
    AlertFired,
    ApprovalGiven,
    Looked,
    PauseRequested,
    PromoteRequested,
    ResumeRequested,
    SkipRequested,
)
from rollout.core.machine.decide import decide
from rollout.core.patience import Then
from rollout.core.rollout import HoldCause, Phase, StageClock
from tests.builders import (
    APPROVAL,
    BAKE,
    BLUE,
    CANARY_5,
    DELETE,
    FAIL,
    INCONCLUSIVE,
    MINUTE,
    NOT_MEASURED,
    PASS,
    a_finding,
    a_head,
    a_hold,
    a_policy,
    a_question,
    a_rollout,
    found,
    looked,
    measured,
    rollout_of,
    set_traffic,
    split,
    told,
    turned_away,
)
from tests.fakes import NOON

BACK = (set_traffic(BLUE, None),)
AFTER_AN_HOUR = NOON + 60 * MINUTE
UNDECIDED = "canary 5 % is undecided after 60 minutes: error rate INCONCLUSIVE"


# -- the longest time --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "phase", "actions", "why"),
    [
        ("hold", Phase.HOLDING, (), UNDECIDED),
        ("ask", Phase.APPROVING, (), UNDECIDED),
        ("roll_back", Phase.ROLLING_BACK, BACK, f"roll back: {UNDECIDED}"),
        (
            "advance",
            Phase.SHIFTING,
            (set_traffic(split(25), split(5)),),
            f"{UNDECIDED}; the policy says to go on",
        ),
    ],
)
def test_an_undecided_stage_ends_as_the_policy_says(
    then: str, phase: Phase, actions: tuple[Action, ...], why: str
) -> None:
    head = a_head(a_rollout(policy=a_policy(on_inconclusive=then)))

    decision = decide(head, measured(split(5), INCONCLUSIVE, AFTER_AN_HOUR), AFTER_AN_HOUR)

    assert told(decision) == (phase, actions, why)


@pytest.mark.parametrize(
    ("report", "reason", "phase"),
    [
        (None, "nothing was measured", Phase.APPROVING),
        (NOT_MEASURED, "error rate NOT_MEASURED", Phase.APPROVING),
        (found(Verdict.FAIL, Severity.HOLD), "error rate FAIL", Phase.HOLDING),
    ],
)
def test_no_data_is_never_a_way_forward(report: Report | None, reason: str, phase: Phase) -> None:
    head = a_head(a_rollout(policy=a_policy(on_inconclusive="advance")))

    decision = decide(head, measured(split(5), report, AFTER_AN_HOUR), AFTER_AN_HOUR)

    why = f"canary 5 % is undecided after 60 minutes: {reason}"
    assert told(decision) == (phase, (), why)


def test_a_guard_that_only_watches_does_not_bar_the_way_forward() -> None:
    head = a_head(a_rollout(policy=a_policy(on_inconclusive="advance")))
    findings = (a_finding(Verdict.INCONCLUSIVE), a_finding(Verdict.NOT_MEASURED, Severity.WATCH))

    decision = decide(head, measured(split(5), Report(findings), AFTER_AN_HOUR), AFTER_AN_HOUR)

    assert decision.head.phase is Phase.SHIFTING


def test_an_undecided_stage_that_is_resumed_gets_its_time_again() -> None:
    head = a_head(a_rollout())
    held = decide(head, measured(split(5), INCONCLUSIVE, AFTER_AN_HOUR), AFTER_AN_HOUR)
    at = AFTER_AN_HOUR + MINUTE

    resumed = decide(held.head, ResumeRequested(id="r", who="anna"), at)
    later = at + MINUTE
    looked_at = decide(resumed.head, measured(split(5), INCONCLUSIVE, later), later)

    assert told(resumed) == (Phase.MEASURING, (), "resumed by anna")
    assert told(looked_at) == (Phase.MEASURING, (), "4 minutes of canary 5 % left")


# -- silence -----------------------------------------------------------------------------------


def silent() -> Looked:
    """A look that hears nothing newer than noon."""
    heard = {"heard_until": NOON, "readable_until": NOON, "lag": MINUTE}
    return looked(split(5)).model_copy(update=heard)


def test_silence_for_three_lags_holds() -> None:
    head = a_head(a_rollout())

    patient = decide(head, silent(), NOON + 3 * MINUTE)
    held = decide(head, silent(), NOON + 4 * MINUTE)

    assert patient.head.phase is Phase.MEASURING
    assert told(held) == (Phase.HOLDING, (), "no metrics for 4 minutes")
    hold = rollout_of(held).hold
    assert hold is not None
    assert (hold.cause, hold.until, hold.then) == (
        HoldCause.NO_DATA,
        NOON + 19 * MINUTE,
        Then.ROLL_BACK,
    )


def no_data(then: Then) -> Any:
    until = NOON + 15 * MINUTE
    return a_hold(HoldCause.NO_DATA, until=until, then=then)


def test_metrics_that_come_back_go_on() -> None:
    rollout = a_rollout(Phase.HOLDING, hold=no_data(Then.ROLL_BACK))
    at = NOON + 10 * MINUTE

    decision = decide(a_head(rollout), measured(split(5), None, at), at)

    assert told(decision) == (Phase.MEASURING, (), "metrics are back")


@pytest.mark.parametrize(
    ("then", "phase", "actions"),
    [
        (Then.ROLL_BACK, Phase.ROLLING_BACK, BACK),
        (Then.HOLD, Phase.HOLDING, ()),
        (Then.ASK, Phase.APPROVING, ()),
    ],
)
def test_silence_that_lasts_ends_as_the_policy_says(
    then: Then, phase: Phase, actions: tuple[Action, ...]
) -> None:
    head = a_head(a_rollout(Phase.HOLDING, hold=no_data(then)))

    before = decide(head, silent(), NOON + 14 * MINUTE)
    after = decide(head, silent(), NOON + 15 * MINUTE)

    assert told(before) == (Phase.HOLDING, (), "no_data it is")
    assert told(after)[:2] == (phase, actions)


def test_a_hold_without_a_way_out_is_not_entered_again_at_each_look() -> None:
    head = a_head(a_rollout(Phase.HOLDING, hold=no_data(Then.HOLD)))
    held = decide(head, silent(), NOON + 15 * MINUTE)

    again = decide(held.head, silent(), NOON + 16 * MINUTE)

    assert again.head == held.head


# -- the deadline ------------------------------------------------------------------------------


TOMORROW = NOON + timedelta(days=1)


@pytest.mark.parametrize("phase", [Phase.SMOKING, Phase.SHIFTING, Phase.MEASURING, Phase.HOLDING])
@pytest.mark.parametrize(
    ("then", "after", "actions", "why"),
    [
        (
            "roll_back",
            Phase.ROLLING_BACK,
            BACK,
            "roll back: not decided within 1440 minutes",
        ),
        ("hold", Phase.HOLDING, (), "not decided within 1440 minutes"),
        ("ask", Phase.APPROVING, (), "not decided within 1440 minutes"),
    ],
)
def test_the_deadline_ends_as_the_policy_says(
    phase: Phase, then: str, after: Phase, actions: tuple[Action, ...], why: str
) -> None:
    rollout = a_rollout(phase, policy=a_policy(on_deadline={"then": then}))

    decision = decide(a_head(rollout), looked(rollout.observed), TOMORROW)

    assert told(decision) == (after, actions, why)


def test_the_deadline_comes_once() -> None:
    rollout = a_rollout(policy=a_policy(on_deadline={"then": "hold"}))
    held = decide(a_head(rollout), looked(split(5)), TOMORROW)

    still = decide(held.head, looked(split(5)), TOMORROW + MINUTE)
    resumed = decide(still.head, ResumeRequested(id="r", who="anna"), TOMORROW + MINUTE)
    at = TOMORROW + 2 * MINUTE
    looked_at = decide(resumed.head, measured(split(5), INCONCLUSIVE, at), at)

    assert still.head == held.head
    assert resumed.head.phase is Phase.MEASURING
    assert "not decided" not in looked_at.why


def test_a_deadline_and_failed_guards_do_not_take_turns() -> None:
    rules = {"on_deadline": {"then": "hold"}, "on_failure": "hold"}
    head = a_head(a_rollout(policy=a_policy(**rules)))
    causes = []

    for minute in range(4):
        at = TOMORROW + minute * MINUTE
        head = decide(head, measured(split(5), FAIL, at), at).head
        assert head.rollout is not None
        assert head.rollout.hold is not None
        causes.append(head.rollout.hold.cause)

    assert causes[-2:] == [HoldCause.FAILED, HoldCause.FAILED]


def test_a_yes_after_the_deadline_goes_on_where_it_was() -> None:
    rollout = a_rollout(policy=a_policy(on_deadline={"then": "ask"}))
    asked = decide(a_head(rollout), looked(split(5)), TOMORROW)
    at = TOMORROW + MINUTE

    still = decide(asked.head, looked(split(5)), at)
    yes = decide(still.head, ApprovalGiven(id="y", who="anna"), at)

    assert still.head.rollout == asked.head.rollout
    assert told(yes) == (Phase.MEASURING, (), "approved by anna")
    assert rollout_of(yes).stage == 0


def test_a_deadline_before_the_canary_is_ready_does_not_lead_past_that() -> None:
    rules: dict[str, Any] = {"on_deadline": {"minutes": 5, "then": "ask"}}
    rollout = a_rollout(Phase.PREPARING, policy=a_policy(**rules))
    asked = decide(a_head(rollout), looked(BLUE), NOON + 5 * MINUTE)

    skipped = decide(asked.head, SkipRequested(id="s", who="anna"), NOON + 6 * MINUTE)
    yes = decide(asked.head, ApprovalGiven(id="y", who="anna"), NOON + 6 * MINUTE)

    assert turned_away(skipped) == "green is not ready"
    assert told(yes) == (Phase.PREPARING, (), "approved by anna")


@pytest.mark.parametrize("phase", [Phase.RETIRING, Phase.HOLDING])
def test_a_proven_canary_is_not_given_back_because_the_old_one_stays(phase: Phase) -> None:
    hold = a_hold(HoldCause.REFUSED, during=Phase.RETIRING) if phase is Phase.HOLDING else None
    rollout = a_rollout(phase, 2, a_policy(CANARY_5, BAKE, DELETE), hold=hold)

    decision = decide(a_head(rollout), looked(rollout.observed), TOMORROW)

    assert told(decision)[:2] == (Phase.HOLDING, ())


# -- questions ---------------------------------------------------------------------------------


ASKED = a_policy(CANARY_5, APPROVAL, BAKE)


def test_an_approval_asks_people_and_waits() -> None:
    at = NOON + 6 * MINUTE

    decision = decide(a_head(a_rollout(policy=ASKED)), measured(split(5), PASS, at), at)
    still = decide(decision.head, looked(split(5)), at + MINUTE)

    assert told(decision) == (Phase.APPROVING, (), "canary 5 % passed all its guards")
    assert rollout_of(decision).asked == a_question(
        question="go on to bake 100 %?", deadline=at + 60 * MINUTE
    )
    assert told(still) == (Phase.APPROVING, (), "waiting for people: go on to bake 100 %?")


@pytest.mark.parametrize(
    ("then", "phase", "why"),
    [
        (Then.ROLL_BACK, Phase.ROLLING_BACK, "roll back: nobody answered in time: go on?"),
        (
            Then.ADVANCE,
            Phase.SHIFTING,
            "nobody answered in time: go on?; the policy says to go on",
        ),
    ],
)
def test_a_question_that_nobody_answers_ends_as_the_policy_says(
    then: Then, phase: Phase, why: str
) -> None:
    rollout = a_rollout(Phase.APPROVING, 1, ASKED, asked=a_question(then=then))

    decision = decide(a_head(rollout), looked(split(5)), AFTER_AN_HOUR)

    assert (decision.head.phase, decision.why) == (phase, why)


def test_a_question_waits_while_the_rollout_is_paused() -> None:
    rollout = a_rollout(Phase.APPROVING, 1, ASKED, asked=a_question(approved_by=("ben",)))
    paused = decide(a_head(rollout), PauseRequested(id="p", who="anna"), NOON + 50 * MINUTE)
    at = NOON + 600 * MINUTE

    held = decide(paused.head, looked(split(5)), at)
    resumed = decide(held.head, ResumeRequested(id="r", who="anna"), at)

    assert told(held)[:2] == (Phase.HOLDING, ())
    assert told(resumed) == (Phase.APPROVING, (), "resumed by anna")
    assert rollout_of(resumed).asked == a_question(approved_by=("ben",), deadline=at + 10 * MINUTE)


def test_an_alert_in_a_pause_does_not_forget_what_was_paused() -> None:
    rollout = a_rollout(Phase.APPROVING, 1, ASKED)
    paused = decide(a_head(rollout), PauseRequested(id="p", who="anna"), NOON + 10 * MINUTE)
    at = NOON + 100 * MINUTE
    alert = AlertFired(id="a", rule="errors", severity=AlertSeverity.SEV3, fired_at=at)
    alarmed = decide(paused.head, alert, at)

    resumed = decide(alarmed.head, ResumeRequested(id="r", who="anna"), at + 10 * MINUTE)

    assert told(resumed) == (Phase.APPROVING, (), "resumed by anna")
    assert rollout_of(resumed).asked == a_question(deadline=NOON + 160 * MINUTE)


# -- pauses ------------------------------------------------------------------------------------


def test_the_stage_clock_stands_still_in_a_pause_and_goes_on_with_what_ran() -> None:
    paused = decide(a_head(a_rollout()), PauseRequested(id="p", who="anna"), NOON + 2 * MINUTE)
    at = NOON + 100 * MINUTE

    resumed = decide(paused.head, ResumeRequested(id="r", who="anna", why="fixed"), at)
    early = measured(split(5), PASS, at + 2 * MINUTE)
    decision = decide(resumed.head, early, at + 2 * MINUTE)

    assert told(paused) == (Phase.HOLDING, (), "paused by anna")
    assert told(resumed) == (Phase.MEASURING, (), "resumed by anna: fixed")
    unheard = StageClock(ran=2 * MINUTE, since=at, measured=0 * MINUTE)
    assert rollout_of(resumed).clock == unheard
    assert told(decision) == (Phase.MEASURING, (), "1 minutes of canary 5 % left")
    assert rollout_of(resumed).share_since == NOON


def test_after_a_pause_the_metrics_must_have_come_as_far_as_the_resumption() -> None:
    clock = StageClock(ran=10 * MINUTE, since=NOON + 20 * MINUTE)
    at = NOON + 21 * MINUTE

    behind = measured(split(5), PASS, at, lag=2 * MINUTE)
    decision = decide(a_head(a_rollout(clock=clock)), behind, at)

    assert told(decision) == (
        Phase.MEASURING,
        (),
        "canary 5 %: waiting for its last minutes' metrics",
    )


def test_a_canary_that_is_not_ready_is_not_promoted_out_of_a_pause() -> None:
    preparing = a_head(a_rollout(Phase.PREPARING))
    paused = decide(preparing, PauseRequested(id="p", who="anna"), NOON)

    promoted = decide(paused.head, PromoteRequested(id="x", who="anna"), NOON)
    resumed = decide(paused.head, ResumeRequested(id="r", who="anna"), NOON + MINUTE)

    assert turned_away(promoted) == "green is not ready"
    assert told(resumed) == (Phase.PREPARING, (), "resumed by anna")


def test_a_deadline_that_would_ask_waits_for_those_who_are_asked_already() -> None:
    policy = a_policy(CANARY_5, APPROVAL, BAKE, on_deadline={"then": "ask"})
    asked = a_question(deadline=TOMORROW + 60 * MINUTE)
    rollout = a_rollout(Phase.APPROVING, 1, policy, asked=asked)

    decision = decide(a_head(rollout), looked(split(5)), TOMORROW)
    yes = decide(decision.head, ApprovalGiven(id="y", who="anna"), TOMORROW + MINUTE)

    why = "not decided within 1440 minutes; people are asked already"
    assert told(decision) == (Phase.APPROVING, (), why)
    assert rollout_of(decision).asked == asked
    assert str(rollout_of(yes).here) == "bake 100 %"
