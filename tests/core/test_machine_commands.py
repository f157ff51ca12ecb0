"""What people ask of a rollout, and what they get."""

from typing import Any

import pytest

from rollout.core.actions import ClaimEndpoint
from rollout.core.events import (
    AbortRequested,
    ActionRefused,
    ApprovalGiven,
    ApprovalRefused,
    Command,
    ForeignChangeFound,
    PauseRequested,
    PromoteRequested,
    ResumeRequested,
    SkipRequested,
    UndoRequested,
)
from rollout.core.machine.decide import decide
from rollout.core.rollout import HoldCause, Outcome, Phase, StageClock
from tests.builders import (
    APPROVAL,
    BAKE,
    BLUE,
    CANARY_5,
    CANARY_25,
    DELETE,
    FAIL,
    GREEN,
    KEEP,
    MINUTE,
    MIRROR,
    ON_TRIAL,
    SMOKE,
    a_head,
    a_hold,
    a_policy,
    a_question,
    a_rollout,
    an_endpoint,
    measured,
    retried,
    rollout_of,
    set_traffic,
    split,
    told,
    turned_away,
)
from tests.fakes import NOON

BACK = (set_traffic(BLUE, None),)
ABORT = AbortRequested(id="a", who="anna", why="too slow")
SKIP = SkipRequested(id="s", who="anna")
PROMOTE = PromoteRequested(id="p", who="anna")
RESUME = ResumeRequested(id="r", who="anna")


# -- abort, skip, promote ----------------------------------------------------------------------


@pytest.mark.parametrize("phase", ON_TRIAL)
def test_an_abort_gives_the_traffic_back_whatever_is_waited_for(phase: Phase) -> None:
    decision = decide(a_head(a_rollout(phase)), ABORT, NOON)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        BACK,
        "roll back: aborted by anna: too slow",
    )
    back = rollout_of(decision).rollback
    assert back is not None
    assert (back.outcome, back.who) == (Outcome.ABORTED, "anna")
    assert decision.head.generation == 2


def test_a_skip_leads_to_the_next_stage_without_a_verdict() -> None:
    decision = decide(a_head(a_rollout()), SKIP, NOON)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(25), split(5)),),
        "skipped canary 5 % by anna",
    )


def test_a_write_under_way_is_not_foreign_after_a_skip() -> None:
    skipped = decide(a_head(a_rollout(Phase.SHIFTING)), SKIP, NOON)

    landed = decide(skipped.head, ForeignChangeFound(id="f", found=split(5)), NOON)

    assert skipped.actions == (set_traffic(split(25), BLUE),)
    assert told(landed) == (
        Phase.SHIFTING,
        (set_traffic(split(25), split(5)),),
        "blue 95 %, green 5 % landed late",
    )


def test_an_old_map_that_does_not_go_away_is_someones() -> None:
    skipped = decide(a_head(a_rollout(Phase.SHIFTING)), SKIP, NOON)
    asked = rollout_of(skipped).model_copy(update={"asked_times": 5})

    landed = decide(a_head(asked), ForeignChangeFound(id="f", found=split(5)), NOON)

    assert told(landed)[:2] == (Phase.HOLDING, ())


def test_a_late_write_of_all_traffic_is_taken_back_before_the_mirror() -> None:
    rollout = a_rollout(Phase.SHIFTING, policy=a_policy(MIRROR, CANARY_5), before=GREEN)

    landed = decide(a_head(rollout), ForeignChangeFound(id="f", found=GREEN), NOON)

    assert landed.actions == (set_traffic(BLUE, GREEN),)


def test_a_promotion_goes_straight_to_all_traffic() -> None:
    decision = decide(a_head(a_rollout()), PROMOTE, NOON)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(GREEN, split(5)),),
        "promoted by anna",
    )
    assert str(rollout_of(decision).here) == "bake 100 %"


@pytest.mark.parametrize(("event", "said"), [(SKIP, "skipped bake 100 %"), (PROMOTE, "promoted")])
def test_the_bake_may_be_cut_short(event: Command, said: str) -> None:
    rollout = a_rollout(stage=1, policy=a_policy(CANARY_5, BAKE, KEEP))

    decision = decide(a_head(rollout), event, NOON)

    why = f"{said} by anna; the old baseline is kept; green serves 100 % and the rollout is over"
    assert told(decision) == (Phase.PROMOTED, (), why)


