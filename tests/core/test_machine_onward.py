"""Where a stage that has passed leads: as written, or within the budget, if there is room."""

from dataclasses import replace
from typing import Any

import pytest

from rollout.analysis.capacity import Load
from rollout.analysis.report import Evidence, Kind, Report, Verdict
from rollout.core.actions import ScaleDeployment
from rollout.core.events import Looked
from rollout.core.head import Debt
from rollout.core.machine.decide import decide
from rollout.core.policy import Policy
from rollout.core.record import record
from rollout.core.rollout import HoldCause, Phase, StageClock
from rollout.views import view
from tests.builders import (
    CANARY_5,
    INCONCLUSIVE,
    MINUTE,
    PASS,
    a_deployment,
    a_finding,
    a_head,
    a_hold,
    a_policy,
    a_rollout,
    a_view,
    an_endpoint,
    measured,
    rollout_of,
    set_traffic,
    split,
)
from tests.fakes import NOON

LATER = NOON + 8 * MINUTE
QUIET = Load(requests_per_second=10, mean_seconds=0.02)
BUSY = Load(requests_per_second=400, mean_seconds=0.02)
WEIGHTS: tuple[Any, ...] = (
    CANARY_5,
    {"canary": {"weight": 25}},
    {"canary": {"weight": 50}},
    {"approval": {}},
    {"canary": {"weight": 95}},
)
SCALE_UP = ScaleDeployment(endpoint=an_endpoint(), deployment="green", instances=7)


MANY_WEIGHTS: tuple[Any, ...] = (
    CANARY_5,
    {"canary": {"weight": 10}},
    {"canary": {"weight": 25}},
    {"canary": {"weight": 50}},
)


def passing(
    load: Load | None, bound: float | None = None, usual_rate: float = 0.0, **view: Any
) -> Looked:
    """A look at a stage at 5 % that has passed, on an endpoint with that load."""
    report = PASS if bound is None else Report((_bounded(bound, usual_rate),))
    look = measured(a_view(split(5), **view), report, LATER)
    return look.model_copy(update={"load": load, "lag": 2 * MINUTE})


def _bounded(bound: float, usual_rate: float) -> Any:
    evidence = Evidence(
        Kind.SPLITS,
        ln_e=0,
        ln_e_most=0,
        threshold=3.2,
        excess_bound_so_far=bound,
        usual_rate=usual_rate,
    )
    return replace(a_finding(Verdict.PASS), evidence=evidence)


def stage_after(policy: Policy, look: Looked) -> int:
    return rollout_of(decide(a_head(a_rollout(policy=policy)), look, LATER)).stage


# -- pace --------------------------------------------------------------------------------------


def test_a_fixed_pace_goes_stage_by_stage() -> None:
    policy = a_policy(*WEIGHTS)

    assert stage_after(policy, passing(QUIET, bound=0.0001)) == 1


@pytest.mark.parametrize(
    ("bound", "weight"),
    [(0.11, 10), (0.04, 25), (0.001, 25)],  # 50 % would be more than five times 5 %
)
def test_an_adaptive_pace_skips_to_the_largest_weight_within_the_budget(
    bound: float, weight: int
) -> None:
    """600 requests a minute for four minutes at this bound; 40 + 24 failures are allowed."""
    policy = a_policy(*MANY_WEIGHTS, pace="adaptive")

    decision = decide(a_head(a_rollout(policy=policy)), passing(QUIET, bound), LATER)

    assert decision.actions == (set_traffic(split(weight), split(5)),)


def test_what_keeps_an_adaptive_pace_from_more_stands_in_the_history() -> None:
    head = a_head(a_rollout(policy=a_policy(*MANY_WEIGHTS, pace="adaptive")))
    look = passing(QUIET, bound=0.001)

    _, _, entry = record(head, decide(head, look, LATER), look, LATER)

    assert entry is not None
    assert entry.why == (
        "canary 5 % passed all its guards; no further, since 50 % would be more than 5 times the"
        " 5 % of now"
    )


def test_without_a_known_load_an_adaptive_pace_skips_nothing() -> None:
    policy = a_policy(*MANY_WEIGHTS, pace="adaptive")

    assert stage_after(policy, passing(None, bound=0.001)) == 1


