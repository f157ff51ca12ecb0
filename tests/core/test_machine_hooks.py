"""What hooks hold up: the beginning of a stage; never the way back."""

from datetime import timedelta
from typing import Any

import pytest

from rollout.core.events import (
    AbortRequested,
    AlertFired,
    HookAnswered,
    Looked,
    PauseRequested,
    ResumeRequested,
    SkipRequested,
)
from rollout.core.machine.decide import decide
from rollout.core.machine.decision import Decision
from rollout.core.policy import Policy
from rollout.core.record import record
from rollout.core.rollout import HoldCause, HookWord, Phase
from rollout.views import needs_person
from tests.builders import (
    BAKE,
    BLUE,
    CANARY_5,
    CANARY_25,
    DELETE,
    FAIL,
    MINUTE,
    PASS,
    StageText,
    a_head,
    a_policy,
    a_question_to,
    a_rollout,
    a_view,
    looked,
    measured,
    retried,
    rollout_of,
    set_traffic,
    split,
    told,
    turned_away,
)
from tests.fakes import NOON

LATER = NOON + 10 * MINUTE
STOP = AbortRequested(id="x", who="anna")
GO = HookWord.GO


def asking(stage: StageText, *hooks: dict[str, Any]) -> StageText:
    """The stage with those hooks."""
    kind, text = next(iter(stage.items()))
    return {kind: {**text, "hooks": hooks}}


def confirmed(*hooks: dict[str, Any]) -> Policy:
    """Before a quarter of the traffic these are asked."""
    return a_policy(CANARY_5, asking(CANARY_25, *hooks), BAKE)


BOARD = confirmed({"confirm": "board"})


def passed(policy: Policy = BOARD) -> Decision:
    """What comes when five percent have passed."""
    head = a_head(a_rollout(policy=policy, begun=0))
    return decide(head, measured(split(5), PASS, LATER), LATER)


def said(word: HookWord, reason: str = "", hook: str = "board") -> HookAnswered:
    return HookAnswered(id="h", hook=hook, stage="canary 25 %", word=word, reason=reason)


def held(decision: Decision) -> tuple[Phase, HoldCause | None]:
    hold = rollout_of(decision).hold
    return decision.head.phase, hold.cause if hold else None


# -- the question ------------------------------------------------------------------------------


def test_a_stage_that_passed_asks_before_the_next_and_moves_nothing() -> None:
    decision = passed()

    why = "canary 5 % passed all its guards; hook board is asked before canary 25 %"
    assert told(decision) == (Phase.HOLDING, (a_question_to("board"),), why)
    assert held(decision) == (Phase.HOLDING, HoldCause.CONFIRMING)
    assert rollout_of(decision).observed == split(5)


def test_a_yes_goes_on_and_is_asked_for_once() -> None:
    went = decide(passed().head, said(GO, "fine"), LATER)
    there = decide(went.head, looked(split(25)), LATER + MINUTE)

    why = "hook board says go to canary 25 %: fine"
    assert told(went) == (Phase.SHIFTING, (set_traffic(split(25), split(5)),), why)
    assert told(there)[:2] == (Phase.MEASURING, ())


def test_several_are_asked_one_after_the_other() -> None:
    policy = confirmed({"confirm": "board"}, {"before": "cache"}, {"confirm": "load"})

    second = decide(passed(policy).head, said(GO), LATER)
    went = decide(second.head, said(GO, hook="load"), LATER)

    assert second.actions == (a_question_to("load"),)
    assert second.head.phase is Phase.HOLDING
    assert went.actions == (set_traffic(split(25), split(5)),)


def test_hooks_of_the_whole_rollout_are_asked_before_its_first_stage_alone() -> None:
    policy = a_policy(CANARY_5, CANARY_25, hooks=[{"confirm": "board"}])
    rollout = a_rollout(Phase.PREPARING, policy=policy)

    asked = decide(a_head(rollout), looked(a_view(BLUE)), NOON)
    answer = HookAnswered(id="h", hook="board", stage="canary 5 %", word=GO)
    went = decide(asked.head, answer, NOON)
    later = decide(
        a_head(a_rollout(policy=policy, begun=0)), measured(split(5), PASS, LATER), LATER
    )

    assert [str(one) for one in asked.actions] == ["ask hook board before canary 5 %"]
    assert went.actions == (set_traffic(split(5), BLUE),)
    assert later.actions == (set_traffic(split(25), split(5)),)


