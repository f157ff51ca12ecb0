"""Whole valid things of the core, each made from the one detail that matters."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rollout.analysis.report import Arm, Finding, Guard, Metric, Report, Severity, Verdict
from rollout.core.actions import AskHook, SetTraffic
from rollout.core.endpoint import DeploymentView, EndpointId, EndpointView, Provisioning
from rollout.core.events import Looked, RetryRequested, StartRequested
from rollout.core.freeze import Freeze, Window
from rollout.core.head import Head
from rollout.core.machine.decision import Decision
from rollout.core.machine.stages import goal
from rollout.core.patience import Then
from rollout.core.policy import Policy
from rollout.core.rollout import (
    Asked,
    Hold,
    HoldCause,
    Order,
    Outcome,
    Phase,
    Rollback,
    Rollout,
    Share,
    StageClock,
)
from rollout.core.traffic import Traffic
from rollout.core.way_back import WayBack
from tests.fakes import NOON

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
BLUE = Traffic.all_to("blue")
GREEN = Traffic.all_to("green")
ON_TRIAL = (
    Phase.PREPARING,
    Phase.SMOKING,
    Phase.SHIFTING,
    Phase.MEASURING,
    Phase.HOLDING,
    Phase.APPROVING,
)
"""The phases in which it is open whether the canary gets all traffic."""

StageText = dict[str, dict[str, Any]]

SMOKE: StageText = {"smoke": {"requests": "smoke/churn.jsonl"}}
MIRROR: StageText = {"mirror": {"percent": 20}}
CANARY_5: StageText = {"canary": {"weight": 5}}
CANARY_25: StageText = {"canary": {"weight": 25}}
APPROVAL: StageText = {"approval": {"by": ["anna", "ben"], "deadline_minutes": 60}}
BAKE: StageText = {"bake": {}}
DELETE: StageText = {"retire": {"baseline": "delete"}}
SCALE: StageText = {"retire": {"scale_to": 1}}
KEEP: StageText = {"retire": {}}


def split(green: int, **others: int) -> Traffic:
    """Green has so much; blue has the rest."""
    return Traffic(live={"green": green, "blue": 100 - green - sum(others.values()), **others})


def mirrored(percent: int = 20) -> Traffic:
    return BLUE.mirrored_to("green", percent)


def an_endpoint(name: str = "churn") -> EndpointId:
    return EndpointId(subscription="s", resource_group="rg", workspace="ml", name=name)


def a_policy(*stages: StageText, **rules: Any) -> Policy:
    """The stages as they are written, and the rules that differ from the defaults."""
    text = {"match": {"endpoint": "churn"}, "stages": stages or (CANARY_5, CANARY_25), **rules}
    return Policy.model_validate(text)


def an_order(deployment: str = "green", **details: Any) -> Order:
    return Order.model_validate(
        {"endpoint": an_endpoint(), "deployment": deployment, "who": "ci", **details}
    )


# -- the endpoint ------------------------------------------------------------------------------


def a_view(traffic: Traffic = BLUE, **details: Any) -> EndpointView:
    """What a GET shows; each deployment by its name: whole, by its state, or None: not there."""
    names: dict[str, DeploymentView | Provisioning | None] = dict.fromkeys(
        ("blue", "green", *traffic.live), Provisioning.SUCCEEDED
    )
    names |= {name: details.pop(name) for name in ("blue", "green", "red") if name in details}
    deployments = {
        name: one if isinstance(one, DeploymentView) else a_deployment(name, one)
        for name, one in names.items()
        if one is not None
    }
    there = {"id": an_endpoint(), "state": Provisioning.SUCCEEDED, "deployments": deployments}
    return EndpointView.model_validate({**there, "traffic": traffic, **details})


def a_deployment(
    name: str = "green",
    state: Provisioning = Provisioning.SUCCEEDED,
    fingerprint: str = "v1",
    instances: int = 2,
) -> DeploymentView:
    return DeploymentView(name=name, state=state, fingerprint=fingerprint, instances=instances)


def looked(traffic: Traffic | EndpointView = BLUE, report: Report | None = None) -> Looked:
    """A look that shows this; nothing is said of the metrics."""
    view = traffic if isinstance(traffic, EndpointView) else a_view(traffic)
    return Looked(id="look", view=view, report=report)


def measured(
    traffic: Traffic | EndpointView, report: Report | None, at: datetime, lag: timedelta = SECOND
) -> Looked:
    """A look at that time, with metrics readable up to their lag."""
    readable = {"readable_until": at - lag, "heard_until": at - lag, "lag": lag}
    return looked(traffic, report).model_copy(update=readable)


# -- what the judge says -----------------------------------------------------------------------


def a_finding(verdict: Verdict, severity: Severity = Severity.FAIL) -> Finding:
    guard = Guard(Metric.ERROR_RATE, worse_by_points=0.01, severity=severity)
    arm = Arm(requests=1000, value=0.01, bad=10)
    return Finding(guard, verdict, f"error rate {verdict.name}", arm, arm, 5)


def found(verdict: Verdict, severity: Severity = Severity.FAIL) -> Report:
    return Report((a_finding(verdict, severity),))


PASS = found(Verdict.PASS)
FAIL = found(Verdict.FAIL)
INCONCLUSIVE = found(Verdict.INCONCLUSIVE)
NOT_MEASURED = found(Verdict.NOT_MEASURED)


# -- the rollout -------------------------------------------------------------------------------


def a_rollout(
    phase: Phase = Phase.MEASURING,
    stage: int = 0,
    policy: Policy | None = None,
    **changes: Any,
) -> Rollout:
    """Green against blue, in that phase of that stage since noon, with the stage's map in place."""
    born = Rollout(
        id="churn-1",
        order=an_order(),
        policy=policy or a_policy(),
        policy_name="churn",
        minute=MINUTE,
        baseline="blue",
        phase=phase,
        started_at=NOON,
        phase_since=NOON,
        stage=stage,
        recorded=BLUE,
        before=BLUE,
        wanted=BLUE,
        observed=BLUE,
        fingerprints={} if phase is Phase.PREPARING else {"blue": "v1", "green": "v1"},
    )
    maps = _maps(born.model_copy(update=changes))
    return born.model_copy(update={**maps, **_of_phase(born), **changes})


