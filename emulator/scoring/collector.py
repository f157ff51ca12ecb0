"""The data collector: what a deployment was asked and answered, as JSON Lines by the hour."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from emulator.arm.resources import Deployment, Endpoint
from emulator.scoring.messages import Inbound, Outcome

ASKED = ("request", "model_inputs")
ANSWERED = ("response", "model_outputs")
OF_SCRIPTS = ("model_inputs", "model_outputs")
_OK = 200
_HOUR = "%Y/%m/%d/%H"
_ROLLED = {"minute": f"{_HOUR}/%M", "hour": _HOUR, "day": "%Y/%m/%d"}


class Collector:
    """Writes below `{folder}/{endpoint}/{deployment}/{collection}/`.

    On Azure the platform writes `request` and `response`, and the scoring script writes
    `model_inputs` and `model_outputs`; here the gateway plays both, where they are enabled: the
    latter as the rows of the JSON body. A payload that is no JSON is written as text.
    """

    def __init__(self, folder: Path, now: Callable[[], float], chance: Random) -> None:
        self._folder = folder
        self._now = now
        self._chance = chance
        self._instance = str(uuid.uuid4())

    def write(
        self, endpoint: Endpoint, inbound: Inbound, outcome: Outcome, request_id: str
    ) -> None:
        """One line for each collection that is enabled, and drawn; answers of 200 alone."""
        deployment = endpoint.deployments.get(outcome.deployment)
        if deployment is None or outcome.status != _OK:
            return
        bodies = dict.fromkeys(ASKED, inbound.body) | dict.fromkeys(ANSWERED, outcome.body)
        for name, rate in _enabled(deployment):
            if name in bodies and self._chance.random() < rate:
                line = self._line(name, bodies[name], request_id)
                self._append(self._path(endpoint, deployment, name), line)

    def _line(self, collection: str, body: bytes, request_id: str) -> dict[str, Any]:
        data = _json(body)
        if collection in OF_SCRIPTS and not isinstance(data, list):
            data = [data]
        size = len(json.dumps(data))
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "type": f"azureml.inference.{collection}",
            "datacontenttype": "application/json",
            "time": self._time().isoformat().replace("+00:00", "Z"),
            "data": data,
            "correlationid": request_id,
            "xrequestid": request_id,
            "contentrange": f"bytes 0-{size - 1}/{size}",
        }

    def _path(self, endpoint: Endpoint, deployment: Deployment, collection: str) -> Path:
        rate = str(deployment.properties["dataCollector"].get("rollingRate") or "hour")
        rolled = self._time().strftime(_ROLLED.get(rate.lower(), _HOUR))
        folder = self._folder / endpoint.name / deployment.name / collection / rolled
        return folder / f"{self._instance}.jsonl"

    def _append(self, path: Path, line: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)


def _enabled(deployment: Deployment) -> Iterator[tuple[str, float]]:
    """The collections that are on, with the part of requests they take."""
    told: Mapping[str, Any] = deployment.properties.get("dataCollector") or {}
    for name, how in (told.get("collections") or {}).items():
        if str(how.get("dataCollectionMode", "")).lower() == "enabled":
            rate = how.get("samplingRate")
            yield name.lower(), 1.0 if rate is None else float(rate)


def _json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="backslashreplace")
