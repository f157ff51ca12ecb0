"""From the first look to the promotion: what each stage asks for, waits for, and passes by."""

from datetime import timedelta

import pytest

from rollout.analysis.report import Report, Severity, Verdict
from rollout.core.actions import Action, DeleteDeployment, RunSmoke, ScaleDeployment
from rollout.core.endpoint import Provisioning
from rollout.core.events import ActionRefused, Looked, SmokeFinished, TrafficAccepted
from rollout.core.head import Debt
from rollout.core.machine.decide import decide, next_look
from rollout.core.policy import Policy
from rollout.core.rollout import HoldCause, Outcome, Phase, Share
from rollout.core.traffic import Traffic
from tests.builders import (
    APPROVAL,
    BAKE,
    BLUE,
    CANARY_5,
    CANARY_25,
    DELETE,
    FAIL,
    GREEN,
    INCONCLUSIVE,
    KEEP,
    MINUTE,
    MIRROR,
    NOT_MEASURED,
    PASS,
    SCALE,
    SECOND,
    SMOKE,
    a_deployment,
    a_finding,
    a_head,
    a_policy,
    a_rollout,
    a_view,
    an_endpoint,
    found,
    looked,
    measured,
    mirrored,
    rollout_of,
    set_traffic,
    split,
    told,
    turned_away,
)
from tests.fakes import NOON

RUN_SMOKE = RunSmoke(endpoint=an_endpoint(), deployment="green", requests="smoke/churn.jsonl")
LATER = NOON + 6 * MINUTE


# -- preparing ---------------------------------------------------------------------------------


def test_a_canary_that_is_ready_enters_the_first_stage() -> None:
    decision = decide(a_head(a_rollout(Phase.PREPARING)), looked(BLUE), NOON)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(5), BLUE),),
        "green is ready",
    )
    assert rollout_of(decision).fingerprints == {"blue": "v1", "green": "v1"}


@pytest.mark.parametrize(
    ("canary", "endpoint"),
    [
        (Provisioning.CREATING, Provisioning.SUCCEEDED),
        (Provisioning.SUCCEEDED, Provisioning.UPDATING),
    ],
)
def test_a_canary_that_is_not_ready_is_waited_for(
    canary: Provisioning, endpoint: Provisioning
) -> None:
    view = a_view(green=canary, state=endpoint)

    decision = decide(a_head(a_rollout(Phase.PREPARING)), looked(view), NOON + 29 * MINUTE)

    assert told(decision) == (
        Phase.PREPARING,
        (),
        f"green is {canary}, the endpoint is {endpoint}",
    )


@pytest.mark.parametrize(
    ("canary", "why"),
    [
        (
            Provisioning.CREATING,
            "green was not ready within 30 minutes: it is Creating, the endpoint is Succeeded",
        ),
        (Provisioning.FAILED, "Azure could not create green"),
        (None, "green is gone before it was ready"),
    ],
)
def test_a_canary_that_never_gets_ready_ends_it_before_anything_changed(
    canary: Provisioning | None, why: str
) -> None:
    event = looked(a_view(green=canary))

    decision = decide(a_head(a_rollout(Phase.PREPARING)), event, NOON + 30 * MINUTE)

    assert told(decision) == (Phase.REFUSED, (), why)
    assert rollout_of(decision).outcome is Outcome.REFUSED


def test_a_late_look_does_not_blame_a_canary_that_is_ready() -> None:
    decision = decide(a_head(a_rollout(Phase.PREPARING)), looked(BLUE), NOON + 45 * MINUTE)

    assert decision.head.phase is Phase.SHIFTING


# -- smoke -------------------------------------------------------------------------------------


def smoking(**rules: str) -> Policy:
    return a_policy(SMOKE, CANARY_5, **rules)


def test_smoke_requests_go_to_the_canary_alone() -> None:
    decision = decide(a_head(a_rollout(Phase.PREPARING, policy=smoking())), looked(BLUE), NOON)

    assert told(decision) == (Phase.SMOKING, (RUN_SMOKE,), "green is ready")


def test_smoke_requests_answered_as_expected_lead_on() -> None:
    head = a_head(a_rollout(Phase.SMOKING, policy=smoking()))

    decision = decide(head, SmokeFinished(id="s", passed=3), NOON)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(5), BLUE),),
        "all 3 smoke requests were answered as expected",
    )


FAILURES = SmokeFinished(id="s", passed=1, failures=("a", "b", "c", "d"))


