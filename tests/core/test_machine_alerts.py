"""What alerts do: by their severity, their rule, their time and whom they name."""

from datetime import timedelta
from typing import Any

import pytest

from rollout.core.alerts import ALERTS_MAX, AlertSeverity, Meaning, OnAlert
from rollout.core.events import AlertFired, AlertResolved
from rollout.core.head import Head
from rollout.core.machine.decide import decide
from rollout.core.machine.decision import Decision
from rollout.core.record import record
from rollout.core.rollout import HoldCause, Phase, Share
from rollout.core.traffic import Traffic
from tests.builders import (
    BLUE,
    CANARY_5,
    MINUTE,
    PASS,
    SECOND,
    SMOKE,
    a_deployment,
    a_head,
    a_hold,
    a_policy,
    a_rollout,
    a_view,
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

BACK = (set_traffic(BLUE, None),)
LATER = NOON + 30 * SECOND
REACHED = [Phase.SHIFTING, Phase.MEASURING, Phase.HOLDING, Phase.APPROVING, Phase.RETIRING]
NOT_REACHED = [Phase.PREPARING, Phase.SMOKING]
UNTOUCHED = [Phase.IDLE, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.PROMOTED, Phase.REFUSED]


def an_alert(severity: AlertSeverity = AlertSeverity.SEV1, **details: Any) -> AlertFired:
    known = {"id": "a", "key": "a", "rule": "errors", "severity": severity, "fired_at": LATER}
    return AlertFired.model_validate({**known, **details})


def its_end(**details: Any) -> AlertResolved:
    fired = an_alert(**details).model_dump(exclude={"type"})
    return AlertResolved.model_validate({**fired, "id": "a-resolved"})


def a_head_in(phase: Phase, **changes: Any) -> Head:
    policy = a_policy(SMOKE, CANARY_5) if phase in NOT_REACHED else None
    return a_head(None if phase is Phase.IDLE else a_rollout(phase, policy=policy), **changes)


def before_traffic(**details: Any) -> AlertFired:
    """It fired while the canary has traffic, but was judged on time from before."""
    return an_alert(began_at=NOON - 3 * MINUTE, **details)


# -- what it does ------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", REACHED)
def test_a_grave_alert_gives_the_traffic_back_whatever_is_waited_for(phase: Phase) -> None:
    decision = decide(a_head_in(phase), an_alert(), LATER)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        BACK,
        "roll back: alert errors (Sev1) fired; the canary is not proven guilty",
    )


@pytest.mark.parametrize("named", [("green",), ("GREEN",), ("blue", "green")])
def test_an_alert_that_names_the_canary_blames_it(named: tuple[str, ...]) -> None:
    decision = decide(a_head(a_rollout()), an_alert(deployments=named), LATER)

    assert decision.why == "roll back: alert errors (Sev1) fired; it names the canary"


def test_a_lesser_alert_holds() -> None:
    decision = decide(a_head(a_rollout()), an_alert(AlertSeverity.SEV3), LATER)

    assert told(decision) == (
        Phase.HOLDING,
        (),
        "alert errors (Sev3) fired; the canary is not proven guilty",
    )
    hold = rollout_of(decision).hold
    assert hold is not None
    assert (hold.cause, hold.until) == (HoldCause.ALERT, None)


@pytest.mark.parametrize(
    ("alert", "why"),
    [
        (an_alert(AlertSeverity.SEV4), "alert errors (Sev4) means nothing to the policy"),
        (an_alert(fired_at=NOON - SECOND), "alert errors (Sev1) began before the rollout"),
        (an_alert(deployments=("blue",)), "alert errors (Sev1) names blue, not the canary"),
        (
            an_alert(deployments=("blue", "red")),
            "alert errors (Sev1) names blue, red, not the canary",
        ),
    ],
)
def test_an_alert_that_is_not_about_the_rollout_is_only_noted(alert: AlertFired, why: str) -> None:
    head = a_head(a_rollout())

    decision = decide(head, alert, LATER)

    assert (decision.head.rollout, decision.actions, decision.why) == (head.rollout, (), why)
    assert [one.rule for one in decision.head.alerts] == ["errors"]