@pytest.mark.parametrize("event", [SKIP, PROMOTE])
def test_nothing_is_promoted_before_it_has_all_traffic(event: Command) -> None:
    rollout = a_rollout(Phase.SHIFTING, 1, a_policy(CANARY_5, BAKE), observed=split(5))

    decision = decide(a_head(rollout), event, NOON)

    assert turned_away(decision) == (
        "the endpoint has blue 95 %, green 5 %; it ends when green 100 % is seen"
    )


def test_a_skip_to_retirement_waits_for_the_map_first() -> None:
    rollout = a_rollout(Phase.SHIFTING, 1, a_policy(CANARY_5, BAKE, DELETE), observed=split(5))

    decision = decide(a_head(rollout), SKIP, NOON)

    assert told(decision)[:2] == (Phase.SHIFTING, (set_traffic(GREEN, split(5)),))


def test_a_skip_ends_the_wait_for_a_retirement() -> None:
    rollout = a_rollout(Phase.RETIRING, 2, a_policy(CANARY_5, BAKE, DELETE))

    decision = decide(a_head(rollout), SKIP, NOON)

    assert told(decision)[:2] == (Phase.PROMOTED, ())


def test_a_canary_that_is_not_ready_cannot_be_skipped_to() -> None:
    decision = decide(a_head(a_rollout(Phase.PREPARING)), SKIP, NOON)

    assert turned_away(decision) == "the canary is not ready; there is nothing to skip to"


# -- pause, resume, retry ----------------------------------------------------------------------


def test_a_resumption_asks_again_for_a_map_that_was_lost() -> None:
    hold = a_hold(HoldCause.FOREIGN_CHANGE)
    rollout = a_rollout(Phase.HOLDING, hold=hold, observed=split(50))

    decision = decide(a_head(rollout), RESUME, NOON)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(5), split(50)),),
        "resumed by anna",
    )


def test_a_pause_while_a_map_is_asked_for_goes_on_asking_for_it() -> None:
    paused = decide(a_head(a_rollout(Phase.SHIFTING)), PauseRequested(id="p", who="anna"), NOON)

    still = decide(paused.head, measured(BLUE, None, NOON + 5 * MINUTE), NOON + 5 * MINUTE)
    resumed = decide(still.head, RESUME, NOON + 6 * MINUTE)

    assert told(paused) == (Phase.HOLDING, (), "paused by anna")
    assert told(still) == (Phase.HOLDING, (), "paused by anna")
    assert told(resumed)[:2] == (Phase.SHIFTING, (set_traffic(split(5), BLUE),))


@pytest.mark.parametrize("event", [RESUME, SKIP, PROMOTE])
def test_a_person_who_goes_on_overrules_evidence_that_failed(event: Command) -> None:
    at = NOON + 10 * MINUTE
    policy = a_policy(on_failure="hold")
    held = decide(a_head(a_rollout(policy=policy)), measured(split(5), FAIL, at), at)

    decision = decide(held.head, event, at + MINUTE)

    rollout = rollout_of(decision)
    assert (rollout.evidence_since, rollout.report) == (at + MINUTE, None)
    assert rollout.clock.elapsed(at + MINUTE) == StageClock().ran


def test_a_retry_starts_the_stage_again_with_fresh_evidence() -> None:
    rollout = a_rollout(Phase.HOLDING, clock=StageClock(ran=4 * MINUTE))

    decision = decide(a_head(rollout), retried(), NOON + MINUTE)

    assert told(decision) == (Phase.MEASURING, (), "ci starts canary 5 % again")
    again = rollout_of(decision)
    assert again.evidence_since == again.share_since == again.clock.since == NOON + MINUTE
    assert again.clock.ran == StageClock().ran


def test_a_retry_does_not_lead_past_a_canary_that_is_not_ready() -> None:
    hold = a_hold(during=Phase.PREPARING)
    rollout = a_rollout(Phase.HOLDING, hold=hold, fingerprints={"blue": "v1"})

    decision = decide(a_head(rollout), retried(), NOON)

    assert turned_away(decision) == "green is not ready; resume goes on waiting for it"


def test_smoke_requests_are_sent_again_after_a_pause() -> None:
    rollout = a_rollout(Phase.SMOKING, policy=a_policy(SMOKE, CANARY_5))
    paused = decide(a_head(rollout), PauseRequested(id="p", who="anna"), NOON)

    resumed = decide(paused.head, RESUME, NOON)

    assert resumed.head.phase is Phase.SMOKING
    assert [action.type for action in resumed.actions] == ["run_smoke"]


# -- approval ----------------------------------------------------------------------------------


POLICY = a_policy(CANARY_5, APPROVAL, CANARY_25)


