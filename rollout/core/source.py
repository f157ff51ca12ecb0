"""Where a rollout's numbers come from: chosen once at its start, by what can be read there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from rollout.analysis.report import ANSWERS, Guard, Severity
from rollout.core.endpoint import EndpointView
from rollout.core.frozen import Frozen
from rollout.core.pairs_from import PairsFrom
from rollout.core.policy import Policy


class Source(StrEnum):
    """One for a whole rollout; minutes of two are never compared."""

    METRICS = "metrics"  # Azure Monitor's platform metrics: soon there, percentiles only
    LOGS = "logs"  # the traffic log in Log Analytics: exact rows, later
    GUARDS = "guards"  # only what the policy's own guards ask


class SourceFacts(Frozen):
    """What a start found out about the sources; `heard` ends the last minute with requests.

    Both are read up to the same minute, the last one that the logs should have.
    """

    logs: bool = Field(default=False, description="whether a Log Analytics workspace is set")
    logs_heard: datetime | None = None
    metrics_heard: datetime | None = None
    trouble: str | None = Field(None, description="why the logs could not be read")
    pairs: frozenset[PairsFrom] = Field(
        frozenset({PairsFrom.PROBER}), description="where pairs of answers may come from here"
    )
    cannot: tuple[str, ...] = Field((), description="custom guards that cannot be asked here")


@dataclass(frozen=True, slots=True)
class Choice:
    """The source and why, where there was something to choose; or why nothing can be measured."""

    source: Source | None
    why: str = ""


NO_LOGS = (
    "this controller knows no Log Analytics workspace: set ROLLOUT_LOGS_WORKSPACE, or write"
    " source: auto"
)


def choose(policy: Policy, view: EndpointView, facts: SourceFacts) -> Choice:
    """Choose by what was found; no source at all is a refusal, with the remedy."""
    if facts.cannot:
        return Choice(None, "; ".join(facts.cannot))
    if policy.source == "logs" and not facts.logs:
        return Choice(None, f"the policy takes its numbers from logs, and {NO_LOGS}")
    if not view.managed:
        return _of_kubernetes(policy, view, facts)
    return _OF_MANAGED[policy.source](facts)


def _by_evidence(facts: SourceFacts) -> Choice:
    """`auto`: logs where their last minute is as late as that of metrics."""
    if not facts.logs:
        return Choice(Source.METRICS)
    if facts.trouble:
        return Choice(Source.METRICS, f"numbers from metrics: {facts.trouble}")
    if facts.logs_heard is None:
        return Choice(Source.METRICS, "numbers from metrics: the logs have no minute of it")
    if facts.metrics_heard and facts.logs_heard < facts.metrics_heard:
        late = f"the logs end at {facts.logs_heard:%H:%M}, metrics at {facts.metrics_heard:%H:%M}"
        return Choice(Source.METRICS, f"numbers from metrics: {late}")
    return Choice(Source.LOGS, "numbers from logs: they arrive in time")


_OF_MANAGED: dict[str, Callable[[SourceFacts], Choice]] = {
    "metrics": lambda _: Choice(Source.METRICS),
    "logs": lambda _: Choice(Source.LOGS, "numbers from logs: the policy says so"),
    "auto": _by_evidence,
}


def _of_kubernetes(policy: Policy, view: EndpointView, facts: SourceFacts) -> Choice:
    """Azure Monitor has no metrics of it: logs that were seen, or the policy's own guards."""
    if policy.source != "metrics" and facts.logs_heard:
        return Choice(Source.LOGS, "numbers from logs: a Kubernetes endpoint has no metrics")
    counting = [guard for guard in policy.guards if guard.severity is not Severity.WATCH]
    own = [guard for guard in counting if guard.custom or guard.metric in ANSWERS]
    unmeasured = [guard for guard in counting if guard not in own]
    if not unmeasured:
        names = _titles(counting)
        return Choice(Source.GUARDS, f"numbers from the policy's own guards alone: {names}")
    logs = "the logs have no row of it" if facts.logs else "no logs are set up"
    why = (
        f"{view.id} is a Kubernetes endpoint: Azure has no metrics of it to judge by, and"
        f" {facts.trouble or logs}; name only guards of your own in the policy (kql, prometheus,"
        f" http), not {_titles(unmeasured)}, or bring its traffic log to Log Analytics"
    )
    return Choice(None, why)


def _titles(guards: list[Guard]) -> str:
    return ", ".join(dict.fromkeys(guard.title for guard in guards))