@pytest.mark.parametrize("phase", UNTOUCHED)
@pytest.mark.parametrize("event", [an_alert(), its_end()])
def test_where_nothing_is_to_be_done_it_is_kept_in_mind(
    phase: Phase, event: AlertFired | AlertResolved
) -> None:
    head = a_head_in(phase)

    decision = decide(head, event, LATER)

    assert (decision.head.rollout, decision.actions) == (head.rollout, ())
    (kept,) = decision.head.alerts
    assert (kept.rule, kept.firing) == ("errors", isinstance(event, AlertFired))


# -- the policy --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "severity", "meaning"),
    [
        ({}, "Sev1", Meaning.ROLL_BACK),
        ({}, "Sev3", Meaning.HOLD),
        ({}, "Sev4", Meaning.IGNORE),
        ({"churn *": "ignore"}, "Sev0", Meaning.IGNORE),
        ({"Churn *": "ignore", "churn errors": "hold"}, "Sev0", Meaning.HOLD),
        ({"*": "ignore", "churn*": "roll_back"}, "Sev4", Meaning.ROLL_BACK),
        (
            {"*errors": "ignore", "churn *": "hold", "*n errors": "roll_back"},
            "Sev4",
            Meaning.ROLL_BACK,
        ),
        ({"*n errors": "ignore", "churn er*": "hold"}, "Sev0", Meaning.HOLD),
        ({"fraud*": "ignore"}, "Sev1", Meaning.ROLL_BACK),
    ],
)
def test_the_most_specific_rule_decides_before_the_severity(
    rules: dict[str, str], severity: str, meaning: Meaning
) -> None:
    on_alert = OnAlert.model_validate({"rules": rules})

    assert on_alert.meaning("churn errors", AlertSeverity(severity)) is meaning


def test_the_policy_says_what_an_alert_means() -> None:
    policy = a_policy(on_alert={"roll_back": ["Sev4"], "hold": [], "ignore": ["Sev0"]})
    head = a_head(a_rollout(policy=policy))

    grave = decide(head, an_alert(AlertSeverity.SEV4), LATER)
    noted = decide(head, an_alert(AlertSeverity.SEV0), LATER)

    assert (grave.head.phase, noted.head.phase) == (Phase.ROLLING_BACK, Phase.MEASURING)


# -- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", NOT_REACHED)
def test_what_fires_before_the_canary_had_traffic_is_held_for_one_look(phase: Phase) -> None:
    decision = decide(a_head_in(phase), an_alert(), LATER)

    hold = rollout_of(decision).hold
    assert decision.head.phase is Phase.HOLDING
    assert hold is not None
    assert (hold.cause, hold.until) == (HoldCause.ALERT, LATER + MINUTE)


@pytest.mark.parametrize(
    ("began", "phase"),
    [
        (timedelta(seconds=-1), Phase.HOLDING),
        (timedelta(0), Phase.ROLLING_BACK),
        (timedelta(seconds=20), Phase.ROLLING_BACK),
    ],
)
def test_the_minute_of_the_canarys_first_traffic_is_the_border(
    began: timedelta, phase: Phase
) -> None:
    decision = decide(a_head(a_rollout()), an_alert(began_at=NOON + began), LATER)

    assert decision.head.phase is phase


def test_the_whole_minute_counts_in_which_the_canary_had_its_first_traffic() -> None:
    first = Share(since=NOON + 20 * SECOND, percent=5, stage="canary 5 %")
    head = a_head(a_rollout(shares=(first,)))

    same = decide(head, an_alert(began_at=NOON + 5 * SECOND), LATER)
    before = decide(head, an_alert(began_at=NOON - SECOND), LATER)

    assert (same.head.phase, before.head.phase) == (Phase.ROLLING_BACK, Phase.HOLDING)


def test_an_alert_that_straddles_and_names_the_canary_is_not_waited_for() -> None:
    decision = decide(a_head(a_rollout()), before_traffic(deployments=("green",)), LATER)

    assert decision.head.phase is Phase.ROLLING_BACK