def test_a_yes_goes_on() -> None:
    rollout = a_rollout(Phase.APPROVING, 1, POLICY)

    decision = decide(a_head(rollout), ApprovalGiven(id="y", who="anna"), NOON)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(25), split(5)),),
        "approved by anna",
    )


def test_a_quorum_is_counted() -> None:
    rollout = a_rollout(Phase.APPROVING, 1, POLICY, asked=a_question(quorum=2))

    first = decide(a_head(rollout), ApprovalGiven(id="1", who="anna"), NOON)
    twice = decide(first.head, ApprovalGiven(id="2", who="anna"), NOON)
    second = decide(first.head, ApprovalGiven(id="3", who="ben"), NOON)

    assert told(first) == (Phase.APPROVING, (), "approved by anna; 1 of 2")
    assert turned_away(twice) == "anna has approved already; 2 are needed"
    assert second.head.phase is Phase.SHIFTING


def test_only_those_who_are_named_may_answer() -> None:
    head = a_head(a_rollout(Phase.APPROVING, 1, POLICY))

    yes = decide(head, ApprovalGiven(id="y", who="zoe"), NOON)
    no = decide(head, ApprovalRefused(id="n", who="zoe"), NOON)

    assert turned_away(yes) == "zoe may not approve; ask anna, ben"
    assert turned_away(no) == "zoe may not reject; ask anna, ben, or abort"


def test_several_members_of_one_group_make_a_quorum_and_each_counts_once() -> None:
    asked = a_question(quorum=2, by=(), groups=("ml-leads",))
    rollout = a_rollout(Phase.APPROVING, 1, POLICY, asked=asked)
    leads = {"groups": ("ml-leads",)}

    first = decide(a_head(rollout), ApprovalGiven(id="1", who="dora", **leads), NOON)
    twice = decide(first.head, ApprovalGiven(id="2", who="dora", **leads), NOON)
    stranger = decide(first.head, ApprovalGiven(id="3", who="zoe", groups=("others",)), NOON)
    second = decide(first.head, ApprovalGiven(id="4", who="emil", **leads), NOON)

    assert told(first) == (Phase.APPROVING, (), "approved by dora; 1 of 2")
    assert turned_away(twice) == "dora has approved already; 2 are needed"
    assert turned_away(stranger) == "zoe may not approve; ask group ml-leads"
    assert second.head.phase is Phase.SHIFTING


def test_the_name_of_a_group_is_nobodys_name() -> None:
    asked = a_question(by=("anna",), groups=("ml-leads",))
    head = a_head(a_rollout(Phase.APPROVING, 1, POLICY, asked=asked))

    decision = decide(head, ApprovalGiven(id="1", who="ml-leads"), NOON)

    assert turned_away(decision) == "ml-leads may not approve; ask anna, group ml-leads"


def test_a_member_may_pass_over_an_approval_of_their_group() -> None:
    policy = a_policy(CANARY_5, {"approval": {"groups": ["ml-leads"]}}, BAKE)
    head = a_head(a_rollout(Phase.APPROVING, 1, policy, asked=a_question(groups=("ml-leads",))))

    decision = decide(head, SKIP.model_copy(update={"groups": ("ml-leads",)}), NOON)

    assert decision.head.phase is Phase.SHIFTING


def test_where_nobody_is_named_anybody_may_answer() -> None:
    rollout = a_rollout(Phase.APPROVING, 1, POLICY, asked=a_question(by=()))

    decision = decide(a_head(rollout), ApprovalGiven(id="y", who="zoe"), NOON)

    assert decision.head.phase is Phase.SHIFTING


def test_a_no_gives_the_traffic_back() -> None:
    rollout = a_rollout(Phase.APPROVING, 1, POLICY)

    decision = decide(a_head(rollout), ApprovalRefused(id="n", who="ben", why="not today"), NOON)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        BACK,
        "roll back: rejected by ben: not today",
    )


# -- past an approval --------------------------------------------------------------------------


TWO = {"approval": {"by": ["anna", "ben"], "quorum": 2}}


@pytest.mark.parametrize("event", [SKIP, PROMOTE])
@pytest.mark.parametrize(
    ("asking", "why"),
    [
        (
            {"approval": {"by": ["ben"]}},
            "an approval by ben lies on the way; anna may not pass over it",
        ),
        (TWO, "an approval by 2 people lies on the way; ask them to approve first"),
    ],
)
def test_nobody_passes_over_an_approval_that_is_not_theirs(
    event: Command, asking: Any, why: str
) -> None:
    rollout = a_rollout(Phase.APPROVING, 1, a_policy(CANARY_5, asking, BAKE))

    assert turned_away(decide(a_head(rollout), event, NOON)) == why


