"""Metrics by the batch API of a region: the same numbers, on a quota that is not ARM's."""

import re
from collections.abc import Mapping
from threading import Lock
from urllib.parse import quote, urlencode

from azure.core.rest import HttpResponse
from pydantic import JsonValue, TypeAdapter

from rollout.adapters.azure.answers import Foreign, parsed
from rollout.adapters.azure.pipeline import ArmClient
from rollout.core.endpoint import EndpointId
from rollout.errors import Refused

API_VERSION = "2024-02-01"
AUDIENCE = "https://metrics.monitor.azure.com"
URL = "https://{region}.metrics.monitor.azure.com"
ACTION = "Microsoft.Insights/metrics/read"

_ENDPOINTS_VERSION = "2023-04-01"
_ENDPOINTS_ACTION = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read"
_OWN = "{region}."
_REGION = re.compile(r"[a-z0-9]{2,40}")


class _Located(Foreign):
    location: str


_LOCATED = TypeAdapter(_Located)


def audience_of(url: str) -> str:
    """Whom the token is for: the service that a cloud's regions have in common."""
    return url.replace(_OWN, "").rstrip("/") if _OWN in url else AUDIENCE


class MetricsBatch:
    """Asks for one endpoint; `{region}` in the address is the endpoint's own, asked once of ARM."""

    def __init__(self, arm: ArmClient, url: str = URL) -> None:
        self._arm = arm
        self._url = url
        self._regions: dict[EndpointId, str] = {}
        self._clients: dict[str, ArmClient] = {}
        self._lock = Lock()

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients = {}

    def send(self, endpoint: EndpointId, query: Mapping[str, str]) -> HttpResponse:
        """POST one request; raises as the pipeline does."""
        client = self._client(self._region(endpoint))
        body: JsonValue = {"resourceids": [endpoint.arm_id]}
        place = f"/subscriptions/{quote(endpoint.subscription, safe='')}/metrics:getBatch"
        asked = urlencode({"api-version": API_VERSION, **query}, quote_via=quote)
        return client.send("POST", f"{client.base_url}{place}?{asked}", ACTION, body)

    def _client(self, region: str) -> ArmClient:
        with self._lock:
            if region not in self._clients:
                url = self._url.replace("{region}", region)
                audience = None if self._arm.on_this_machine else audience_of(self._url)
                self._clients[region] = ArmClient(url, self._arm.credential, audience=audience)
            return self._clients[region]

    def _region(self, endpoint: EndpointId) -> str:
        """As in a host's name; a token is sent there, so it must be nothing but a name."""
        if "{region}" not in self._url:
            return ""
        if endpoint not in self._regions:
            url = self._arm.url(endpoint.arm_id, {"api-version": _ENDPOINTS_VERSION})
            found = parsed(self._arm.send("GET", url, _ENDPOINTS_ACTION), _LOCATED)
            region = found.location.lower().replace(" ", "")
            if not _REGION.fullmatch(region):
                raise Refused(f"{endpoint}: its location {found.location!r} is no region")
            self._regions[endpoint] = region
        return self._regions[endpoint]
