"""Requests of our own to an endpoint's data plane."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

import requests
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import HttpResponse
from pydantic import TypeAdapter
from requests.auth import AuthBase

from rollout.adapters.azure.answers import Foreign, parsed
from rollout.adapters.azure.arm import STABLE
from rollout.adapters.azure.documents import ENDPOINT, check_deployment
from rollout.adapters.azure.pipeline import CONNECT_SECONDS, ArmClient, is_safe
from rollout.core.endpoint import EndpointId
from rollout.errors import Refused, Unavailable
from rollout.ports import Answer

DATA_PLANE_SCOPE = "https://ml.azure.com/.default"
ANSWER_MAX = timedelta(seconds=190)  # the platform itself gives up after 180
PROBE_MAX = timedelta(seconds=5)
"""A look is not kept waiting by a deployment that does not answer the prober."""

_ACTIONS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"
_REASON = ("ms-azureml-model-error-statuscode", "ms-azureml-model-error-reason")


class _Keys(Foreign):
    primary_key: str


class _Token(Foreign):
    access_token: str


_KEYS = TypeAdapter(_Keys)
_TOKEN = TypeAdapter(_Token)


@dataclass(frozen=True, slots=True)
class _Access:
    uri: str
    secret: "_Bearer"  # pragma: allowlist secret
    until: float


class HttpScoring:
    """The port Scoring. Address and key are remembered for a minute, and read anew on a 401."""

    def __init__(
        self,
        arm: ArmClient,
        scope: str = DATA_PLANE_SCOPE,
        answer_max: timedelta = ANSWER_MAX,
        remembered: timedelta = timedelta(minutes=1),
    ) -> None:
        self._arm = arm
        self._scope = scope
        self._timeout = (CONNECT_SECONDS, answer_max.total_seconds())
        self._remembered = remembered
        self._access: dict[EndpointId, _Access] = {}
        self._lock = Lock()
        self._session = requests.Session()
        self._session.trust_env = not arm.on_this_machine

    def close(self) -> None:
        self._session.close()

    def score(self, endpoint: EndpointId, deployment: str, body: bytes) -> Answer:
        """Send one request to one deployment; every HTTP status is an answer."""
        check_deployment(deployment)
        answer = self._post(self._known(endpoint), deployment, body)
        if answer.status != 401:
            return answer
        with self._lock:
            self._access.pop(endpoint, None)
        return self._post(self._known(endpoint), deployment, body)

    def _post(self, access: _Access, deployment: str, body: bytes) -> Answer:
        started = time.monotonic()
        try:
            response = self._session.post(
                access.uri,
                data=body,
                headers={
                    "Content-Type": "application/json",
                    "azureml-model-deployment": deployment,
                },
                auth=access.secret,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unavailable(f"{access.uri}: no answer ({type(error).__name__})") from error
        took = timedelta(seconds=time.monotonic() - started)
        said = [response.headers.get(name) for name in _REASON]
        return Answer(response.status_code, response.content, took, " ".join(filter(None, said)))

    def _known(self, endpoint: EndpointId) -> _Access:
        with self._lock:
            access = self._access.get(endpoint)
        if access is None or access.until < time.monotonic():
            access = self._look_up(endpoint)
            with self._lock:
                self._access[endpoint] = access
        return access

    def _look_up(self, endpoint: EndpointId) -> _Access:
        url = self._arm.url(endpoint.arm_id, {"api-version": STABLE})
        found = parsed(self._arm.send("GET", url, _ACTIONS + "read"), ENDPOINT).properties
        if not found.scoring_uri:
            raise Unavailable(f"{endpoint} has no scoring address yet")
        if not is_safe(found.scoring_uri):
            raise Refused(f"{found.scoring_uri}: a key is sent over https only")
        read = self._secrets.get(found.auth_mode.lower())
        if read is None:
            raise Refused(f"{endpoint}: authMode {found.auth_mode} is not known")
        until = time.monotonic() + self._remembered.total_seconds()
        return _Access(found.scoring_uri, _Bearer(read(endpoint)), until)

    @property
    def _secrets(self) -> Mapping[str, Callable[[EndpointId], str]]:
        return {"key": self._key, "amltoken": self._aml_token, "aadtoken": self._aad_token}

    def _key(self, endpoint: EndpointId) -> str:
        return parsed(self._post_arm(endpoint, "listKeys", "listKeys/action"), _KEYS).primary_key

    def _aml_token(self, endpoint: EndpointId) -> str:
        return parsed(self._post_arm(endpoint, "token", "token/action"), _TOKEN).access_token

    def _aad_token(self, endpoint: EndpointId) -> str:
        try:
            return self._arm.credential.get_token(self._scope).token
        except ClientAuthenticationError as error:
            raise Refused(
                f"{endpoint}: no token for {self._scope}; see who is signed in"
            ) from error
        except AzureError as error:
            raise Unavailable(f"{endpoint}: no token for {self._scope} yet") from error

    def _post_arm(self, endpoint: EndpointId, verb: str, action: str) -> HttpResponse:
        url = self._arm.url(f"{endpoint.arm_id}/{verb}", {"api-version": STABLE})
        return self._arm.send("POST", url, _ACTIONS + action)


class _Bearer(AuthBase):
    """A secret that shows itself to nobody but the endpoint."""

    def __init__(self, secret: str) -> None:
        if not re.fullmatch(r"[!-~]+", secret):
            raise Refused("the endpoint's key is empty, or holds what no header may carry")
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._secret}"
        return request