def test_failed_smoke_requests_give_the_traffic_back() -> None:
    head = a_head(a_rollout(Phase.SMOKING, policy=smoking()))

    decision = decide(head, FAILURES, NOON)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        (set_traffic(BLUE, None),),
        "roll back: 4 of 5 smoke requests failed: a; b; c",
    )


def test_smoke_requests_that_were_not_sent_any_more_are_counted() -> None:
    head = a_head(a_rollout(Phase.SMOKING, policy=smoking()))

    decision = decide(head, SmokeFinished(id="s", passed=1, failures=("a",), unsent=38), NOON)

    assert decision.why == "roll back: 1 of 2 smoke requests failed: a; 38 more were not sent"


def test_failed_smoke_requests_wait_for_a_person_where_the_policy_says_so() -> None:
    head = a_head(a_rollout(Phase.SMOKING, policy=smoking(on_failure="hold")))

    decision = decide(head, FAILURES, NOON)

    assert told(decision) == (Phase.HOLDING, (), "4 of 5 smoke requests failed: a; b; c")


def test_a_look_while_smoke_requests_are_under_way_waits() -> None:
    head = a_head(a_rollout(Phase.SMOKING, policy=smoking()))

    decision = decide(head, looked(BLUE), NOON)

    assert told(decision) == (Phase.SMOKING, (), "smoke requests are under way")


# -- shifting ----------------------------------------------------------------------------------


def test_the_stage_begins_when_its_map_is_seen() -> None:
    decision = decide(a_head(a_rollout(Phase.SHIFTING)), looked(split(5)), NOON + MINUTE)

    assert told(decision) == (
        Phase.MEASURING,
        (),
        "the endpoint has blue 95 %, green 5 %",
    )
    rollout = rollout_of(decision)
    assert rollout.share_since == rollout.clock.since == NOON + MINUTE
    assert rollout.shares == (Share(since=NOON + MINUTE, percent=5, stage="canary 5 %"),)


def test_a_map_counts_only_when_the_endpoint_has_settled() -> None:
    view = a_view(split(5), state=Provisioning.UPDATING)

    decision = decide(a_head(a_rollout(Phase.SHIFTING)), looked(view), NOON + 5 * MINUTE)

    assert told(decision) == (
        Phase.SHIFTING,
        (),
        "waiting for blue 95 %, green 5 %, the endpoint has blue 95 %, green 5 %",
    )


def test_an_accepted_map_is_waited_for_from_then_on() -> None:
    event = TrafficAccepted(id="t", traffic=split(5), operation="https://operation")

    decision = decide(a_head(a_rollout(Phase.SHIFTING)), event, NOON + 30 * SECOND)

    assert told(decision) == (Phase.SHIFTING, (), "Azure accepted blue 95 %, green 5 %")
    assert rollout_of(decision).operation == "https://operation"
    assert rollout_of(decision).asked_at == NOON + 30 * SECOND


def test_an_accepted_map_that_is_wanted_no_more_means_nothing() -> None:
    event = TrafficAccepted(id="t", traffic=split(25))

    decision = decide(a_head(a_rollout(Phase.SHIFTING)), event, NOON)

    assert turned_away(decision) == "blue 75 %, green 25 % is not what is wanted now"


def test_an_old_map_is_no_news_for_a_minute() -> None:
    decision = decide(a_head(a_rollout(Phase.SHIFTING)), looked(BLUE), NOON + 60 * SECOND)

    assert told(decision) == (
        Phase.SHIFTING,
        (),
        "waiting for blue 95 %, green 5 %, the endpoint has blue 100 %",
    )


def test_a_map_that_does_not_come_is_asked_for_again() -> None:
    decision = decide(a_head(a_rollout(Phase.SHIFTING)), looked(BLUE), NOON + 61 * SECOND)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(5), BLUE),),
        "the write was accepted, but is not seen; asked again",
    )
    assert rollout_of(decision).asked_times == 2


def test_a_failed_operation_is_asked_for_again_at_once() -> None:
    event = looked(BLUE).model_copy(update={"operation_failed": "quota"})

    decision = decide(a_head(a_rollout(Phase.SHIFTING)), event, NOON + SECOND)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(5), BLUE),),
        "quota; asked again",
    )


def test_a_map_that_is_still_owed_is_not_asked_for_again() -> None:
    wish = set_traffic(split(5), BLUE)
    debt = Debt(id="d", action=wish, generation=1, not_before=NOON)
    head = a_head(a_rollout(Phase.SHIFTING), owed=(debt,))

    decision = decide(head, looked(BLUE), NOON + 2 * MINUTE)

    assert told(decision)[:2] == (Phase.SHIFTING, ())


