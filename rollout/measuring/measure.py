"""What one look measures, from the one source that the rollout was given at its start."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from rollout.analysis.report import Report, Severity, Verdict
from rollout.analysis.samples import Samples as Counted
from rollout.core.copies import CopiesSeen
from rollout.core.endpoint import EndpointId, EndpointView
from rollout.core.machine.silence import too_long
from rollout.core.minutes import floor
from rollout.core.policy import Mirror, Policy
from rollout.core.rollout import Rollout
from rollout.core.source import NO_LOGS, Source, SourceFacts
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.measuring.answers import Answers, Paired, Written, unpaired, with_pairs
from rollout.measuring.copies import by_probes, copies_seen, told_by, unmeasured
from rollout.measuring.custom import Asked, CustomMinutes, untold
from rollout.measuring.minutes import Series, counted, heard
from rollout.measuring.prober import Prober, Probes
from rollout.measuring.verdict import judged, load
from rollout.ports import (
    Clock,
    CustomGuards,
    Endpoints,
    Metrics,
    Minutes,
    PolicyFiles,
    Samples,
    Scoring,
)

CHOICE_MINUTES = 30
"""So far back a start compares what the sources have."""

NOT_ASKED = "not asked: another guard has failed already"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a look reads from; `logs` where a Log Analytics workspace is set."""

    endpoints: Endpoints
    metrics: Metrics
    samples: Samples
    policies: PolicyFiles
    clock: Clock
    logs: Metrics | None = None
    custom: CustomGuards | None = None
    scoring: Scoring | None = None
    written: Written = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a look is judged on; `other` is the source that stands in for the rollout's own.

    `unseen`: the stage is a mirror, and no source counts its copies.
    """

    counted: Counted
    until: datetime | None
    other: Source | None = None
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Ours:
    """What recorded requests showed, and the pairs of answers, which may be the same."""

    probes: Probes
    paired: Paired


class Measuring:
    """Reads minutes and has them judged; changes nothing but the samples it has read."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._custom = CustomMinutes(sources.custom, sources.samples, sources.clock)
        self._prober = Prober(sources.scoring, sources.policies, sources.samples, sources.clock)
        self._answers = Answers(self._prober, sources.written, sources.samples, sources.clock)

    # -- the choice of a source ------------------------------------------------------------------

    def facts(self, view: EndpointView, policy: Policy) -> SourceFacts:
        """What a start needs to know of the sources; nothing is read where nothing is chosen."""
        cannot = (*self._custom.missing(policy.guards), *self._answers.missing(policy))
        logs, pairs = self._from.logs, self._answers.here
        chosen = policy.source == "auto" or not view.managed
        if logs is None or cannot or not chosen or policy.source == "metrics":
            return SourceFacts(logs=logs is not None, cannot=cannot, pairs=pairs)
        return self._heard_of(logs, view.id).model_copy(update={"pairs": pairs})

    def _heard_of(self, logs: Metrics, endpoint: EndpointId) -> SourceFacts:
        until = floor(self._from.clock.now() - logs.lag, self._from.clock.minute)
        try:
            logs_heard = self._asked_last(logs, endpoint, until)
        except RolloutError as no:
            return SourceFacts(logs=True, trouble=f"the logs cannot be read: {no}")
        try:
            metrics_heard = self._asked_last(self._from.metrics, endpoint, until)
        except RolloutError:  # then it cannot be the better source
            metrics_heard = None
        return SourceFacts(logs=True, logs_heard=logs_heard, metrics_heard=metrics_heard)

    def _asked_last(
        self, metrics: Metrics, endpoint: EndpointId, until: datetime
    ) -> datetime | None:
        """The end of the last minute with requests."""
        minute = self._from.clock.minute
        read = metrics.read(endpoint, until - CHOICE_MINUTES * minute, until)
        ends = [at + minute for at, arms in read.items() if any(c.requests for c in arms.values())]
        return max(ends, default=None)

    def lag(self, rollout: Rollout) -> timedelta:
        """How far behind the rollout's numbers are read."""
        if rollout.source is Source.GUARDS:
            return self._custom.lag(rollout.policy.guards)
        logs = self._from.logs if rollout.source is Source.LOGS else None
        return (logs or self._from.metrics).lag

    def metrics_instead(
        self, rollout: Rollout, view: EndpointView, heard_until: datetime | None
    ) -> datetime | None:
        """What metrics have heard; asked only where `auto` chose logs and they are silent."""
        if rollout.source is not Source.LOGS or rollout.policy.source != "auto" or not view.managed:
            return None
        now, lag = self._from.clock.now(), self.lag(rollout)
        if heard_until is not None and now - heard_until <= too_long(rollout, lag):
            return None
        until = floor(now - self._from.metrics.lag, rollout.minute)
        try:
            return self._asked_last(self._from.metrics, rollout.endpoint, until)
        except RolloutError:
            return None

    # -- a look ----------------------------------------------------------------------------------

    def take(
        self, rollout: Rollout, view: EndpointView, copies: Mapping[Source, bool] | None = None
    ) -> Mapping[str, Any]:
        """Read what is new and judge all of it: fields of `Looked`.

        `copies` tells in which sources mirrored requests are known to appear, or not. Custom guards
        and the prober are asked last, and not at all where the others have given it back already.
        """
        read, until = self._minutes(rollout, rollout.source)
        probes = self._prober.known(rollout)
        found = counted(rollout, read, until) if until else Counted()
        taken: dict[str, Any] = {
            "load": load(rollout, read),
            "readable_until": until,
            "heard_until": heard(found, rollout.minute),
            "copies": copies_seen(rollout, rollout.source, found, probes),
        }
        grounds = Grounds(found, until)
        if isinstance(rollout.here, Mirror) and (copies or {}).get(rollout.source) is False:
            grounds = self._instead(rollout, copies or {}, grounds)
            taken |= {"copies": (*taken["copies"], *self._seen(rollout, grounds, probes))}
        ours = Ours(probes, self._answers.known(rollout, probes))
        alone = self._report(rollout, grounds, ours, {}, managed=view.managed)
        names = [guard.title for guard in rollout.policy.guards if guard.custom]
        if _gives_back(alone):
            asked = Asked(untold=dict.fromkeys(names, NOT_ASKED))
            return {**taken, "report": untold(alone, asked)}
        if not names and rollout.policy.agreement is None:
            return {**taken, "readable_until": grounds.until, "report": alone}
        asked = self._custom.ask(rollout)
        ours = Ours(*self._answers.ask(rollout, probes, unseen=grounds.unseen))
        report = self._report(rollout, grounds, ours, asked.samples, managed=view.managed)
        return {
            **taken,
            "report": unpaired(untold(report, asked), ours.paired),
            "pairs": ours.paired.seen,
            **_watermarks(rollout, grounds.until, asked, ours.paired, taken),
        }

    def _instead(self, rollout: Rollout, copies: Mapping[Source, bool], own: Grounds) -> Grounds:
        """By what a mirror stage is judged whose copies the rollout's own source does not count."""
        other = Source.METRICS if rollout.source is Source.LOGS else Source.LOGS
        unseen = replace(own, unseen=True)
        if self._from.logs is None or copies.get(other) is False:
            return unseen
        try:
            read, until = self._minutes(rollout, other)
        except RolloutError:
            return unseen
        return Grounds(counted(rollout, read, until), until, other) if until else unseen

    def _seen(self, rollout: Rollout, grounds: Grounds, probes: Probes) -> tuple[CopiesSeen, ...]:
        if grounds.other is None:
            return ()
        return copies_seen(rollout, grounds.other, grounds.counted, probes)

    def _report(
        self,
        rollout: Rollout,
        grounds: Grounds,
        ours: Ours,
        custom: Mapping[str, Counted],
        *,
        managed: bool,
    ) -> Report:
        """The judge's report on them, with the words where they are not the rollout's own."""
        agreement = rollout.policy.agreement
        by_ours = grounds.unseen and agreement is not None and agreement.requests is not None
        found = by_probes(rollout, ours.probes) if by_ours else grounds.counted
        found = with_pairs(found, rollout, ours.paired)
        report = judged(rollout, found, custom, managed=managed)
        if by_ours:
            return told_by(report, "recorded requests")
        if grounds.unseen:
            return unmeasured(report, rollout.source)
        return told_by(report, grounds.other) if grounds.other else report

    def _minutes(self, rollout: Rollout, source: Source) -> tuple[Minutes, datetime | None]:
        """Everything readable so far of that source; None: there is none but the guards."""
        if source is Source.GUARDS:
            return {}, None
        metrics = self._from.logs if source is Source.LOGS else self._from.metrics
        if metrics is None:
            raise Refused(f"the rollout's numbers come from logs, and {NO_LOGS}")
        until = floor(self._from.clock.now() - metrics.lag, rollout.minute)
        started = floor(rollout.started_at, rollout.minute)
        series = Series(
            self._from.samples, rollout.endpoint.key, metrics.source, rollout.minute, started, until
        )
        known = series.known()
        try:
            fresh = series.with_news(
                known, lambda since, until: metrics.read(rollout.endpoint, since, until)
            )
        except Unavailable:  # a gap for now; silence is the machine's business
            return known, until
        return fresh, until


def _gives_back(report: Report) -> bool:
    return any(
        one.verdict is Verdict.FAIL and one.guard.severity is Severity.FAIL
        for one in report.findings
    )


def _watermarks(
    rollout: Rollout,
    until: datetime | None,
    asked: Asked,
    paired: Paired,
    taken: Mapping[str, Any],
) -> Mapping[str, datetime | None]:
    """All that counts must have come so far; without a source the guards are what is heard."""
    alone = rollout.source is Source.GUARDS
    last = paired.last(rollout) if alone else None
    ends = [one for one in (until, asked.readable_until) if one]
    told = [one for one in (asked.heard_until, last) if one]
    return {
        "readable_until": min(ends, default=last),
        "heard_until": max(told, default=None) if alone else taken["heard_until"],
    }
