"""Too little traffic for a verdict: a stage's one way out, as the policy names it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from rollout.analysis import pace
from rollout.analysis.report import Finding, Report, Verdict
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.decision import Decision, hold, stay
from rollout.core.machine.onward import (
    budget,
    live_share,
    room_for,
    scale_for,
    seen,
    warned,
)
from rollout.core.machine.stages import ask_people, go_on, question
from rollout.core.patience import OnTooLittle, TooLittle
from rollout.core.policy import Approval, Bake, Canary, Mirror, Stage, Trial
from rollout.core.rollout import Further, HoldCause, Rollout, StageClock

WEIGHT_MAX = 99
NOTHING = "nothing new yet"


def wants_traffic(findings: Sequence[Finding]) -> bool:
    """Whether all that keeps a stage from passing is that too few requests were answered."""
    return bool(findings) and all(
        found.verdict is Verdict.INCONCLUSIVE
        and found.evidence is not None
        and found.evidence.requests_needed > 0
        for found in findings
    )


def for_want_of_traffic(
    head: Head, rollout: Rollout, event: Looked, now: datetime, why: str
) -> Decision:
    """The way out that the policy names, once a stage; after it a person is asked."""
    rule = rollout.policy.too_little
    if rollout.further is not None:
        return _ask(head, rollout, event, now, f"{why}; there is still too little traffic")
    return _WAYS[rule.then](head, rollout, event, now, why)


def gathering(head: Head, rollout: Rollout, event: Looked, now: datetime) -> Decision | None:
    """While copies gather evidence: back to the stage's weight when it is enough, or time is up."""
    further = rollout.further
    if further is None or not further.mirror:
        return None
    stage, report = rollout.here, event.report or Report()
    assert isinstance(stage, Canary), stage
    ran = rollout.clock.elapsed(now) / rollout.minute
    enough = bool(report.counting) and not report.open and ran >= stage.shortest_minutes
    if not enough and ran < further.limit_minutes:
        few = "; ".join(one.because for one in report.open) or NOTHING
        return stay(head, rollout, f"{stage}: copies gather evidence: {few}")
    done = further.model_copy(update={"mirror": 0, "limit_minutes": stage.longest_minutes})
    again = rollout.model_copy(update={"further": done, "clock": StageClock()})
    ended = "the copies were enough for all guards" if enough else "the time for copies is over"
    return go_on(head, again, now, f"{ended}; back to {stage}")


def time_allowed(rollout: Rollout, stage: Trial) -> int:
    """How many minutes the stage may last, with what it was given for want of traffic."""
    return rollout.further.limit_minutes if rollout.further else stage.longest_minutes


# -- the ways -------------------------------------------------------------------------------------


def _longer(head: Head, rollout: Rollout, _event: Looked, now: datetime, why: str) -> Decision:
    """The same share for a bounded further time."""
    given = _given(rollout, now)
    minutes = rollout.policy.too_little.minutes
    told = f"{why}; {minutes} minutes more at this share, then a person is asked"
    return stay(head, rollout.model_copy(update={"further": given}), told)


def _notch(head: Head, rollout: Rollout, event: Looked, now: datetime, why: str) -> Decision:
    """A little more weight, as far as the policy, the next weight and the budget let it."""
    if not isinstance(rollout.here, Canary):
        return _longer(head, rollout, event, now, why)
    weight = notched(rollout.here, rollout.stages, rollout.policy.too_little)
    no = _no_notch(rollout, event, weight)
    if no:
        return _ask(head, rollout, event, now, f"{why}; no notch more: {no}")
    found = room_for(rollout, event, live_share(rollout, weight))
    if found is not None and not found.enough:
        if rollout.policy.capacity == "scale":
            return scale_for(head, rollout, event, found)
        return _ask(head, rollout, event, now, f"{why}; no notch more: {found.sentence}")
    given = _given(rollout, now).model_copy(update={"weight": weight})
    minutes = rollout.policy.too_little.minutes
    told = f"{why}; a notch more: {weight} % for {minutes} minutes"
    return go_on(head, rollout.model_copy(update={"further": given}), now, told)


def notched(here: Canary, stages: Sequence[Stage], rule: OnTooLittle) -> int:
    """The stage's weight with its notch: not above the next weight that is written."""
    weights = [one.weight for one in stages if isinstance(one, Canary)]
    written = min((weight for weight in weights if weight > here.weight), default=WEIGHT_MAX)
    return min(here.weight + rule.points, written)


def _no_notch(rollout: Rollout, event: Looked, weight: int) -> str | None:
    """Why more weight would be a risk nobody has weighed, or nothing."""
    share = live_share(rollout, weight)
    if share <= rollout.observed.share(rollout.canary):
        return f"a weight of {weight} gives it {share} % of the requests, which it has already"
    if worrying := warned(event):
        return f"the evidence is a warning: {worrying[0].because}"
    if event.load is None:
        return "it is not known how many requests come"
    return pace.beyond(seen(rollout, event), share, budget(rollout)) or None


def _mirror(head: Head, rollout: Rollout, event: Looked, now: datetime, why: str) -> Decision:
    """Back to no live request; copies gather evidence for a bounded time."""
    if not isinstance(rollout.here, Canary):
        return _longer(head, rollout, event, now, why)
    rule = rollout.policy.too_little
    percent = rule.percent
    found = room_for(rollout, event, percent)
    if found is not None and not found.enough:
        return _ask(head, rollout, event, now, f"{why}; no copies: {found.sentence}")
    given = _given(rollout, now).model_copy(
        update={"mirror": percent, "limit_minutes": rule.minutes}
    )
    anew = rollout.model_copy(update={"further": given, "clock": StageClock()})
    told = f"{why}; no live request, but copies of {percent} % for {rule.minutes} minutes"
    return go_on(head, anew, now, told)


def _given(rollout: Rollout, now: datetime) -> Further:
    stage, rule = rollout.here, rollout.policy.too_little
    assert isinstance(stage, Mirror | Canary | Bake), stage
    return Further(kind=rule.then, since=now, limit_minutes=stage.longest_minutes + rule.minutes)


def _ask(head: Head, rollout: Rollout, _event: Looked, now: datetime, why: str) -> Decision:
    asked = question(rollout, f"{why}: go on?", Approval(), now)
    return ask_people(head, rollout, asked, now, why)


def _hold(head: Head, rollout: Rollout, _event: Looked, now: datetime, why: str) -> Decision:
    return hold(head, rollout, HoldCause.INCONCLUSIVE, why, now)


def _roll_back(head: Head, rollout: Rollout, _event: Looked, now: datetime, why: str) -> Decision:
    return back.roll_back(head, rollout, why, now)


_Way = Callable[[Head, Rollout, Looked, datetime, str], Decision]
_WAYS: Mapping[TooLittle, _Way] = {
    TooLittle.LONGER: _longer,
    TooLittle.NOTCH: _notch,
    TooLittle.MIRROR: _mirror,
    TooLittle.ASK: _ask,
    TooLittle.HOLD: _hold,
    TooLittle.ROLL_BACK: _roll_back,
}