def test_after_five_times_a_person_is_asked() -> None:
    rollout = a_rollout(Phase.SHIFTING, asked_times=5)

    decision = decide(a_head(rollout), looked(BLUE), NOON + 2 * MINUTE)

    assert told(decision) == (
        Phase.HOLDING,
        (),
        "the write was accepted, but is not seen; asked 5 times",
    )


def test_a_write_that_azure_refuses_waits_for_a_person() -> None:
    event = ActionRefused(id="n", action="set traffic", reason="no quota", remedy="az ml x")

    decision = decide(a_head(a_rollout(Phase.SHIFTING)), event, NOON)

    why = "Azure refuses to set traffic: no quota. Run: az ml x"
    assert told(decision) == (Phase.HOLDING, (), why)
    assert rollout_of(decision).trouble == why


# -- mirror, canary ----------------------------------------------------------------------------


MIRRORED = a_policy(MIRROR, CANARY_5, CANARY_25, BAKE)


def test_a_mirror_is_set_first() -> None:
    decision = decide(a_head(a_rollout(Phase.PREPARING, policy=MIRRORED)), looked(BLUE), NOON)

    assert decision.actions == (set_traffic(mirrored(20), BLUE),)


def test_a_mirror_is_cleared_and_seen_cleared_before_the_first_live_weight() -> None:
    rollout = a_rollout(policy=MIRRORED)

    passed = decide(a_head(rollout), measured(mirrored(), PASS, LATER), LATER)
    stale = decide(passed.head, looked(mirrored()), LATER + 5 * SECOND)
    cleared = decide(passed.head, looked(BLUE), LATER + 10 * SECOND)

    assert told(passed) == (
        Phase.SHIFTING,
        (set_traffic(BLUE, mirrored()),),
        "mirror 20 % passed all its guards",
    )
    assert told(stale)[:2] == (Phase.SHIFTING, ())
    assert told(cleared) == (
        Phase.SHIFTING,
        (set_traffic(split(5), BLUE),),
        "the endpoint has blue 100 %",
    )


def test_a_passed_weight_leads_to_the_next() -> None:
    decision = decide(a_head(a_rollout()), measured(split(5), PASS, LATER), LATER)

    assert told(decision) == (
        Phase.SHIFTING,
        (set_traffic(split(25), split(5)),),
        "canary 5 % passed all its guards",
    )
    assert rollout_of(decision).clock.elapsed(LATER + MINUTE) == timedelta(0)


def test_others_keep_their_shares() -> None:
    recorded = split(0, red=40)
    rollout = a_rollout(Phase.PREPARING, recorded=recorded, wanted=recorded, observed=recorded)

    decision = decide(a_head(rollout), looked(recorded), NOON)

    assert decision.actions == (set_traffic(split(3, red=40), recorded, recorded),)


def test_an_adopted_canary_goes_to_the_first_weight() -> None:
    rollout = a_rollout(Phase.PREPARING, wanted=split(30), observed=split(30))

    decision = decide(a_head(rollout), looked(split(30)), NOON)

    assert decision.actions == (set_traffic(split(5), split(30)),)


def test_a_failing_canary_gives_all_traffic_back() -> None:
    decision = decide(a_head(a_rollout()), measured(split(5), FAIL, LATER), LATER)

    assert told(decision) == (
        Phase.ROLLING_BACK,
        (set_traffic(BLUE, None),),
        "roll back: error rate FAIL",
    )


@pytest.mark.parametrize("phase", [Phase.SHIFTING, Phase.HOLDING, Phase.APPROVING])
def test_failed_guards_are_heard_while_something_else_is_waited_for(phase: Phase) -> None:
    rollout = a_rollout(phase)

    decision = decide(a_head(rollout), measured(rollout.observed, FAIL, LATER), LATER)

    assert decision.head.phase is Phase.ROLLING_BACK


def test_a_failing_canary_waits_for_a_person_where_the_policy_says_so() -> None:
    rollout = a_rollout(policy=a_policy(on_failure="hold"))

    decision = decide(a_head(rollout), measured(split(5), FAIL, LATER), LATER)
    again = decide(decision.head, measured(split(5), FAIL, LATER), LATER + MINUTE)

    assert told(decision) == (Phase.HOLDING, (), "error rate FAIL")
    assert again.head == decision.head


def test_no_wait_is_shorter_than_the_shortest() -> None:
    at = NOON + 4 * MINUTE

    decision = decide(a_head(a_rollout()), measured(split(5), PASS, at), at)

    assert told(decision) == (Phase.MEASURING, (), "1 minutes of canary 5 % left")