def _maps(rollout: Rollout) -> Mapping[str, Traffic]:
    if rollout.phase in {Phase.PREPARING, Phase.ROLLED_BACK, Phase.REFUSED}:
        return {}
    if rollout.phase is Phase.ROLLING_BACK:
        wish = goal(rollout)
        return {"before": wish, "observed": wish, "wanted": rollout.recorded}
    wish = goal(rollout)
    return {"wanted": wish, "observed": BLUE if rollout.phase is Phase.SHIFTING else wish}


def _of_phase(rollout: Rollout) -> Mapping[str, Any]:
    at = rollout.phase_since
    share = Share(since=at, percent=5, stage="canary 5 %")
    seen = {"share_since": at, "shares": (share,), "evidence_since": at}
    back = Rollback(outcome=Outcome.ROLLED_BACK, why="it failed", who="rollout", decided_at=at)
    over = back.model_copy(update={"seen_at": at})
    details: Mapping[Phase, Mapping[str, Any]] = {
        Phase.SHIFTING: {"asked_at": at, "asked_times": 1},
        Phase.MEASURING: {**seen, "clock": StageClock(since=at)},
        Phase.HOLDING: {**seen, "hold": a_hold()},
        Phase.APPROVING: {"asked": a_question()},
        Phase.ROLLING_BACK: {"rollback": back, "asked_at": at},
        Phase.ROLLED_BACK: {"rollback": over, "before": split(5)},
    }
    return details.get(rollout.phase, {})


def a_hold(
    cause: HoldCause = HoldCause.PAUSED,
    during: Phase = Phase.MEASURING,
    until: datetime | None = None,
    then: Then | None = None,
) -> Hold:
    return Hold(
        cause=cause, why=f"{cause} it is", since=NOON, during=during, until=until, then=then
    )


def a_question(quorum: int = 1, then: Then = Then.ROLL_BACK, **details: Any) -> Asked:
    asked = {"by": ("anna", "ben"), "deadline": NOON + 60 * MINUTE, "question": "go on?"}
    return Asked.model_validate({**asked, "quorum": quorum, "then": then, **details})


def a_question_to(hook: str, **details: Any) -> AskHook:
    """Whether green may have a quarter of the traffic, where it has five percent."""
    known = {"endpoint": an_endpoint(), "rollout_id": "churn-1", "hook": hook, "canary": "green"}
    stage = {"baseline": "blue", "stage": "canary 25 %", "traffic": split(5)}
    return AskHook.model_validate({**known, **stage, "timeout_seconds": 5, "retries": 3, **details})


def a_head(rollout: Rollout | None = None, **changes: Any) -> Head:
    """An endpoint with that rollout on it."""
    generation = 1 if rollout else 0
    head = Head(endpoint=an_endpoint(), generation=generation, rollout=rollout)
    return head.model_copy(update=changes)


def started(deployment: str = "green", **details: Any) -> StartRequested:
    """A wish to roll out; `order` details beside those of the event."""
    order = {name: details.pop(name) for name in ("adopt", "take_over", "who") if name in details}
    event = {
        "id": "start",
        "order": an_order(deployment, **order),
        "policy": a_policy(),
        "policy_name": "churn",
        "view": a_view(),
        "owner": "here",
    }
    return StartRequested.model_validate({**event, **details})


def retried(**details: Any) -> RetryRequested:
    event = started(**details).model_dump(by_alias=True, exclude={"type"})
    return RetryRequested.model_validate(event)


# -- answers -----------------------------------------------------------------------------------


def set_traffic(traffic: Traffic, expect: Traffic | None, recorded: Traffic = BLUE) -> SetTraffic:
    back = WayBack(rollout_id="churn-1", canary="green", traffic=recorded)
    way_back = back if expect is not None else None
    return SetTraffic(
        endpoint=an_endpoint(), traffic=traffic, expect=expect, canary="green", way_back=way_back
    )


def told(decision: Decision) -> tuple[Any, ...]:
    """The whole answer: the phase it leads to, what is to be done, and why."""
    return decision.head.phase, decision.actions, decision.why


def turned_away(decision: Decision) -> str:
    """Why nothing changes."""
    assert not decision.taken
    assert decision.actions == ()
    return decision.why


def rollout_of(decision: Decision) -> Rollout:
    assert decision.head.rollout is not None
    return decision.head.rollout


def frozen(head: Head) -> Head:
    """The same where the rollout's calendar says that nothing may begin, for a hundred years."""
    assert head.rollout, head
    freeze = Freeze(windows=(Window(dates="2020-01-01 - 2119-12-31", name="a long winter"),))
    policy = head.rollout.policy.model_copy(update={"freeze": freeze})
    rollout = head.rollout.model_copy(update={"policy": policy})
    return head.model_copy(update={"rollout": rollout})
