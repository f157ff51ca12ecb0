"""The world as a record has it: its minutes, its shares, and a clock that the replay sets."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from rollout.core.endpoint import DeploymentView, EndpointId, EndpointView, Provisioning
from rollout.core.events import Looked, SkipRequested, StartRequested
from rollout.core.head import Head
from rollout.core.policy import Policy
from rollout.core.rollout import Order, Phase, Rollout
from rollout.core.traffic import Traffic
from rollout.looks import Looks, Sources
from rollout.ports import Endpoints, Minutes, PolicyFiles
from rollout.rehearsal.recording import Recording

ENDPOINT = EndpointId(
    subscription="recorded", resource_group="recorded", workspace="recorded", name="recorded"
)
OWNER = "replay"


class RecordedWorld:
    """The ports Clock and Metrics, and what else a look reads: all of it from the record."""

    source = "metrics"

    def __init__(self, recording: Recording) -> None:
        self.time = recording.minutes[0].at
        self.minute = recording.minute
        self.lag = recording.lag
        self._recording = recording
        self._kept = _Kept(_minutes(recording))
        self._endpoint = _Shown(self._view(_first_map(recording), Provisioning.SUCCEEDED))
        sources = Sources(
            endpoints=cast("Endpoints", self._endpoint),  # a look only reads it
            metrics=self,
            samples=self._kept,
            policies=cast("PolicyFiles", None),  # a look reads none
            clock=self,
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
            minute=self.minute,
        )

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


@dataclass
class _Kept:
    """The port Samples, full from the start."""

    minutes: Minutes

    def read(self, key: str, source: str, since: datetime, until: datetime) -> Minutes:
        del key, source
        return {at: arms for at, arms in self.minutes.items() if since <= at < until}

    def save(self, key: str, source: str, minutes: Minutes) -> None: ...

    def forget(self, key: str, before: datetime) -> None: ...
