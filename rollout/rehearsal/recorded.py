"""The world as a record has it: its minutes, its shares, and a clock that the replay sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts, Probed
from rollout.core.endpoint import DeploymentView, EndpointId, EndpointView, Provisioning
from rollout.core.events import Looked, SkipRequested, StartRequested
from rollout.core.guards import source_of
from rollout.core.head import Head
from rollout.core.pairs_from import PairsFrom
from rollout.core.policy import Policy
from rollout.core.rollout import Order, Phase, Rollout
from rollout.core.source import Source, SourceFacts
from rollout.core.traffic import Traffic
from rollout.errors import Unavailable
from rollout.looks import Looks
from rollout.measuring import Sources
from rollout.measuring.prober import PAIRS
from rollout.pair_ports import ServedRead
from rollout.ports import Endpoints, Minutes, PolicyFiles, Question
from rollout.rehearsal.recording import CustomMinute, Recording

ENDPOINT = EndpointId(
    subscription="recorded", resource_group="recorded", workspace="recorded", name="recorded"
)
OWNER = "replay"
FRESH_MINUTES = 2
"""A reading speaks for the look that took it, and at most for the next."""


class RecordedWorld:
    """The ports Clock and Metrics, and what else a look reads: all of it from the record."""

    source = "metrics"

    def __init__(self, recording: Recording) -> None:
        self.time = recording.minutes[0].at
        self.minute = recording.minute
        self.lag = recording.lag
        self._recording = recording
        custom = {source: _custom(recording, told) for source, told in recording.custom.items()}
        self._kept = _Kept(_minutes(recording), custom, _pairs(recording))
        nothing_new = _NothingNew(known=recording.pairs is not None)
        self._endpoint = _Shown(self._view(_first_map(recording), Provisioning.SUCCEEDED))
        sources = Sources(
            endpoints=cast("Endpoints", self._endpoint),  # a look only reads it
            metrics=self,
            samples=self._kept,
            policies=cast("PolicyFiles", None),  # a look reads none
            clock=self,
            logs=self,
            custom=_RecordedGuards(custom, recording.lag),
            written={PairsFrom.COLLECTOR: nothing_new, PairsFrom.LOGS: nothing_new},
        )
        self._looks = Looks(sources, (ENDPOINT.in_workspace,), OWNER)

    def now(self) -> datetime:
        return self.time

    def read(self, endpoint: EndpointId, since: datetime, until: datetime) -> Minutes:
        return self._kept.read(endpoint.key, self.source, since, until)

    # -- events ------------------------------------------------------------------------------------

    def start(self, policy: Policy, name: str) -> StartRequested:
        return StartRequested(
            id="start",
            order=Order(endpoint=ENDPOINT, deployment=self._recording.canary, who=OWNER),
            policy=policy,
            policy_name=name,
            view=self._endpoint.view,
            owner=OWNER,
            sources=self._sources(),
            minute=self.minute,
        )

    def _sources(self) -> SourceFacts:
        """A policy that wants logs gets the record, as does one for a Kubernetes endpoint."""
        numbers = [one.at for one in self._recording.minutes if one.canary or one.baseline]
        heard = max(numbers, default=None) if not self._recording.managed else None
        return SourceFacts(logs=True, logs_heard=heard)

    def skip(self) -> SkipRequested:
        return SkipRequested(id=f"skip:{self.time}", who="the record")

    def look(self, head: Head, *, arrived: bool) -> Looked:
        """One look; a map that was asked for is seen once it has `arrived` in the record."""
        rollout = head.rollout
        assert rollout is not None, head
        self._endpoint.view = self._view(*_shown(rollout, arrived=arrived))
        return self._looks.look(head, f"look:{self.time}")

    def _view(self, traffic: Traffic, state: Provisioning) -> EndpointView:
        names = (self._recording.canary, self._recording.baseline)
        return EndpointView(
            id=ENDPOINT,
            state=state,
            traffic=traffic,
            deployments={name: _deployment(name) for name in names if name},
            managed=self._recording.managed,
        )


def _shown(rollout: Rollout, *, arrived: bool) -> tuple[Traffic, Provisioning]:
    if rollout.phase is not Phase.SHIFTING:
        return rollout.observed, Provisioning.SUCCEEDED
    if arrived:
        return rollout.wanted, Provisioning.SUCCEEDED
    return rollout.observed, Provisioning.UPDATING


def _first_map(recording: Recording) -> Traffic:
    return Traffic.all_to(recording.baseline) if recording.baseline else Traffic()


def _deployment(name: str) -> DeploymentView:
    return DeploymentView(name=name, state=Provisioning.SUCCEEDED, fingerprint="as recorded")


def _minutes(recording: Recording) -> Minutes:
    """The record as the metrics would have told it: what is null is left out."""
    canary, baseline = recording.canary, recording.baseline or ""
    arms = {one.at: {baseline: one.baseline} for one in recording.history}
    arms |= {one.at: {baseline: one.baseline, canary: one.canary} for one in recording.minutes}
    return {
        at: {name: counts for name, counts in each.items() if name and counts is not None}
        for at, each in arms.items()
    }


@dataclass
class _Shown:
    """The part of the port Endpoints that a look asks."""

    view: EndpointView

    def read(self, endpoint: EndpointId) -> EndpointView:
        assert endpoint == self.view.id, endpoint
        return self.view


def _custom(recording: Recording, told: Sequence[CustomMinute]) -> Minutes:
    names = {recording.canary: "canary", recording.baseline or "": "baseline"}
    return {
        one.at: {
            name: counts
            for name, arm in names.items()
            if name and (counts := getattr(one, arm)) is not None
        }
        for one in told
    }


@dataclass(frozen=True)
class _RecordedGuards:
    """The port CustomGuards: a question that was not asked then has no answer now."""

    told: Mapping[str, Minutes]
    behind: timedelta

    def missing(self, guard: Guard) -> str | None:
        del guard
        return None

    def lag(self, guard: Guard) -> timedelta:
        del guard
        return self.behind

    def read(self, guard: Guard, question: Question) -> Minutes:
        known = self.told.get(source_of(guard))
        if known is None:
            raise Unavailable("the record has no minutes of it")
        found = {at: arms for at, arms in known.items() if question.since <= at < question.until}
        fresh = question.until - FRESH_MINUTES * question.minute
        return {at: arms for at, arms in found.items() if at >= fresh or not _is_reading(arms)}


def _is_reading(arms: Mapping[str, Counts]) -> bool:
    return any(one.value is not None for one in arms.values())


def _pairs(recording: Recording) -> Minutes:
    return {
        one.at: {recording.canary: Counts(probed=Probed(one, of="the record", sent=one.compared))}
        for one in recording.pairs or ()
    }


@dataclass(frozen=True)
class _NothingNew:
    """The port ServedAnswers: all that was joined is in the record already, or nothing was."""

    known: bool
    lag: timedelta = timedelta(0)

    def read(
        self,
        endpoint: EndpointId,
        deployment: str,
        collection: str,
        since: datetime,
        until: datetime,
    ) -> ServedRead:
        del endpoint, deployment, collection, since
        if not self.known:
            raise Unavailable("pairs: not recorded")
        return ServedRead((), until)


@dataclass
class _Kept:
    """The port Samples, full from the start."""

    minutes: Minutes
    custom: Mapping[str, Minutes]
    pairs: Minutes

    def read(self, key: str, source: str, since: datetime, until: datetime) -> Minutes:
        """Pairs are those that were recorded, whoever asks for them, with the first cut minute."""
        del key
        if source.startswith(PAIRS):
            return {at: arms for at, arms in self.pairs.items() if at < until}
        kept = self.minutes if source in set(Source) else self.custom.get(source, {})
        return {at: arms for at, arms in kept.items() if since <= at < until}

    def save(self, key: str, source: str, minutes: Minutes) -> None: ...

    def forget(self, key: str, before: datetime) -> None: ...
