"""What looks and plans read: endpoints, numbers, and who answers a guard that asks for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.once import Once
from rollout.wiring.azure import arm, credential, logs
from rollout.wiring.kept import policies, samples
from rollout.wiring.process import clock, settings

if TYPE_CHECKING:
    from rollout.adapters.azure.logs import LogMetrics
    from rollout.adapters.azure.monitor import MonitorMetrics
    from rollout.adapters.custom_guards import Answerer, GuardsByKind
    from rollout.adapters.outgoing import Outgoing
    from rollout.measuring import Sources


@Once
def sources() -> Sources:
    from rollout.adapters.azure.arm import ArmEndpoints
    from rollout.adapters.azure.scoring import PROBE_MAX, HttpScoring
    from rollout.adapters.written import written
    from rollout.measuring import Sources

    return Sources(
        endpoints=ArmEndpoints(arm(), settings().write_verb),
        metrics=metrics(),
        samples=samples(),
        policies=policies(),
        clock=clock(),
        logs=log_metrics(),
        custom=custom_guards(),
        scoring=HttpScoring(arm(), answer_max=PROBE_MAX),
        written=written(settings(), clock().minute, logs(), credential),
    )


@Once
def metrics() -> MonitorMetrics:
    from rollout.adapters.azure.batch import MetricsBatch
    from rollout.adapters.azure.monitor import MonitorMetrics

    known = settings()
    batch = MetricsBatch(arm(), known.metrics_url) if known.metrics_api == "batch" else None
    return MonitorMetrics(arm(), clock().minute, known.metrics_lag_minutes, batch)


@Once
def log_metrics() -> LogMetrics | None:
    client = logs()
    if client is None:
        return None
    from rollout.adapters.azure.logs import LogMetrics

    return LogMetrics(client, clock().minute, settings().logs_lag_minutes)


@Once
def custom_guards() -> GuardsByKind:
    """Over HTTP always; by KQL and of Prometheus where the settings name them."""
    from rollout.adapters.custom_guards import GuardsByKind
    from rollout.adapters.http_guard import HttpGuard
    from rollout.adapters.outgoing import Outgoing

    known, minute, client = settings(), clock().minute, logs()
    answerers: dict[str, Answerer] = {"http": HttpGuard(outgoing())}
    if client:
        from rollout.adapters.azure.kql_guard import KqlGuard

        answerers["kql"] = KqlGuard(client, minute, known.logs_lag_minutes)
    if known.prometheus_url:
        from rollout.adapters.prometheus import PrometheusGuard

        private = Outgoing(private=True)  # its address is a setting, not a policy's
        answerers["prometheus"] = PrometheusGuard(
            private, known.prometheus_url, minute, known.prometheus_token
        )
    return GuardsByKind(answerers)


@Once
def outgoing() -> Outgoing:
    """For addresses that people wrote into policies."""
    from rollout.adapters.outgoing import Outgoing

    return Outgoing(private=settings().outgoing_private)