def test_an_alert_that_straddles_and_stays_rolls_back_at_the_next_look() -> None:
    held = decide(a_head(a_rollout()), before_traffic(), LATER).head

    early = decide(held, measured(split(5), PASS, LATER + 59 * SECOND), LATER + 59 * SECOND)
    due = decide(held, looked(split(5)), LATER + MINUTE)

    assert early.head.phase is Phase.HOLDING
    assert told(due) == (
        Phase.ROLLING_BACK,
        BACK,
        "roll back: alert errors (Sev1) is not resolved; the canary is not proven guilty",
    )


def test_an_alert_that_straddles_does_not_wait_for_a_baseline_that_was_changed() -> None:
    held = decide(a_head(a_rollout()), before_traffic(), LATER).head
    changed = a_view(split(5), blue=a_deployment("blue", fingerprint="v2"))

    decision = decide(held, looked(changed), LATER + MINUTE)

    assert decision.head.phase is Phase.ROLLING_BACK


def test_an_alert_that_straddles_and_goes_lets_the_rollout_go_on() -> None:
    held = decide(a_head(a_rollout()), before_traffic(), LATER).head

    decision = decide(held, its_end(), LATER + 20 * SECOND)

    assert (decision.head.phase, decision.why) == (
        Phase.MEASURING,
        "alert errors (Sev1) is resolved",
    )


def test_of_two_that_straddle_both_have_to_go() -> None:
    held = decide(a_head(a_rollout()), before_traffic(), LATER).head
    both = decide(held, before_traffic(id="b", key="b", rule="slow"), LATER + SECOND).head

    first = decide(both, its_end(), LATER + 2 * SECOND)
    second = decide(first.head, its_end(key="b", rule="slow"), LATER + 3 * SECOND)

    assert (first.head.phase, second.head.phase) == (Phase.HOLDING, Phase.MEASURING)


def test_a_person_who_goes_on_in_spite_of_it_is_not_overruled_by_a_later_hold() -> None:
    held = decide(a_head(a_rollout()), before_traffic(), LATER).head
    later = LATER + 10 * MINUTE
    again = a_rollout(Phase.HOLDING, hold=a_hold().model_copy(update={"since": later}))

    decision = decide(a_head(again, alerts=held.alerts), looked(split(5)), later + MINUTE)

    assert decision.head.phase is Phase.HOLDING


def test_a_pause_stays_a_pause_while_an_alert_that_straddles_goes() -> None:
    paused = a_head(a_rollout(Phase.HOLDING))

    alarmed = decide(paused, before_traffic(), LATER)
    resolved = decide(alarmed.head, its_end(), LATER + SECOND)

    assert rollout_of(resolved) == rollout_of(alarmed) == paused.rollout


# -- repeats, and the wrong order --------------------------------------------------------------


def test_a_repeat_changes_only_when_it_was_last_heard_of() -> None:
    first = decide(a_head(a_rollout()), an_alert(AlertSeverity.SEV4), LATER).head

    again = decide(first, an_alert(AlertSeverity.SEV4, id="b"), LATER + 9 * MINUTE)

    assert (again.why, again.head.rollout) == ("it is decided already", first.rollout)
    assert [one.noticed_at for one in again.head.alerts] == [LATER + 9 * MINUTE]


def test_the_end_may_come_before_the_beginning() -> None:
    ended = decide(a_head(a_rollout()), its_end(), LATER)

    decision = decide(ended.head, an_alert(), LATER + SECOND)

    assert turned_away(decision) == "alert errors (Sev1) is resolved already"


def test_a_new_firing_of_the_same_alert_counts() -> None:
    ended = decide(a_head(a_rollout()), its_end(), LATER).head

    decision = decide(ended, an_alert(id="b", fired_at=LATER + MINUTE), LATER + MINUTE)

    assert decision.head.phase is Phase.ROLLING_BACK


def test_not_too_many_alerts_are_kept_and_those_that_fire_longest() -> None:
    head = decide(a_head(), an_alert(), NOON).head
    for number in range(2 * ALERTS_MAX):
        event = its_end(key=f"r{number}", rule=f"r{number}")
        head = decide(head, event, NOON + number * SECOND).head

    assert len(head.alerts) == ALERTS_MAX
    assert [one.rule for one in head.alerts if one.firing] == ["errors"]
    assert head.alerts[-1].rule == f"r{2 * ALERTS_MAX - 1}"


