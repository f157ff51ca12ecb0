"""What the controller knows of an endpoint's past: its usual traffic, and a rollout's minutes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollout.analysis.samples import Counts, Pairs
from rollout.core.endpoint import EndpointId, EndpointView
from rollout.core.guards import source_of
from rollout.core.pairs_from import JOINED
from rollout.core.policy import Kind, Policy
from rollout.core.rollout import Rollout, Share
from rollout.core.source import NO_LOGS, Source
from rollout.errors import Conflict
from rollout.measuring.answers import joined
from rollout.measuring.prober import Probes, probed
from rollout.ports import Clock, Endpoints, Metrics, Samples
from rollout.rehearsal.recording import (
    EPOCH,
    MINUTES_MAX,
    BaselineMinute,
    CustomMinute,
    RecordedMinute,
    Recording,
)
from rollout.rehearsal.traffic import HISTORY_MINUTES, TrafficView, counted, terms_of

Arms = Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class Memory:
    """Reads and changes nothing."""

    endpoints: Endpoints
    metrics: Metrics
    samples: Samples
    clock: Clock
    logs: Metrics | None = None

    def traffic(self, endpoint: EndpointId, policy: Policy) -> TrafficView:
        """The last two hours of the endpoint's baseline.

        Raises Conflict where there is no baseline or no request; what the ports raise goes on.
        """
        view = self.endpoints.read(endpoint)
        baseline = _baseline(view, policy)
        metrics = self._planned_on(view, policy)
        until = _floor(self.clock.now() - metrics.lag, self.clock.minute)
        since = until - HISTORY_MINUTES * self.clock.minute
        read = metrics.read(endpoint, since, until)
        minutes = [
            read.get(since + place * self.clock.minute, {}).get(baseline)
            for place in range(HISTORY_MINUTES)
        ]
        found = counted(minutes, terms_of(policy, managed=view.managed))
        if found is None:
            raise Conflict(
                f"{endpoint}: {baseline} has answered no request in the last {HISTORY_MINUTES}"
                " minutes; give rps and error_rate instead of the endpoint"
            )
        lag = round(metrics.lag / self.clock.minute)
        return found.model_copy(update={"baseline": baseline, "lag_minutes": lag})

    def _planned_on(self, view: EndpointView, policy: Policy) -> Metrics:
        """The source that has the endpoint's past; a Kubernetes endpoint has none in metrics."""
        wanted = policy.source == "logs" or not view.managed
        if wanted and self.logs is None:
            raise Conflict(
                f"{view.id}: its past would be read from logs, and {NO_LOGS}; or give rps and"
                " error_rate instead of the endpoint"
            )
        return self.logs if wanted and self.logs else self.metrics

    def recording(self, rollout: Rollout) -> Recording:
        """The minutes a rollout was judged on, and the baseline's before it."""
        minute = rollout.minute
        started = _floor(rollout.started_at, minute)
        since = started - HISTORY_MINUTES * minute
        until = _floor(_end(rollout) or self.clock.now(), minute)
        read = self.samples.read(rollout.endpoint.key, rollout.source, since, until)
        custom = self._custom(rollout, since, until)
        if rollout.source is Source.GUARDS:
            read = {one.at: {} for told in custom.values() for one in told}
        metrics = self.logs if self.logs and rollout.source is Source.LOGS else self.metrics
        return Recording(
            rollout=rollout.id,
            endpoint=str(rollout.endpoint),
            canary=rollout.canary,
            baseline=rollout.baseline,
            minute_seconds=minute.total_seconds(),
            lag_minutes=round(metrics.lag / minute),
            source=rollout.source,
            managed=_managed(rollout),
            minutes=_trial(rollout, read, until)[:MINUTES_MAX],
            pairs=self._pairs(rollout),
            custom=custom,
            history=tuple(
                BaselineMinute(at=at, baseline=arms.get(rollout.baseline))
                for at, arms in read.items()
                if rollout.baseline and at < started
            ),
            shares=rollout.shares,
        )

    def probes(self, rollout: Rollout) -> Probes:
        """What the answers to recorded requests came to, or to what was joined instead."""
        until = (_end(rollout) or self.clock.now()) + rollout.minute
        if rollout.pairs_from in JOINED:
            return Probes(joined(self.samples, rollout, until))
        return probed(self.samples, rollout, until)

    def _pairs(self, rollout: Rollout) -> tuple[Pairs, ...] | None:
        """None where the policy compares nothing."""
        if rollout.policy.agreement is None:
            return None
        return self.probes(rollout).pairs(rollout.canary)[-2 * MINUTES_MAX :]

    def _custom(
        self, rollout: Rollout, since: datetime, until: datetime
    ) -> Mapping[str, tuple[CustomMinute, ...]]:
        """What each custom guard was told, by the source that its samples are kept under."""
        sources = [source_of(guard) for guard in rollout.policy.guards if guard.custom]
        read = {one: self.samples.read(rollout.endpoint.key, one, since, until) for one in sources}
        return {
            source: tuple(
                CustomMinute(
                    at=at,
                    canary=arms.get(rollout.canary),
                    baseline=arms.get(rollout.baseline) if rollout.baseline else None,
                )
                for at, arms in minutes.items()
            )[-2 * MINUTES_MAX :]
            for source, minutes in read.items()
        }


def _baseline(view: EndpointView, policy: Policy) -> str:
    """The deployment a canary would be compared with."""
    if policy.baseline != "current" and policy.baseline in view.live:
        return policy.baseline
    if policy.baseline != "current" or len(view.live) != 1:
        raise Conflict(
            f"{view.id} has {view.traffic}; a plan needs the one deployment to compare with:"
            " name it in the policy (baseline), or give rps and error_rate"
        )
    return view.live[0]


def _managed(rollout: Rollout) -> bool:
    """The endpoint's kind; of a rollout that did not note it what its source gives away."""
    return rollout.source is not Source.GUARDS if rollout.managed is None else rollout.managed


def _end(rollout: Rollout) -> datetime | None:
    if rollout.rollback:
        return rollout.rollback.decided_at
    return rollout.phase_since if rollout.over else None


def _trial(
    rollout: Rollout, read: Mapping[datetime, Arms], until: datetime
) -> tuple[RecordedMinute, ...]:
    """From the first share on, or from where the evidence began afresh; gaps stay gaps."""
    if not rollout.shares or not read:
        return ()
    until = min(until, max(read) + rollout.minute)
    first = rollout.shares[0].since
    since = _ceil(max(first, rollout.evidence_since or first), rollout.minute)
    count = max(0, (until - since) // rollout.minute)
    return tuple(_minute(rollout, read, since + n * rollout.minute) for n in range(count))


def _minute(rollout: Rollout, read: Mapping[datetime, Arms], at: datetime) -> RecordedMinute:
    """An arm without a point beside one that has some answered nothing."""
    share = _share(rollout, at)
    names = (rollout.canary, rollout.baseline)
    arms = {name: one for name, one in read.get(at, {}).items() if name in names}
    return RecordedMinute(
        at=at,
        share=share.percent,
        mirrored=share.stage.startswith(Kind.MIRROR),
        canary=arms.get(rollout.canary, Counts()) if arms else None,
        baseline=arms.get(rollout.baseline, Counts()) if arms and rollout.baseline else None,
    )


def _share(rollout: Rollout, at: datetime) -> Share:
    return [one for one in rollout.shares if one.since <= at][-1]


def _floor(at: datetime, minute: timedelta) -> datetime:
    return at - (at - EPOCH) % minute


def _ceil(at: datetime, minute: timedelta) -> datetime:
    return at + (EPOCH - at) % minute
