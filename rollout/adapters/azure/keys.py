"""The keys of online endpoints: listed, regenerated and tried by the REST protocol."""

import re
import time
from collections.abc import Sequence
from datetime import timedelta

import requests
from azure.core.rest import HttpResponse
from pydantic import SecretStr, TypeAdapter
from requests.auth import AuthBase

from rollout.adapters.azure.answers import Foreign, parsed
from rollout.adapters.azure.arm import STABLE
from rollout.adapters.azure.documents import ENDPOINT, check_deployment
from rollout.adapters.azure.pipeline import CONNECT_SECONDS, ArmClient, is_safe
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.rotation.state import KeyName
from rollout.errors import Refused, Unavailable
from rollout.key_ports import KeyPair, NotTaken
from rollout.ports import Accepted, Answer

ANSWER_MAX = timedelta(seconds=20)
"""So long one answer to a probe may take: ten of them must fit into one function's time."""
PAGES_MAX = 100

_ACTIONS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"


class _Keys(Foreign):
    primary_key: SecretStr
    secondary_key: SecretStr


class _Named(Foreign):
    id: str


class _Page(Foreign):
    value: list[_Named]
    next_link: str | None = None


_KEYS = TypeAdapter(_Keys)
_PAGE = TypeAdapter(_Page)


class ArmKeys:
    """The port EndpointKeys."""

    def __init__(self, arm: ArmClient, answer_max: timedelta = ANSWER_MAX) -> None:
        self._arm = arm
        self._timeout = (CONNECT_SECONDS, answer_max.total_seconds())

    def list(self, workspace: WorkspaceId) -> Sequence[EndpointId]:
        found: list[EndpointId] = []
        link: str | None = self._url(f"{workspace.arm_id}/onlineEndpoints")
        for _ in range(PAGES_MAX):
            if not link:
                return found
            page = parsed(self._arm.send("GET", link, _ACTIONS + "read"), _PAGE)
            found += [EndpointId.parse(one.id) for one in page.value]
            link = page.next_link
        raise Refused(f"{workspace.workspace}: its endpoints do not end after {PAGES_MAX} pages")

    def read(self, endpoint: EndpointId) -> KeyPair:
        url = self._url(endpoint.arm_id)
        found = parsed(self._arm.send("GET", url, _ACTIONS + "read"), ENDPOINT)
        mode = found.properties.auth_mode.lower().replace("_", "")
        live = found.properties.traffic
        served = {name: share for name, share in live.items() if share}
        busiest = max(served, key=lambda name: (served[name], name), default=None)
        if mode != "key":
            return KeyPair(mode, found.state, busiest=busiest)
        listed = parsed(self._post(endpoint, "listKeys", "listKeys/action"), _KEYS)
        keys = {KeyName.PRIMARY: listed.primary_key, KeyName.SECONDARY: listed.secondary_key}
        return KeyPair(mode, found.state, keys, busiest)

    def regenerate(self, endpoint: EndpointId, key: KeyName) -> Accepted | NotTaken:
        """The operation's own URL often answers 404 afterwards: only the keys tell the truth."""
        body = {"keyType": key.value.title(), "keyValue": None}
        try:
            response = self._post(endpoint, "regenerateKeys", "regenerateKeys/action", body)
        except Unavailable as later:
            if later.undone:
                return NotTaken(str(later))
            raise
        return Accepted(response.headers.get("Location"))

    def probe(self, endpoint: EndpointId, deployment: str, key: SecretStr, body: bytes) -> Answer:
        check_deployment(deployment)
        url = self._scoring_uri(endpoint)
        started = time.monotonic()
        try:
            with requests.Session() as fresh:  # a kept connection may be of one front end
                fresh.trust_env = not self._arm.on_this_machine
                response = fresh.post(
                    url,
                    data=body,
                    headers={
                        "Content-Type": "application/json",
                        "Connection": "close",
                        "azureml-model-deployment": deployment,
                    },
                    auth=_Bearer(key),
                    timeout=self._timeout,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            raise Unavailable(f"{url}: no answer ({type(error).__name__})") from error
        took = timedelta(seconds=time.monotonic() - started)
        return Answer(response.status_code, response.content, took)

    def _scoring_uri(self, endpoint: EndpointId) -> str:
        url = self._url(endpoint.arm_id)
        uri = parsed(self._arm.send("GET", url, _ACTIONS + "read"), ENDPOINT).properties.scoring_uri
        if not uri:
            raise Unavailable(f"{endpoint} has no scoring address yet")
        if not is_safe(uri):
            raise Refused(f"{uri}: a key is sent over https only")
        return uri

    def _post(
        self,
        endpoint: EndpointId,
        verb: str,
        action: str,
        body: dict[str, str | None] | None = None,
    ) -> HttpResponse:
        url = self._url(f"{endpoint.arm_id}/{verb}")
        return self._arm.send("POST", url, _ACTIONS + action, dict(body) if body else None)

    def _url(self, arm_id: str) -> str:
        return self._arm.url(arm_id, {"api-version": STABLE})


class _Bearer(AuthBase):
    """A key that shows itself to nobody but the endpoint."""

    def __init__(self, key: SecretStr) -> None:
        if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise Refused("the endpoint's key is empty, or holds what no header may carry")
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return request
