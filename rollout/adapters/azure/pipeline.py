"""One pipeline to ARM for all threads, made of Microsoft's own policies."""

import re
from collections.abc import Mapping
from datetime import timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    HttpLoggingPolicy,
    RequestIdPolicy,
    RetryPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest, HttpResponse
from pydantic import JsonValue
from requests.exceptions import SSLError

from rollout.adapters.azure.answers import refusal
from rollout.addresses import LOOPBACK
from rollout.errors import Refused, Unavailable, Unknown

CONNECT_SECONDS = 5
RETRIES = 2

_NAME = re.compile(r"[^/\\\x00-\x1f]+")
_DOTS = frozenset({".", ".."})
_READS = frozenset({"GET"})


class ArmClient:
    """Sends requests to ARM in the name of one identity; opened once, at the first request.

    The token goes to `base_url` and to no other origin, and never over plain http except to this
    machine; `audience` is whom it is for, where that is not the address. Raises Unavailable,
    Refused or Unknown for every answer that is not a yes.
    """

    def __init__(
        self,
        base_url: str,
        credential: TokenCredential,
        timeout: timedelta = timedelta(seconds=30),
        audience: str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._audience = (audience or self.base_url).rstrip("/")
        self._credential = credential
        self._timeout = timeout
        self._origin = _origin(self.base_url)
        self._client: PipelineClient[HttpRequest, HttpResponse] | None = None
        self._lock = Lock()
        if not is_safe(self.base_url):
            raise Refused(f"{self.base_url}: a token is sent over https only; write https://")

    @property
    def on_this_machine(self) -> bool:
        """Whether ARM is played by a plain http server on this machine."""
        return self._origin[0] == "http"

    @property
    def credential(self) -> TokenCredential:
        return self._credential

    def close(self) -> None:
        with self._lock:
            if self._client:
                self._client.close()
            self._client = None

    def url(self, arm_id: str, query: Mapping[str, str]) -> str:
        """The address of a resource; raises Unknown where a part of its id can be no name."""
        parts = arm_id.strip("/").split("/")
        wrong = [part for part in parts if part in _DOTS or not _NAME.fullmatch(part)]
        if wrong:
            raise Unknown(f"{arm_id}: {wrong[0]!r} is no name of a resource")
        path = "/".join(quote(part, safe="()") for part in parts)
        return f"{self.base_url}/{path}?{urlencode(query, quote_via=quote)}"

    def send(
        self, method: str, url: str, action: str, body: JsonValue | None = None
    ) -> HttpResponse:
        """Send to that URL verbatim; `action` is the permission it needs.

        Reads are asked again at once where the connection or the server fails, writes never.
        """
        if _origin(url) != self._origin:
            raise Refused(
                f"{_bare(url)}: is not at {self.base_url}, and the token is sent nowhere else"
            )
        response = self._run(HttpRequest(method, url, json=body))
        if response.status_code >= 300:
            raise refusal(response, action)
        return response

    def _run(self, request: HttpRequest) -> HttpResponse:
        place = f"{request.method} {_bare(request.url)}"
        try:
            return self._opened().send_request(
                request,
                enforce_https=not self.on_this_machine,
                timeout=self._timeout.total_seconds(),
            )
        except ClientAuthenticationError as error:
            raise Refused(
                f"{place}: nobody has signed in for the controller ({type(error).__name__});"
                " on Azure give the app its managed identity, elsewhere sign in by `az login`"
            ) from error
        except AzureError as error:
            raise Unavailable(f"{place}: no answer ({_reason(error)})") from error

    def _opened(self) -> PipelineClient[HttpRequest, HttpResponse]:
        with self._lock:
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> PipelineClient[HttpRequest, HttpResponse]:
        client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            self.base_url,
            policies=[
                RequestIdPolicy(),
                HeadersPolicy({"Accept": "application/json"}),
                UserAgentPolicy("rollout", user_agent_use_env=False),
                reads_only(),
                BearerTokenCredentialPolicy(self._credential, f"{self._audience}/.default"),
                HttpLoggingPolicy(),
            ],
            connection_timeout=CONNECT_SECONDS,
            read_timeout=self._timeout.total_seconds(),
            use_env_settings=not self.on_this_machine,
        )
        client.__enter__()
        return client


class _ReadsOnly(RetryPolicy[HttpRequest, HttpResponse]):
    """An answer that names its time is not waited for here: the engine waits by messages."""

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**super().configure_retries(options), "methods": _READS}

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        answer = response.http_response
        return (
            answer.request.method in _READS
            and answer.status_code in {500, 502, 503, 504}
            and "Retry-After" not in answer.headers
            and bool(settings["total"])
        )


def reads_only() -> RetryPolicy[HttpRequest, HttpResponse]:
    """Reads are asked again at once where the connection or the server fails, writes never.

    One for each pipeline: a policy knows what comes after it.
    """
    return _ReadsOnly(retry_total=RETRIES, retry_backoff_factor=0.2, retry_backoff_max=1)


def is_safe(url: str) -> bool:
    """Whether a secret may be sent there: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError as error:
        raise Refused(f"{_bare(url)!r} is not a URL") from error
    if "\\" in url or "@" in parts.netloc or not parts.hostname:
        raise Refused(f"{_bare(url)!r} is not a URL that a token may be sent to")
    return parts.scheme, parts.hostname, port


def _reason(error: AzureError) -> str:
    if isinstance(error.inner_exception, SSLError):
        return "its certificate is not trusted; name who signed it by REQUESTS_CA_BUNDLE=FILE"
    return type(error).__name__


def _bare(url: str) -> str:
    return url.partition("?")[0]