def test_the_metrics_must_have_come_as_far_as_the_clock() -> None:
    at = NOON + 6 * MINUTE
    event = measured(split(5), PASS, at, lag=2 * MINUTE)

    decision = decide(a_head(a_rollout()), event, at)

    assert told(decision) == (
        Phase.MEASURING,
        (),
        "canary 5 %: waiting for its last minutes' metrics",
    )


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (INCONCLUSIVE, "canary 5 %: error rate INCONCLUSIVE"),
        (NOT_MEASURED, "canary 5 %: error rate NOT_MEASURED"),
        (None, "canary 5 %: nothing was measured"),
        (Report(), "canary 5 %: nothing was measured"),
        (found(Verdict.PASS, Severity.WATCH), "canary 5 %: nothing was measured"),
        (found(Verdict.FAIL, Severity.HOLD), "canary 5 %: error rate FAIL"),
    ],
)
def test_what_is_not_proven_does_not_pass(report: Report | None, why: str) -> None:
    decision = decide(a_head(a_rollout()), measured(split(5), report, LATER), LATER)

    assert told(decision) == (Phase.MEASURING, (), why)


def test_a_guard_that_only_watches_stops_nothing() -> None:
    findings = (a_finding(Verdict.PASS), a_finding(Verdict.FAIL, Severity.WATCH))

    decision = decide(a_head(a_rollout()), measured(split(5), Report(findings), LATER), LATER)

    assert decision.head.phase is Phase.SHIFTING


def test_a_stage_without_a_shortest_time_still_needs_a_verdict() -> None:
    policy = a_policy({"canary": {"weight": 5, "shortest_minutes": 0}}, BAKE)
    head = a_head(a_rollout(policy=policy))

    nothing = decide(head, measured(split(5), None, NOON + SECOND), NOON + SECOND)
    passed = decide(head, measured(split(5), PASS, NOON + SECOND), NOON + SECOND)

    assert (nothing.head.phase, passed.head.phase) == (Phase.MEASURING, Phase.SHIFTING)


# -- bake, retire, promoted --------------------------------------------------------------------


def test_the_stage_at_full_weight_follows_the_last_canary() -> None:
    decision = decide(
        a_head(a_rollout(stage=1, policy=a_policy())), measured(split(25), PASS, LATER), LATER
    )

    assert decision.actions == (set_traffic(GREEN, split(25)),)


def test_a_passed_bake_is_a_promotion() -> None:
    rollout = a_rollout(stage=1, policy=a_policy(CANARY_5, {"bake": {"shortest_minutes": 5}}))

    decision = decide(a_head(rollout), measured(GREEN, PASS, LATER), LATER)

    assert told(decision) == (
        Phase.PROMOTED,
        (),
        "bake 100 % passed all its guards; green serves 100 % and the rollout is over",
    )
    assert rollout_of(decision).outcome is Outcome.PROMOTED
    assert next_look(decision.head, LATER) is None


BAKED = "bake 100 % passed all its guards"
WHERE = {"endpoint": an_endpoint(), "deployment": "blue"}


@pytest.mark.parametrize(
    ("retire", "action"),
    [
        (DELETE, DeleteDeployment.model_validate(WHERE)),
        (SCALE, ScaleDeployment.model_validate({**WHERE, "instances": 1})),
    ],
)
def test_the_old_baseline_meets_its_fate_after_the_bake(
    retire: dict[str, dict[str, object]], action: Action
) -> None:
    rollout = a_rollout(stage=1, policy=a_policy(CANARY_5, BAKE, retire))
    at = NOON + 31 * MINUTE

    decision = decide(a_head(rollout), measured(GREEN, PASS, at), at)

    assert told(decision) == (Phase.RETIRING, (action,), "bake 100 % passed all its guards")


def test_a_baseline_that_is_kept_is_a_promotion_at_once() -> None:
    rollout = a_rollout(stage=1, policy=a_policy(CANARY_5, BAKE, KEEP))
    at = NOON + 31 * MINUTE

    decision = decide(a_head(rollout), measured(GREEN, PASS, at), at)

    assert told(decision) == (
        Phase.PROMOTED,
        (),
        f"{BAKED}; the old baseline is kept; green serves 100 % and the rollout is over",
    )


def test_a_deleted_baseline_is_a_promotion() -> None:
    rollout = a_rollout(Phase.RETIRING, 2, a_policy(CANARY_5, BAKE, DELETE))

    still = decide(a_head(rollout), looked(a_view(GREEN, blue=Provisioning.DELETING)), NOON)
    gone = decide(a_head(rollout), looked(a_view(GREEN, blue=None)), NOON)

    assert told(still) == (Phase.RETIRING, (), "blue is Deleting")
    assert told(gone) == (
        Phase.PROMOTED,
        (),
        "blue is deleted; green serves 100 % and the rollout is over",
    )