def test_an_approval_that_lies_ahead_is_not_promoted_over() -> None:
    rollout = a_rollout(policy=a_policy(CANARY_5, {"approval": {"by": ["ben"]}}, BAKE))

    assert "may not pass over it" in turned_away(decide(a_head(rollout), PROMOTE, NOON))


@pytest.mark.parametrize("event", [SKIP, PROMOTE])
def test_the_last_yes_that_is_wanting_may_be_given_by_going_on(event: Command) -> None:
    asked = a_question(quorum=2, approved_by=("ben",))
    rollout = a_rollout(Phase.APPROVING, 1, a_policy(CANARY_5, TWO, BAKE), asked=asked)

    decision = decide(a_head(rollout), event, NOON)

    assert decision.head.phase is Phase.SHIFTING
    assert decision.why.endswith("; it counts as the yes of anna")


# -- a mark that was refused --------------------------------------------------------------------


@pytest.mark.parametrize("event", [RESUME, SKIP, PROMOTE])
def test_a_mark_that_azure_refused_is_asked_for_again_by_who_goes_on(event: Command) -> None:
    no = ActionRefused(id="n", action="mark", kind="claim_endpoint", reason="no rights")
    held = decide(a_head(a_rollout()), no, NOON)

    decision = decide(held.head, event, NOON + MINUTE)
    again = decide(held.head.model_copy(update={"rollout": decision.head.rollout}), event, NOON)

    assert decision.actions[0] == ClaimEndpoint(endpoint=an_endpoint())
    assert rollout_of(decision).unclaimed is False
    assert ClaimEndpoint(endpoint=an_endpoint()) not in again.actions


# -- undo --------------------------------------------------------------------------------------


def test_an_undone_promotion_gives_the_traffic_back() -> None:
    rollout = a_rollout(Phase.PROMOTED, 1, a_policy(CANARY_5, BAKE))

    decision = decide(a_head(rollout), UndoRequested(id="u", who="anna", why="wrong"), NOON)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        BACK,
        "roll back: anna undoes the promotion: wrong",
    )


def test_a_deleted_baseline_cannot_be_gone_back_to() -> None:
    rollout = a_rollout(Phase.PROMOTED, 2, a_policy(CANARY_5, BAKE, DELETE))

    decision = decide(a_head(rollout), UndoRequested(id="u", who="anna"), NOON)

    assert turned_away(decision) == "blue was deleted when it was retired"


def test_a_baseline_that_is_not_there_any_more_is_not_gone_back_to() -> None:
    rollout = a_rollout(Phase.PROMOTED, 1, a_policy(CANARY_5, BAKE))
    event = UndoRequested(id="u", who="anna", there=("green", "red"))

    decision = decide(a_head(rollout), event, NOON)

    assert turned_away(decision) == (
        "blue of the recorded map is gone from the endpoint: create it again, then undo;"
        " or roll out another deployment"
    )


def test_a_first_deployment_cannot_be_undone() -> None:
    rollout = a_rollout(Phase.PROMOTED, policy=a_policy(BAKE), baseline=None)

    decision = decide(a_head(rollout), UndoRequested(id="u", who="anna"), NOON)

    assert turned_away(decision) == "nothing served before green: there is no way back"


@pytest.mark.parametrize(
    ("phase", "event", "why"),
    [
        (Phase.PROMOTED, ABORT, "it is promoted; undo gives the traffic back"),
        (Phase.ROLLING_BACK, ABORT, "it is on its way back already"),
        (Phase.ROLLING_BACK, PauseRequested(id="p", who="anna"), "a rollback is not paused"),
        (Phase.ROLLED_BACK, PROMOTE, "the rollout is over"),
        (Phase.MEASURING, RESUME, "it is not held; there is nothing to resume"),
        (Phase.MEASURING, ApprovalGiven(id="y", who="anna"), "nobody was asked"),
        (Phase.MEASURING, retried(), "its stage is being measured"),
    ],
)
def test_what_means_nothing_now_changes_nothing_and_says_why(
    phase: Phase, event: Command, why: str
) -> None:
    head = a_head(a_rollout(phase))

    decision = decide(head, event, NOON)

    assert turned_away(decision) == why
    assert decision.head is head


def test_a_paused_question_is_answered_after_the_pause() -> None:
    rollout = a_rollout(Phase.HOLDING, 1, POLICY, hold=a_hold(during=Phase.APPROVING))

    decision = decide(a_head(rollout), ApprovalGiven(id="y", who="anna"), NOON)

    assert turned_away(decision) == "it is held, nobody is asked; resume it first"