def test_the_old_baseline_is_not_deleted_before_its_hook_agrees() -> None:
    policy = a_policy(CANARY_5, BAKE, asking(DELETE, {"confirm": "board"}))
    rollout = a_rollout(Phase.MEASURING, 1, policy, begun=1)

    asked = decide(
        a_head(rollout), measured(rollout.observed, PASS, NOON + 60 * MINUTE), NOON + 60 * MINUTE
    )

    assert held(asked) == (Phase.HOLDING, HoldCause.CONFIRMING)
    assert [one.type for one in asked.actions] == ["ask_hook"]


def test_a_stage_that_has_begun_is_not_asked_about_again() -> None:
    went = decide(passed().head, said(GO), LATER)
    there = decide(went.head, looked(split(25)), LATER)
    paused = decide(there.head, PauseRequested(id="p", who="anna"), LATER)

    resumed = decide(paused.head, ResumeRequested(id="r", who="anna"), LATER)

    assert told(resumed) == (Phase.MEASURING, (), "resumed by anna")


# -- no, and nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "cause", "why"),
    [
        (HookWord.VETO, HoldCause.VETOED, "hook board says no to canary 25 %: quota"),
        (HookWord.NONE, HoldCause.NO_ANSWER, "hook board does not answer to canary 25 %: quota"),
    ],
)
def test_a_no_and_no_answer_hold_for_a_person_unless_the_policy_says_otherwise(
    word: HookWord, cause: HoldCause, why: str
) -> None:
    decision = decide(passed().head, said(word, "quota"), LATER)
    still = decide(decision.head, measured(split(5), PASS, LATER + MINUTE), LATER + MINUTE)

    assert told(decision) == (Phase.HOLDING, (), why)
    assert held(decision) == held(still) == (Phase.HOLDING, cause)


@pytest.mark.parametrize(
    ("rule", "word"),
    [({"on_veto": "roll_back"}, HookWord.VETO), ({"on_no_answer": "roll_back"}, HookWord.NONE)],
)
def test_the_policy_may_roll_back_on_it(rule: dict[str, str], word: HookWord) -> None:
    asked = passed(confirmed({"confirm": "board", **rule}))

    decision = decide(asked.head, said(word), LATER)

    assert decision.head.phase is Phase.ROLLING_BACK
    assert decision.actions == (set_traffic(BLUE, None),)


def test_the_policy_may_go_on_without_an_answer_but_never_in_spite_of_a_no() -> None:
    asked = passed(confirmed({"confirm": "board", "on_no_answer": "advance"}))

    silent = decide(asked.head, said(HookWord.NONE), LATER)
    vetoed = decide(asked.head, said(HookWord.VETO), LATER)

    assert silent.actions == (set_traffic(split(25), split(5)),)
    assert held(vetoed) == (Phase.HOLDING, HoldCause.VETOED)


# -- people ------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [None, HookWord.VETO, HookWord.NONE])
def test_a_person_may_go_on_in_spite_of_a_hook_and_it_is_recorded(word: HookWord | None) -> None:
    head = decide(passed().head, said(word), LATER).head if word else passed().head

    decision = decide(head, ResumeRequested(id="r", who="anna", why="board is down"), LATER)

    assert decision.actions == (set_traffic(split(25), split(5)),)
    assert decision.why == "resumed by anna: board is down"


def test_a_retry_asks_again() -> None:
    vetoed = decide(passed().head, said(HookWord.VETO), LATER)

    again = decide(vetoed.head, retried(), LATER)

    assert again.actions == (a_question_to("board"),)


def test_a_retry_after_the_first_of_two_agreed_asks_both_again() -> None:
    asked = passed(confirmed({"confirm": "board"}, {"confirm": "load"}))
    second = decide(asked.head, said(GO), LATER)
    vetoed = decide(second.head, said(HookWord.VETO, hook="load"), LATER)

    again = decide(vetoed.head, retried(), LATER)

    assert again.actions == (a_question_to("board"),)


