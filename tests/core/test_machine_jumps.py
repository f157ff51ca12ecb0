"""A clock that jumps: a stage's shortest time is told by minutes that others have counted."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.analysis.report import Report
from rollout.core.events import Looked, PauseRequested, ResumeRequested
from rollout.core.head import Head
from rollout.core.machine.decide import decide
from rollout.core.rollout import Phase, StageClock
from tests.builders import (
    BLUE,
    CANARY_5,
    CANARY_25,
    MINUTE,
    PASS,
    a_head,
    a_policy,
    a_rollout,
    looked,
    measured,
    rollout_of,
    split,
)
from tests.fakes import NOON

SHORTEST = 5 * MINUTE
LAG = 3 * MINUTE
POLICY = a_policy(CANARY_5, CANARY_25, on_no_data={"hold_minutes": 600, "then": "hold"})


def seen(true: datetime, shown: datetime, report: Report = PASS) -> Looked:
    """A look at a true time by a clock that shows another: points come by the true one."""
    readable, there = _floor(shown - LAG), _floor(true - LAG)
    known = {"readable_until": readable, "heard_until": min(readable, there), "lag": LAG}
    return looked(split(5), report).model_copy(update=known)


def _floor(at: datetime) -> datetime:
    return at - (at - NOON) % MINUTE


def measuring() -> Head:
    return a_head(a_rollout(policy=POLICY))


def test_a_clock_that_jumps_ahead_shortens_no_stage() -> None:
    jumped, true = NOON + 9 * MINUTE, NOON + 4 * MINUTE

    decision = decide(measuring(), seen(true, jumped), jumped)

    assert decision.head.phase is Phase.MEASURING
    assert decision.why == "canary 5 %: waiting for its last minutes' metrics"


def test_time_that_only_a_jump_has_brought_counts_for_nothing_after_a_hold() -> None:
    held = decide(measuring(), seen(NOON + MINUTE, NOON + 90 * MINUTE), NOON + 90 * MINUTE)
    assert held.head.phase is Phase.HOLDING

    true = NOON + 2 * MINUTE
    back = decide(held.head, measured(split(5), PASS, true, LAG), true)
    later = true + 6 * MINUTE
    decision = decide(back.head, measured(split(5), PASS, later, LAG), later)

    assert back.head.phase is Phase.MEASURING
    assert decision.head.phase is Phase.MEASURING
    assert decision.why == "canary 5 %: waiting for its last minutes' metrics"
    whole = later + LAG
    assert decide(decision.head, measured(split(5), PASS, whole, LAG), whole).head.phase is (
        Phase.SHIFTING
    )


def test_a_row_of_before_counts_what_it_ran() -> None:
    known = StageClock(ran=4 * MINUTE, since=NOON)
    head = a_head(a_rollout(policy=POLICY, clock=known))
    at = NOON + MINUTE + LAG

    decision = decide(head, measured(split(5), PASS, at, LAG), at)

    assert decision.head.phase is Phase.SHIFTING


STEPS = st.lists(
    st.tuples(
        st.integers(5, 90).map(lambda seconds: timedelta(seconds=seconds)),
        st.one_of(st.just(0), st.integers(-20, 120)).map(lambda minutes: minutes * MINUTE),
        st.sampled_from(("look", "look", "look", "pause", "resume")),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_however_the_clock_jumps_no_stage_is_shorter_than_the_policy_says(
    steps: list[tuple[timedelta, timedelta, str]],
) -> None:
    head, true = measuring(), NOON
    for number, (passed, skew, kind) in enumerate(steps):
        true += passed
        shown = true + skew
        if kind == "look":
            decision = decide(head, seen(true, shown), shown)
        elif kind == "pause":
            decision = decide(head, PauseRequested(id=f"{number}", who="anna"), shown)
        else:
            decision = decide(head, ResumeRequested(id=f"{number}", who="anna"), shown)
        if not decision.taken:
            continue
        head = decision.head
        if rollout_of(decision).stage or head.phase not in {Phase.MEASURING, Phase.HOLDING}:
            assert true - NOON >= SHORTEST, decision.why
            return


def test_with_a_true_clock_the_stage_lasts_as_long_as_before() -> None:
    head, at = measuring(), NOON
    while head.phase is Phase.MEASURING:
        at += MINUTE / 4
        head = decide(head, measured(split(5), PASS, at, LAG), at).head

    assert at == NOON + SHORTEST + LAG
    assert head.rollout is not None
    assert head.rollout.recorded == BLUE
