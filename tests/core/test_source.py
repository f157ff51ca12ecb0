"""Where a rollout's numbers come from: the choice at its start, and the one change there is."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from rollout.core.endpoint import EndpointView
from rollout.core.machine.decide import decide
from rollout.core.policy import Policy
from rollout.core.rollout import HoldCause, Phase
from rollout.core.source import Choice, Source, SourceFacts, choose
from tests.builders import (
    MINUTE,
    PASS,
    a_head,
    a_hold,
    a_policy,
    a_rollout,
    a_view,
    looked,
    rollout_of,
    split,
    started,
    turned_away,
)
from tests.fakes import NOON

OWN = ({"name": "ready", "http": "https://checks.example.com/"},)
WATCHED = (*OWN, {"metric": "error_rate", "at_most": 0.1, "severity": "watch"})
KUBERNETES = a_view(managed=False)
BOTH = SourceFacts(logs=True, logs_heard=NOON, metrics_heard=NOON)


@pytest.mark.parametrize(
    ("policy", "facts", "source", "why"),
    [
        (a_policy(), SourceFacts(), Source.METRICS, ""),
        (a_policy(source="metrics"), BOTH, Source.METRICS, ""),
        (a_policy(source="logs"), SourceFacts(logs=True), Source.LOGS, "the policy says so"),
        (a_policy(), BOTH, Source.LOGS, "they arrive in time"),
        (
            a_policy(),
            SourceFacts(logs=True, logs_heard=NOON),
            Source.LOGS,
            "they arrive in time",
        ),
        (
            a_policy(),
            SourceFacts(logs=True, logs_heard=NOON - MINUTE, metrics_heard=NOON),
            Source.METRICS,
            "the logs end at 11:59, metrics at 12:00",
        ),
        (
            a_policy(),
            SourceFacts(logs=True, metrics_heard=NOON),
            Source.METRICS,
            "the logs have no minute of it",
        ),
        (a_policy(), SourceFacts(logs=True), Source.METRICS, "the logs have no minute of it"),
        (
            a_policy(),
            SourceFacts(logs=True, trouble="the logs cannot be read: 403"),
            Source.METRICS,
            "the logs cannot be read: 403",
        ),
    ],
)
def test_a_managed_endpoint_has_metrics_at_the_least(
    policy: Policy, facts: SourceFacts, source: Source, why: str
) -> None:
    choice = choose(policy, a_view(), facts)

    assert choice.source is source
    assert choice.why.endswith(why)


@pytest.mark.parametrize(
    ("policy", "facts", "source"),
    [
        (a_policy(), BOTH, Source.LOGS),
        (a_policy(source="logs"), BOTH, Source.LOGS),
        (a_policy(guards=OWN), SourceFacts(), Source.GUARDS),
        (a_policy(guards=WATCHED), SourceFacts(logs=True), Source.GUARDS),
        (a_policy(guards=OWN), BOTH, Source.LOGS),
        (a_policy(guards=OWN, source="metrics"), BOTH, Source.GUARDS),
        (a_policy(), SourceFacts(), None),
        (a_policy(), SourceFacts(logs=True), None),
        (a_policy(source="metrics"), BOTH, None),
        (a_policy(guards=(*OWN, {"metric": "error_rate", "at_most": 0.1})), SourceFacts(), None),
    ],
)
def test_a_kubernetes_endpoint_needs_something_that_can_measure_it(
    policy: Policy, facts: SourceFacts, source: Source | None
) -> None:
    assert choose(policy, KUBERNETES, facts).source is source


def test_a_refusal_names_what_cannot_be_measured_and_the_remedy() -> None:
    event = started(view=KUBERNETES, sources=SourceFacts(logs=True))

    assert turned_away(decide(a_head(), event, NOON)) == (
        "ml/churn is a Kubernetes endpoint: Azure has no metrics of it to judge by, and the logs"
        " have no row of it; name only guards of your own in the policy (kql, prometheus, http),"
        " not error_rate, latency_p95, unavailable_rate, platform_rate, or bring its traffic log to"
        " Log Analytics"
    )


@pytest.mark.parametrize("view", [a_view(), KUBERNETES], ids=["managed", "kubernetes"])
def test_logs_that_are_not_set_up_are_refused_with_the_remedy(view: EndpointView) -> None:
    event = started(policy=a_policy(source="logs"), view=view)

    why = turned_away(decide(a_head(), event, NOON))

    assert why.startswith("the policy takes its numbers from logs, and this controller knows no")
    assert "ROLLOUT_LOGS_WORKSPACE" in why


def test_a_guard_that_nobody_can_answer_is_refused_at_the_start() -> None:
    facts = SourceFacts(cannot=("guard slow: no Prometheus is set", "guard late: no logs"))

    why = turned_away(decide(a_head(), started(sources=facts), NOON))

    assert why == "guard slow: no Prometheus is set; guard late: no logs"


def test_the_choice_is_kept_and_told() -> None:
    decision = decide(a_head(), started(sources=BOTH), NOON)

    assert rollout_of(decision).source is Source.LOGS
    assert decision.why == (
        "ci starts green against blue under churn; numbers from logs: they arrive in time"
    )


def test_a_row_of_before_has_metrics() -> None:
    row = a_rollout().model_dump(mode="json", by_alias=True, exclude={"source"})

    assert type(a_rollout()).model_validate(row).source is Source.METRICS


def test_no_source_has_no_choice_without_a_sentence() -> None:
    assert choose(a_policy(), KUBERNETES, SourceFacts()) != Choice(None)


# -- the change ------------------------------------------------------------------------------------

LAG = 10 * MINUTE


def silent_look(at: datetime, metrics: datetime | None, heard: datetime | None = None) -> Any:
    """A look in which the logs have come to nothing since they were last heard."""
    told = {"lag": LAG, "heard_until": heard, "metrics_heard_until": metrics, "report": PASS}
    return looked(split(5)).model_copy(update=told)


def on_logs(phase: Phase = Phase.MEASURING, **details: Any) -> Any:
    policy = details.pop("policy", a_policy())
    return a_head(a_rollout(phase, policy=policy, source=Source.LOGS, **details))


def test_logs_that_fall_silent_give_way_to_metrics_and_the_stage_begins_again() -> None:
    now = NOON + 31 * MINUTE

    decision = decide(on_logs(), silent_look(now, now - 2 * MINUTE), now)

    rollout = rollout_of(decision)
    assert (rollout.phase, rollout.source, rollout.stage) == (Phase.MEASURING, Source.METRICS, 0)
    assert (rollout.evidence_since, rollout.share_since, rollout.report) == (now, now, None)
    assert rollout.clock.elapsed(now) == timedelta(0)
    assert decision.why == (
        "no logs for 31 minutes, and metrics go on: canary 5 % starts again with numbers from"
        " metrics"
    )


@pytest.mark.parametrize(
    ("head", "minutes", "metrics"),
    [
        (on_logs(), 29, NOON + 27 * MINUTE),
        (on_logs(policy=a_policy(source="logs")), 31, NOON + 29 * MINUTE),
        (a_head(a_rollout()), 31, NOON + 29 * MINUTE),
        (on_logs(), 31, None),
        (on_logs(), 31, NOON),
        (on_logs(Phase.HOLDING), 31, NOON + 29 * MINUTE),
    ],
    ids=["not long", "asked for", "on metrics", "none", "as silent", "paused"],
)
def test_otherwise_the_source_stays(head: Any, minutes: int, metrics: datetime | None) -> None:
    now = NOON + minutes * MINUTE
    before = head.rollout

    decision = decide(head, silent_look(now, metrics), now)

    assert rollout_of(decision).source is before.source
    assert rollout_of(decision).evidence_since == before.evidence_since


def test_a_hold_for_want_of_logs_ends_when_metrics_are_heard() -> None:
    now = NOON + 35 * MINUTE
    head = on_logs(Phase.HOLDING, hold=a_hold(HoldCause.NO_DATA))

    decision = decide(head, silent_look(now, now - 2 * MINUTE), now)

    assert rollout_of(decision).phase is Phase.MEASURING
    assert rollout_of(decision).source is Source.METRICS