def test_an_adaptive_pace_never_skips_an_approval() -> None:
    policy = a_policy(CANARY_5, {"approval": {}}, {"canary": {"weight": 95}}, pace="adaptive")

    assert stage_after(policy, passing(QUIET, bound=0.0001)) == 1


def test_an_adaptive_pace_never_skips_a_stage_that_asks_a_hook() -> None:
    asking = {"canary": {"weight": 25, "hooks": [{"confirm": "board"}]}}
    policy = a_policy(CANARY_5, asking, {"canary": {"weight": 95}}, pace="adaptive")

    assert stage_after(policy, passing(QUIET, bound=0.0001)) == 1


def test_an_adaptive_pace_waits_where_the_next_weight_is_over_the_budget() -> None:
    rollout = a_rollout(policy=a_policy(*WEIGHTS, pace="adaptive"))

    decision = decide(a_head(rollout), passing(QUIET, bound=1.0), LATER)

    assert rollout_of(decision).phase is Phase.MEASURING
    assert decision.why == (
        "canary 5 %: the budget of failed requests allows 2 %, and 25 % is next"
    )


def test_what_it_waits_for_is_told_once_and_shown_as_long_as_it_waits() -> None:
    head = a_head(a_rollout(policy=a_policy(*WEIGHTS, pace="adaptive")))
    look = passing(QUIET, bound=1.0)

    waiting, _, entry = record(head, decide(head, look, LATER), look, LATER)
    _, _, again = record(waiting, decide(waiting, look, LATER), look, LATER)

    told = "the budget of failed requests allows 2 %, and 25 % is next"
    assert entry is not None
    assert entry.why == f"canary 5 %: {told}"
    assert again is None
    assert waiting.rollout is not None
    assert (
        view(waiting, waiting.rollout, LATER).waits_for
        == f"in canary 5 %, whose guards pass: {told}"
    )


def test_a_limit_on_the_error_rate_hides_no_bound_that_another_guard_knows() -> None:
    policy = a_policy(*MANY_WEIGHTS, pace="adaptive")
    look = passing(QUIET, bound=0.04)
    evidence = Evidence(Kind.LIMIT, ln_e=0, ln_e_most=0, threshold=3.2)
    limit = replace(a_finding(Verdict.PASS), evidence=evidence)
    assert look.report is not None
    both = look.model_copy(update={"report": Report((limit, *look.report.findings))})

    assert stage_after(policy, both) == 2


def test_where_nothing_was_measured_nobody_is_told_that_guards_pass() -> None:
    head = a_head(a_rollout(policy=a_policy(*WEIGHTS, pace="adaptive")))
    look = passing(QUIET).model_copy(update={"report": Report()})

    row, _, entry = record(head, decide(head, look, LATER), look, LATER)

    assert entry is None
    assert row.rollout is not None
    assert view(row, row.rollout, LATER).waits_for == "for the verdict on canary 5 %"


def test_what_the_pace_waited_for_is_told_no_more_when_a_freeze_is_all_that_is_left() -> None:
    freeze = {"windows": [{"weekly": "mon 11:00 - mon 13:00"}]}
    policy = a_policy(*WEIGHTS, pace="adaptive", freeze=freeze)
    head = a_head(a_rollout(policy=policy))
    waiting = decide(head, passing(QUIET, bound=1.0), LATER)
    frozen = decide(waiting.head, passing(QUIET, bound=0.001), LATER)

    assert rollout_of(waiting).paced is not None
    assert rollout_of(frozen).paced is None
    assert frozen.why.startswith("canary 5 % passed all its guards; frozen (")


def test_what_the_pace_waited_for_is_not_told_while_a_guard_is_open() -> None:
    head = a_head(a_rollout(policy=a_policy(*WEIGHTS, pace="adaptive")))
    paced = decide(head, passing(QUIET, bound=1.0), LATER).head
    look = passing(QUIET).model_copy(update={"report": INCONCLUSIVE})

    after = decide(paced, look, LATER).head

    assert after.rollout is not None
    assert after.rollout.paced is not None
    assert view(after, after.rollout, LATER).waits_for == "for the verdict on canary 5 %"