def test_many_alerts_put_off_no_look() -> None:
    head = a_head(a_rollout(), due_at=NOON + MINUTE)
    for number in range(5):
        now = NOON + number * 10 * SECOND
        event = an_alert(AlertSeverity.SEV4, id=f"a{number}", key=f"a{number}")
        head, _, entry = record(head, decide(head, event, now), event, now)
        assert entry is not None

    assert head.due_at == NOON + MINUTE


def test_a_repeat_is_not_told_again() -> None:
    head, _, _ = _recorded(a_head(a_rollout()), an_alert(AlertSeverity.SEV4))

    _, _, entry = _recorded(head, an_alert(AlertSeverity.SEV4))

    assert entry is None


def _recorded(head: Head, event: AlertFired) -> Any:
    return record(head, decide(head, event, LATER), event, LATER)


# -- before a start ----------------------------------------------------------------------------


def a_start(head: Head, after: timedelta = MINUTE, **details: Any) -> Decision:
    return decide(head, started(**details), LATER + after)


def alarmed(**details: Any) -> Head:
    return decide(a_head(), an_alert(**details), LATER).head


def test_an_alert_that_fires_already_keeps_a_start_waiting_and_says_so() -> None:
    why = turned_away(a_start(alarmed()))

    assert why == (
        "alert errors (Sev1) has been firing since 12:00 UTC: wait until it is resolved, or start"
        " with --despite-alert 'errors'; if nothing more is heard of it, it is forgotten at"
        " 13:00 UTC"
    )


@pytest.mark.parametrize(
    ("after", "phase"), [(59 * MINUTE, Phase.IDLE), (60 * MINUTE, Phase.PREPARING)]
)
def test_it_is_forgotten_after_its_last_notice(after: timedelta, phase: Phase) -> None:
    assert a_start(alarmed(), after).head.phase is phase


def test_the_policy_says_how_long_it_is_remembered() -> None:
    policy = a_policy(alert_memory_minutes=5)

    assert a_start(alarmed(), 4 * MINUTE, policy=policy).head.phase is Phase.IDLE
    assert a_start(alarmed(), 5 * MINUTE, policy=policy).head.phase is Phase.PREPARING


@pytest.mark.parametrize(
    ("alert", "phase"),
    [
        ({"severity": AlertSeverity.SEV3}, Phase.IDLE),
        ({"severity": AlertSeverity.SEV4}, Phase.PREPARING),
        ({"deployments": ("blue",)}, Phase.IDLE),
        ({"deployments": ("green",)}, Phase.IDLE),
        ({"deployments": ("red",)}, Phase.PREPARING),
    ],
)
def test_only_what_means_something_here_keeps_a_start_waiting(
    alert: dict[str, Any], phase: Phase
) -> None:
    assert a_start(alarmed(**alert)).head.phase is phase


def test_a_resolved_alert_keeps_nobody_waiting() -> None:
    head = decide(alarmed(), its_end(), LATER).head

    assert a_start(head).head.phase is Phase.PREPARING


def test_a_start_despite_an_alert_is_recorded_and_overlooks_its_rule() -> None:
    order = an_order(despite_alerts=["errors"])

    begun = a_start(alarmed(), order=order)
    fired_again = an_alert(id="b", fired_at=LATER + 2 * MINUTE)
    decision = decide(begun.head, fired_again, LATER + 2 * MINUTE)

    assert begun.why == "ci starts green against blue under churn, despite the alert errors"
    assert rollout_of(begun).order.despite_alerts == ("errors",)
    assert decision.head.phase is Phase.PREPARING
    assert decision.why == "alert errors (Sev1) is overlooked, as ci asked at the start"


def test_an_alert_that_names_the_canary_is_never_overlooked() -> None:
    rollout = a_rollout(order=an_order(despite_alerts=["errors"]))

    decision = decide(a_head(rollout), an_alert(deployments=("green",)), LATER)

    assert decision.head.phase is Phase.ROLLING_BACK


def test_an_adopted_canary_has_had_traffic_from_the_start() -> None:
    there = Traffic(live={"blue": 90, "green": 10})
    rollout = a_rollout(Phase.PREPARING, observed=there, wanted=there)

    assert decide(a_head(rollout), an_alert(), LATER).head.phase is Phase.ROLLING_BACK
