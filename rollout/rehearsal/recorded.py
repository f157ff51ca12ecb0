"""The world as a record has it: its minutes, its shares, and time that is set by the replay."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from rollout.core.endpoint import DeploymentView, EndpointId, EndpointView, Provisioning
from rollout.core.head import Head
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
    """What a look reads: a clock, the metrics, the samples and the endpoint, all from the record."""

    source = "metrics"

    def __init__(self, recording: Recording) -> None:
        self.time = recording.minutes[0].at
        self.minute = recording.minute
        self.lag = recording.lag
        self._recording = recording
        self._minutes = _minutes(recording)
        self._shown = self.beginning()

    def look_at(self, head: Head, *, arrived: bool, look_id: str) -> "_Seen":
        """One look; a map that was asked for is seen once the record has its share."""
        assert head.rollout is not None, head
        self._shown = self._view(head.rollout, arrived=arrived)
        sources = Sources(
            endpoints=cast("Endpoints", _Endpoint(self._shown)),  # a look only reads
            metrics=self,
            samples=_Samples(self._minutes),
            policies=cast("PolicyFiles", None),  # a look reads none
            clock=self,
        )
        looks = Looks(sources, (ENDPOINT.in_workspace,), OWNER)
        return _Seen(looks, head, look_id)

    # -- Clock and Metrics -----------------------------------------------------------------------

    def now(self) -> datetime:
        return self.time

    def read(self, endpoint: EndpointId, since: datetime, until: datetime) -> Minutes:
        del endpoint
        return {at: arms for at, arms in self._minutes.items() if since <= at < until}