def test_what_the_pace_waited_for_in_one_stage_is_not_told_in_the_next() -> None:
    waiting = decide(
        a_head(a_rollout(policy=a_policy(*WEIGHTS, pace="adaptive"))),
        passing(QUIET, bound=1.0),
        LATER,
    )

    onward = decide(waiting.head, passing(QUIET, bound=0.001), LATER)

    assert (rollout_of(waiting).stage, rollout_of(onward).stage) == (0, 1)
    assert rollout_of(onward).paced is None


def test_an_adaptive_pace_waits_on_a_warning_of_any_guard_that_counts() -> None:
    rollout = a_rollout(policy=a_policy(*MANY_WEIGHTS, pace="adaptive"))
    look = passing(QUIET, bound=0.001)
    evidence = Evidence(Kind.LIMIT, ln_e=2.0, ln_e_most=2.0, threshold=3.2)
    worrying = replace(a_finding(Verdict.PASS), evidence=evidence)
    assert look.report is not None
    warned = look.model_copy(update={"report": Report((*look.report.findings, worrying))})

    decision = decide(a_head(rollout), warned, LATER)

    assert decision.actions == ()
    assert decision.why == "canary 5 %: the evidence is a warning: 7.39 : 1"


def test_an_adaptive_pace_waits_until_a_minute_of_the_share_was_read() -> None:
    hasty = {"canary": {"weight": 5, "shortest_minutes": 0}}
    rollout = a_rollout(policy=a_policy(hasty, *MANY_WEIGHTS[1:], pace="adaptive"))
    look = passing(QUIET, bound=0.001).model_copy(update={"heard_until": NOON + MINUTE / 2})

    decision = decide(a_head(rollout), look, NOON + 2 * MINUTE)

    assert decision.actions == ()
    assert decision.why == "canary 5 %: one whole minute of the present share must be read first"


@pytest.mark.parametrize(("bound", "goes"), [(0.004, True), (0.005, False)])
def test_all_traffic_too_is_given_only_by_a_canary_that_is_known_to_be_good(
    bound: float, *, goes: bool
) -> None:
    policy = a_policy({"canary": {"weight": 5}}, {"canary": {"weight": 50}}, pace="adaptive")
    rollout = a_rollout(stage=1, policy=policy)
    look = passing(QUIET, bound, usual_rate=0.004).model_copy(update={"view": a_view(split(50))})

    decision = decide(a_head(rollout), look, LATER)

    assert bool(decision.actions) == goes
    assert goes or decision.why == (
        "canary 50 %: it may still be 0.5 points worse, and above 50 % no more than 0.4 may be"
    )


def test_a_fixed_pace_knows_none_of_these_rules() -> None:
    policy = a_policy({"canary": {"weight": 5}}, {"canary": {"weight": 95}})

    assert stage_after(policy, passing(BUSY, bound=1.0, green=a_deployment(instances=99))) == 1


def test_an_adaptive_pace_that_waited_too_long_does_as_the_policy_says() -> None:
    rollout = a_rollout(policy=a_policy(*WEIGHTS, pace="adaptive"))
    after_an_hour = NOON + 61 * MINUTE

    look = passing(QUIET, bound=1.0).model_copy(update={"heard_until": after_an_hour})

    decision = decide(a_head(rollout), look, after_an_hour)

    hold = rollout_of(decision).hold
    assert hold is not None
    assert hold.cause is HoldCause.INCONCLUSIVE
    assert hold.why == (
        "canary 5 % is undecided after 60 minutes:"
        " the budget of failed requests allows 2 %, and 25 % is next"
    )


def test_at_a_stages_longest_time_a_policy_may_go_on_whatever_the_pace() -> None:
    policy = a_policy(*WEIGHTS, pace="adaptive", on_inconclusive="advance")
    after_an_hour = NOON + 61 * MINUTE
    look = passing(QUIET, bound=1.0).model_copy(update={"heard_until": after_an_hour})

    decision = decide(a_head(a_rollout(policy=policy)), look, after_an_hour)

    assert decision.actions == (set_traffic(split(25), split(5)),)


# -- room --------------------------------------------------------------------------------------


