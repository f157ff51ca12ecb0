"""Rollouts as a controller tells them: whole valid ones, from the one detail that matters."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rollout.analysis.report import Arm, Finding, Guard, Metric, Severity, Verdict
from rollout.core.head import HistoryEntry
from rollout.core.rollout import Outcome, Phase
from rollout.core.traffic import Traffic
from rollout.views import RolloutView, StageView

Json = dict[str, Any]

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ID = "churn-0a1b2c3d4e-3"
ARM_ID = (
    "/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices"
    "/workspaces/contoso/onlineendpoints/churn"
)
BLUE = Traffic(live={"blue": 100})
QUARTER = Traffic(live={"blue": 75, "green": 25})
GREEN = Traffic(live={"green": 100})

_STAGES: Mapping[str, tuple[float, float] | None] = {
    "smoke": None,
    "mirror 20 %": (300, 1800),
    "canary 5 %": (300, 3600),
    "canary 25 %": (300, 3600),
    "approval": None,
    "canary 95 %": (300, 3600),
    "bake 100 %": (1800, 7200),
}


def stages(here: int) -> tuple[StageView, ...]:
    return tuple(
        StageView(
            index=index,
            name=name,
            state="done" if index < here else "here" if index == here else "ahead",
            shortest_seconds=times[0] if times else None,
            longest_seconds=times[1] if times else None,
        )
        for index, (name, times) in enumerate(_STAGES.items())
    )


def finding(verdict: Verdict, because: str, metric: Metric = Metric.ERROR_RATE) -> Finding:
    if metric is Metric.ERROR_RATE:
        guard = Guard(metric, worse_by_ratio=1.25)
        return Finding(guard, verdict, because, Arm(2841, 0.0042, 12), Arm(8523, 0.004, 34), 3)
    guard = Guard(metric, worse_by_ratio=1.1, severity=Severity.HOLD)
    return Finding(guard, verdict, because, Arm(2841, 183.4), Arm(8523, 181.2), 3)


GOOD = (
    finding(Verdict.PASS, "error rate worse by -0.10% to +0.05%, 0.10% allowed"),
    finding(Verdict.INCONCLUSIVE, "latency p95: 159 more requests needed", Metric.LATENCY_P95),
)
BAD = (finding(Verdict.FAIL, "error rate worse by +4.59% to +5.44%, 0.10% allowed"), GOOD[1])


def a_view(**changes: Any) -> Json:
    """A canary at 25 %, measured for 3:12, all well."""
    view = RolloutView(
        id=ID,
        endpoint="contoso/churn",
        endpoint_id=ARM_ID,
        canary="green",
        baseline="blue",
        policy="churn",
        policy_version="3f2a91c04d7e",  # pragma: allowlist secret
        phase=Phase.MEASURING,
        outcome=None,
        stages=stages(3),
        stage=3,
        started_at=NOON - timedelta(minutes=31),
        phase_since=NOON,
        who="anna",
        why="release 41",
        recorded=BLUE,
        wanted=QUARTER,
        observed=QUARTER,
        elapsed_seconds=192,
        minute_seconds=60,
        readable_until=NOON,
        findings=GOOD,
        waits_for="for the verdict on canary 25 %",
        needs_person=False,
        next_look_at=NOON + timedelta(seconds=20),
    )
    return RolloutView.model_validate({**view.model_dump(), **changes}).model_dump(mode="json")


def approving(**changes: Any) -> Json:
    return a_view(
        phase=Phase.APPROVING,
        stage=4,
        stages=stages(4),
        findings=(),
        waits_for="for people: go on to canary 95 %?",
        needs_person=True,
        remedy="rollout approve churn   (or: rollout reject churn)",
        **changes,
    )


def stuck_rollback() -> Json:
    trouble = "Azure refuses to set traffic to blue 100 %: quota. Run: az ml online-endpoint update"
    return a_view(
        phase=Phase.ROLLING_BACK,
        wanted=BLUE,
        findings=BAD,
        waits_for="for the endpoint to show blue 100 % again",
        needs_person=True,
        trouble=trouble,
        remedy=trouble,
        owed=[
            {
                "action": "set traffic to blue 100 %",
                "attempts": 7,
                "next_at": NOON + timedelta(seconds=5),
                "last_error": "409: the endpoint is being updated",
            }
        ],
    )


_ENDS: Mapping[Outcome, tuple[Phase, Traffic]] = {
    Outcome.PROMOTED: (Phase.PROMOTED, GREEN),
    Outcome.ROLLED_BACK: (Phase.ROLLED_BACK, BLUE),
    Outcome.ABORTED: (Phase.ROLLED_BACK, BLUE),
    Outcome.SUPERSEDED: (Phase.ROLLED_BACK, BLUE),
    Outcome.UNDONE: (Phase.ROLLED_BACK, BLUE),
    Outcome.REFUSED: (Phase.REFUSED, BLUE),
}


def ended(outcome: Outcome, **changes: Any) -> Json:
    phase, traffic = _ENDS[outcome]
    return a_view(
        phase=phase,
        outcome=outcome,
        wanted=traffic,
        observed=traffic,
        waits_for="nothing: it is over",
        next_look_at=None,
        **{"findings": (), **changes},
    )


def entry(number: int, why: str, **changes: Any) -> Json:
    made = HistoryEntry(
        number=number,
        at=NOON + timedelta(seconds=number),
        rollout_id=ID,
        event="Looked",
        event_id=f"look:{number}",
        who="rollout",
        before=Phase.MEASURING,
        after=Phase.MEASURING,
        stage="canary 25 %",
        why=why,
    )
    return made.model_copy(update=changes).model_dump(mode="json")


HISTORY = (
    entry(
        1,
        "anna starts green against blue under churn",
        event="StartRequested",
        who="anna",
        before=Phase.IDLE,
        after=Phase.PREPARING,
        stage="smoke",
        actions=("mark the endpoint as worked on by this installation",),
    ),
    entry(
        2,
        "canary 5 % passed: error rate worse by -0.10% to +0.05%, 0.10% allowed",
        after=Phase.SHIFTING,
        actions=("set traffic to blue 75 %, green 25 %",),
        numbers={
            "seen": {"live": {"blue": 95, "green": 5}, "mirror": {}},
            "readable_until": NOON.isoformat(),
            "findings": [
                {
                    "metric": "error_rate",
                    "severity": "fail",
                    "verdict": "pass",
                    "because": "error rate worse by -0.10% to +0.05%, 0.10% allowed",
                }
            ],
        },
    ),
)
