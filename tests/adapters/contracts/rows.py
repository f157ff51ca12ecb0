"""Whole valid rows, each from the one detail that matters."""

from datetime import datetime, timedelta

from rollout.analysis.report import Arm, Finding, Guard, Metric, Report, Verdict
from rollout.core.actions import SetTraffic
from rollout.core.endpoint import EndpointId
from rollout.core.head import Debt, Head, HistoryEntry, Refusal
from rollout.core.policy import Canary, Match, Policy, StageEntry
from rollout.core.rollout import Order, Phase, Rollout, StageClock
from rollout.core.traffic import Traffic
from tests.fakes import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def an_endpoint(name: str = "churn") -> EndpointId:
    return EndpointId(subscription="s", resource_group="rg", workspace="ml", name=name)


def a_policy() -> Policy:
    return Policy(
        match=Match(endpoint="churn"), stages=(StageEntry(canary=Canary(weight=5)),), schema=1
    )


def a_report() -> Report:
    guard = Guard(Metric.ERROR_RATE, worse_by_points=0.01)
    arm = Arm(1200, 1 / 3, bad=400)
    return Report((Finding(guard, Verdict.INCONCLUSIVE, "not enough requests", arm, arm, 3),))


def a_rollout(
    phase: Phase = Phase.MEASURING,
    name: str = "r1",
    endpoint: EndpointId | None = None,
    since: datetime = NOON,
) -> Rollout:
    return Rollout(
        id=name,
        order=Order(endpoint=endpoint or an_endpoint(), deployment="green", who="anna"),
        policy=a_policy(),
        policy_name="churn",
        minute=MINUTE,
        baseline="blue",
        phase=phase,
        started_at=NOON,
        phase_since=since,
        recorded=Traffic.all_to("blue"),
        before=Traffic.all_to("blue"),
        wanted=Traffic(live={"blue": 95, "green": 5}),
        observed=Traffic.all_to("blue"),
    )


def a_head(
    name: str = "churn", due_at: datetime | None = None, rollout: Rollout | None = None
) -> Head:
    return Head(endpoint=an_endpoint(name), due_at=due_at, rollout=rollout)


def a_full_head() -> Head:
    """One that uses every kind of column."""
    endpoint = an_endpoint()
    wish = SetTraffic(
        endpoint=endpoint, traffic=Traffic.all_to("green"), expect=None, canary="green"
    )
    return Head(
        endpoint=endpoint,
        generation=3,
        turn=7,
        rollout=a_rollout().model_copy(
            update={"report": a_report(), "clock": StageClock(since=NOON)}
        ),
        queued=Order(endpoint=endpoint, deployment="red", who="ci", why="build 12"),
        owed=(Debt(id="d1", action=wish, generation=3, not_before=NOON, last_error="409"),),
        due_at=NOON + timedelta(microseconds=1),
        seen=("a", "b"),
        refused=(Refusal(id="c", why="it is over: Zürich", at=NOON, live=True),),
        entries=2,
    )


def an_entry(number: int = 1, why: str = "5 % reached") -> HistoryEntry:
    return HistoryEntry(
        number=number,
        at=NOON,
        rollout_id="r1",
        event="looked",
        event_id=f"e{number}",
        who="rollout",
        before=Phase.SHIFTING,
        after=Phase.MEASURING,
        why=why,
        actions=("set traffic to blue 95 %, green 5 %",),
        numbers={"requests": 1200, "rate": 0.01, "arms": ["blue", "green"]},
    )