@pytest.mark.parametrize(
    ("instances", "state", "phase"),
    [
        (2, Provisioning.SUCCEEDED, Phase.RETIRING),
        (1, Provisioning.SCALING, Phase.RETIRING),
        (1, Provisioning.SUCCEEDED, Phase.PROMOTED),
    ],
)
def test_a_scaled_baseline_is_waited_for(instances: int, state: Provisioning, phase: Phase) -> None:
    rollout = a_rollout(Phase.RETIRING, 2, a_policy(CANARY_5, BAKE, SCALE))
    blue = a_deployment("blue", state, instances=instances)

    decision = decide(a_head(rollout), looked(a_view(GREEN, blue=blue)), NOON)

    assert decision.head.phase is phase


def test_a_baseline_that_cannot_be_retired_needs_a_person() -> None:
    rollout = a_rollout(Phase.RETIRING, 2, a_policy(CANARY_5, BAKE, DELETE))

    decision = decide(a_head(rollout), looked(GREEN), NOON + 30 * MINUTE)

    assert told(decision) == (
        Phase.HOLDING,
        (),
        "blue was not retired within 30 minutes: it is Succeeded",
    )


def test_a_first_deployment_gets_everything_after_its_smoke_requests() -> None:
    policy = a_policy(SMOKE, MIRROR, CANARY_5, BAKE, DELETE)
    rollout = a_rollout(Phase.SMOKING, policy=policy, baseline=None, recorded=Traffic())

    smoked = decide(a_head(rollout), SmokeFinished(id="s", passed=1), NOON)
    there = decide(smoked.head, looked(a_view(GREEN, blue=None)), NOON)
    at = NOON + 31 * MINUTE
    baked = decide(there.head, measured(a_view(GREEN, blue=None), PASS, at), at)

    assert smoked.actions == (set_traffic(GREEN, Traffic(), Traffic()),)
    assert there.head.phase is Phase.MEASURING
    assert told(baked)[0] is Phase.PROMOTED


def test_a_last_approval_asks_whether_the_canary_is_to_stay() -> None:
    rollout = a_rollout(stage=0, policy=a_policy(BAKE, APPROVAL))
    at = NOON + 31 * MINUTE

    decision = decide(a_head(rollout), measured(GREEN, PASS, at), at)

    assert told(decision)[:2] == (Phase.APPROVING, ())
    asked = rollout_of(decision).asked
    assert asked is not None
    assert asked.question == "is green to stay?"


# -- when it is looked at next -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (Phase.PREPARING, 15 * SECOND),
        (Phase.SHIFTING, 15 * SECOND),
        (Phase.RETIRING, 15 * SECOND),
        (Phase.ROLLING_BACK, 5 * SECOND),
        (Phase.MEASURING, MINUTE),
        (Phase.HOLDING, MINUTE),
        (Phase.APPROVING, MINUTE),
        (Phase.ROLLED_BACK, MINUTE),
        (Phase.REFUSED, None),
        (Phase.PROMOTED, None),
    ],
)
def test_each_phase_is_looked_at_in_its_own_time(phase: Phase, after: timedelta | None) -> None:
    at = next_look(a_head(a_rollout(phase)), NOON)

    assert at == (NOON + after if after else None)


def test_an_endpoint_without_a_rollout_is_not_looked_at() -> None:
    event = Looked(id="l", view=a_view())

    assert next_look(a_head(), NOON) is None
    assert turned_away(decide(a_head(), event, NOON)) == "nothing was rolled out here yet"


def test_a_refused_retirement_waits_for_a_person() -> None:
    rollout = a_rollout(Phase.RETIRING, 2, a_policy(CANARY_5, BAKE, DELETE))
    event = ActionRefused(id="n", action="delete blue", reason="it has traffic")

    decision = decide(a_head(rollout), event, NOON)

    assert told(decision) == (
        Phase.HOLDING,
        (),
        "Azure refuses to delete blue: it has traffic",
    )
    hold = rollout_of(decision).hold
    assert hold is not None
    assert (hold.cause, hold.during) == (HoldCause.REFUSED, Phase.RETIRING)


def test_stages_may_repeat_only_as_weights() -> None:
    rollout = a_rollout(policy=a_policy(CANARY_5, CANARY_25))

    assert [str(stage) for stage in rollout.stages] == [
        "canary 5 %",
        "canary 25 %",
        "bake 100 %",
    ]
