"""Which guards that ask for themselves this process can ask."""

from typing import TYPE_CHECKING

from rollout.adapters.custom_guards import Answerer, GuardsByKind
from rollout.adapters.http_guard import HttpGuard
from rollout.adapters.outgoing import Outgoing
from rollout.adapters.prometheus import PrometheusGuard

if TYPE_CHECKING:
    from datetime import timedelta

    from rollout.adapters.azure.logs import LogsClient
    from rollout.settings import Settings


def guards_of(
    known: "Settings", minute: "timedelta", outgoing: Outgoing, logs: "LogsClient | None"
) -> GuardsByKind:
    """Over HTTP always; by KQL and of Prometheus where the settings name them."""
    answerers: dict[str, Answerer] = {"http": HttpGuard(outgoing)}
    if logs:
        from rollout.adapters.azure.kql_guard import KqlGuard  # noqa: PLC0415 - only with logs

        answerers["kql"] = KqlGuard(logs, minute, known.logs_lag_minutes)
    if known.prometheus_url:
        private = Outgoing(private=True)  # its address is a setting, not a policy's
        answerers["prometheus"] = PrometheusGuard(
            private, known.prometheus_url, minute, known.prometheus_token
        )
    return GuardsByKind(answerers)