def test_a_canary_with_room_goes_on() -> None:
    decision = decide(a_head(a_rollout()), passing(QUIET), LATER)

    assert decision.actions == (set_traffic(split(25), split(5)),)


def test_a_canary_without_room_holds_and_names_the_command() -> None:
    decision = decide(a_head(a_rollout()), passing(BUSY), LATER)

    hold = rollout_of(decision).hold
    assert decision.actions == ()
    assert hold is not None
    assert hold.cause is HoldCause.CAPACITY
    assert hold.why.startswith("25 % of 400 requests a second keeps 2 of 2 workers busy")
    assert "az ml online-deployment update --name green" in hold.why
    assert hold.why.endswith("--set instance_count=3")


def test_a_hold_for_want_of_room_ends_when_the_instances_are_there() -> None:
    hold = a_hold(HoldCause.CAPACITY)
    rollout = a_rollout(Phase.HOLDING, hold=hold)
    more = a_deployment(instances=3)

    decision = decide(a_head(rollout), passing(BUSY, green=more), LATER)

    assert decision.actions == (set_traffic(split(25), split(5)),)


def test_room_that_comes_is_not_taken_while_the_pace_holds_it_back() -> None:
    policy = a_policy(*MANY_WEIGHTS, pace="adaptive")
    hold, clock = a_hold(HoldCause.CAPACITY), StageClock(ran=8 * MINUTE)
    rollout = a_rollout(Phase.HOLDING, hold=hold, policy=policy, clock=clock)
    look = passing(BUSY, bound=1.0, green=a_deployment(instances=99))

    decision = decide(a_head(rollout), look, LATER)

    assert decision.actions == ()
    assert rollout_of(decision).phase is Phase.MEASURING
    assert "the budget of failed requests allows 1 %, and 10 % is next" in decision.why


def test_room_that_comes_is_not_taken_while_a_guard_is_open() -> None:
    hold, clock = a_hold(HoldCause.CAPACITY), StageClock(ran=8 * MINUTE)
    rollout = a_rollout(Phase.HOLDING, hold=hold, clock=clock)
    report = Report((a_finding(Verdict.INCONCLUSIVE),))
    look = passing(BUSY, green=a_deployment(instances=3)).model_copy(update={"report": report})

    decision = decide(a_head(rollout), look, LATER)

    assert decision.actions == ()
    assert rollout_of(decision).phase is Phase.MEASURING


def test_who_goes_on_undecided_needs_room_all_the_same() -> None:
    policy = a_policy(*WEIGHTS, pace="adaptive", on_inconclusive="advance")
    after_an_hour = NOON + 61 * MINUTE
    look = passing(BUSY, bound=1.0).model_copy(update={"heard_until": after_an_hour})

    decision = decide(a_head(a_rollout(policy=policy)), look, after_an_hour)

    hold = rollout_of(decision).hold
    assert decision.actions == ()
    assert hold is not None
    assert hold.cause is HoldCause.CAPACITY


def test_the_policy_may_have_the_canary_scaled() -> None:
    rollout = a_rollout(policy=a_policy(CANARY_5, {"canary": {"weight": 60}}, capacity="scale"))

    decision = decide(a_head(rollout), passing(BUSY), LATER)

    assert decision.actions == (SCALE_UP.model_copy(update={"instances": 6}),)
    assert rollout_of(decision).phase is Phase.MEASURING


def test_a_canary_that_is_being_scaled_is_not_scaled_again() -> None:
    rollout = a_rollout(policy=a_policy(capacity="scale"))
    debt = Debt(id="d", action=SCALE_UP, generation=1, not_before=NOON)

    decision = decide(a_head(rollout, owed=(debt,)), passing(BUSY), LATER)

    assert decision.actions == ()
    assert rollout_of(decision).phase is Phase.MEASURING


@pytest.mark.parametrize("load", [None, BUSY])
def test_a_policy_may_ignore_capacity(load: Load | None) -> None:
    rollout = a_rollout(policy=a_policy(capacity="ignore"))

    decision = decide(a_head(rollout), passing(load), LATER)

    assert decision.actions == (set_traffic(split(25), split(5)),)