def test_nobody_is_called_while_a_hook_is_asked_but_when_it_said_no() -> None:
    asked = passed()
    vetoed = decide(asked.head, said(HookWord.VETO), LATER)

    assert not needs_person(rollout_of(asked))
    assert needs_person(rollout_of(vetoed))


def test_what_is_skipped_to_asks_its_own_hooks() -> None:
    head = a_head(a_rollout(policy=BOARD, begun=0))

    decision = decide(head, SkipRequested(id="s", who="anna"), NOON)

    assert decision.actions == (a_question_to("board"),)


def test_a_pause_while_it_is_asked_keeps_a_yes_and_goes_nowhere() -> None:
    paused = decide(passed().head, PauseRequested(id="p", who="anna"), LATER)

    agreed = decide(paused.head, said(GO), LATER)
    resumed = decide(agreed.head, ResumeRequested(id="r", who="anna"), LATER)

    assert held(agreed) == (Phase.HOLDING, HoldCause.PAUSED)
    assert agreed.actions == ()
    assert resumed.actions == (set_traffic(split(25), split(5)),)


def test_a_pause_while_it_is_asked_forgets_a_no_and_asks_again() -> None:
    paused = decide(passed().head, PauseRequested(id="p", who="anna"), LATER)

    denied = decide(paused.head, said(HookWord.VETO), LATER)
    resumed = decide(denied.head, ResumeRequested(id="r", who="anna"), LATER)

    assert held(denied) == (Phase.HOLDING, HoldCause.PAUSED)
    assert resumed.actions == (a_question_to("board"),)


# -- the way back ------------------------------------------------------------------------------

ALERT = AlertFired(
    id="a", rule="errors", severity="Sev1", deployments=("green",), fired_at=LATER + MINUTE
)


@pytest.mark.parametrize(
    "event", [STOP, ALERT, measured(split(5), FAIL, LATER + MINUTE)], ids=["abort", "alert", "look"]
)
@pytest.mark.parametrize("word", [None, HookWord.VETO, HookWord.NONE])
def test_the_way_back_asks_no_hook_and_waits_for_none(event: Any, word: HookWord | None) -> None:
    policy = a_policy(CANARY_5, asking(CANARY_25, {"confirm": "board"}), hooks=[{"confirm": "x"}])
    head = decide(passed(policy).head, said(word), LATER).head if word else passed(policy).head

    decision = decide(head, event, LATER + 2 * MINUTE)

    assert decision.head.phase is Phase.ROLLING_BACK
    assert decision.actions == (set_traffic(BLUE, None),)


def test_a_decided_way_back_withdraws_the_question() -> None:
    asked = passed()
    row, owed, _ = record(a_head(), asked, looked(split(5)), LATER)
    back = decide(row, STOP, LATER)

    after, new, _ = record(row, back, STOP, LATER)

    assert [debt.action.type for debt in owed] == ["ask_hook"]
    assert [debt.action.type for debt in after.owed] == ["set_traffic"]
    assert after.owed == new


def test_an_answer_that_comes_after_it_means_nothing() -> None:
    back = decide(passed().head, STOP, LATER)

    late = decide(back.head, said(GO), LATER)

    assert turned_away(late) == "it answers an action that was withdrawn"


def test_an_answer_to_another_question_means_nothing() -> None:
    other = decide(passed().head, said(GO, hook="stranger"), LATER)

    assert turned_away(other) == "that question is not open any more"


# -- history -----------------------------------------------------------------------------------


def test_every_answer_leaves_an_entry_with_who_and_why() -> None:
    paused = decide(passed().head, PauseRequested(id="p", who="anna"), LATER).head
    event = said(GO, "fine")

    _, _, entry = record(paused, decide(paused, event, LATER), event, LATER)

    assert entry is not None
    assert (entry.event, entry.who) == ("HookAnswered", "hook board")
    assert entry.numbers == {"hook": "board", "answer": "go", "reason": "fine"}


def test_the_worker_that_asks_has_the_whole_time_of_an_answer_for_itself() -> None:
    asked, event = passed(), Looked(id="l", view=a_view(split(5)))

    _, owed, _ = record(a_head(), asked, event, LATER)

    assert owed[0].not_before - LATER > timedelta(seconds=10)
