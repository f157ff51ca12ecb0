"""The controller as the commands see it: its HTTP API, with refusals and silence told apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from pydantic import BaseModel, ValidationError
from requests.auth import AuthBase

from rollout.addresses import LOOPBACK
from rollout.cli.contexts import LOCAL, Place
from rollout.cli.endings import Failure, Unreachable
from rollout.core.endpoint import EndpointId
from rollout.core.head import HistoryEntry
from rollout.errors import Malformed
from rollout.views import RolloutView

TIMEOUT_SECONDS = (5, 60)
RETRY_SECONDS = (0.5, 1.5)

EVENT_STREAM = "text/event-stream"

_Model = TypeVar("_Model", bound=BaseModel)

_LISTS: Mapping[str, str] = {
    "dead-letters": "rollout dead-letters list",
    "keys": "rollout keys status",
    "plans": "rollout policy list",
    "policies": "rollout policy list",
}
"""By the first word of a path: the command that lists what there is; else `rollout list`."""
_SHOWS: Mapping[str, str] = {"keys": "rollout keys status", "rollouts": "rollout get"}
"""The command that shows one of them."""


class _Bearer(AuthBase):
    """Shows the token; as an `auth` object no .netrc overrules it."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        return request


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


LIST_PAGE = 500
"""So many rollouts are asked for at once."""


class Controller:
    """Raises Failure where the controller refuses, Unreachable where it gives no usable answer."""

    def __init__(self, place: Place, sleep: Callable[[float], None]) -> None:
        self.place = place
        self._sleep = sleep
        self._http = requests.Session()
        self._http.auth = _Bearer(place.token)
        self._http.trust_env = urlsplit(place.url).hostname not in LOOPBACK

    def read(self, path: str, **query: Any) -> Any:  # noqa: ANN401 - JSON
        return self._ask("GET", path, params=query).body

    def read_events(self, path: str, place: str, **query: Any) -> str:  # noqa: ANN401 - of requests
        """Server-sent events from that place on, as they are written."""
        headers = {"Last-Event-ID": place} if place else {}
        response = self._answered("GET", path, headers=headers, params=query)
        if not response.headers.get("Content-Type", "").startswith(EVENT_STREAM):
            raise self._strange("no event stream")
        response.encoding = "utf-8"
        return response.text

    def change(self, method: str, path: str, body: object = None, key: str | None = None) -> Answer:
        """Ask for a change, again when no answer comes: `key` makes it happen once."""
        headers = {"Idempotency-Key": key} if key else {}
        for pause in RETRY_SECONDS:
            try:
                return self._ask(method, path, json=body, headers=headers)
            except Unreachable:
                self._sleep(pause)
        return self._ask(method, path, json=body, headers=headers)

    def rollouts(self, state: str, limit: int | None = None) -> dict[str, Any]:
        """So many of the list of rollouts, or all of it, page after page, as one answer.

        What has ended since its page was read comes again, among those that are over.
        """
        found: dict[str, Any] = {}
        first: dict[str, Any] = {}
        query: dict[str, Any] = {"state": state}
        while True:
            room = LIST_PAGE if limit is None else min(LIST_PAGE, limit - len(found))
            body = self.read("rollouts", **query, limit=room)
            found |= {_id(one): one for one in self.items(body, "rollouts")}
            first = first or body
            more = body.get("next")  # an older controller has one page
            if not more or (limit is not None and len(found) >= limit):
                told = {"next": more} if "next" in body else {}
                return {**first, "rollouts": list(found.values()), **told}
            query["after"] = more

    def rollout(self, ref: str) -> RolloutView:
        return self.view(self.read(f"rollouts/{in_path(ref)}"))

    def history(self, ref: str, after: int = 0) -> tuple[HistoryEntry, ...]:
        found = self.read(f"rollouts/{in_path(ref)}/history", after=after)
        return tuple(self.parsed(HistoryEntry, entry) for entry in self.items(found, "entries"))

    def view(self, body: object) -> RolloutView:
        return self.parsed(RolloutView, body)

    def items(self, body: object, key: str) -> list[Any]:
        """The list under that key of an answer."""
        found = body.get(key) if isinstance(body, dict) else None
        if not isinstance(found, list):
            raise self._strange(f"no list {key!r}")
        return found

    def parsed(self, model: type[_Model], body: object) -> _Model:
        """What a newer controller says beyond what we know is left out."""
        if not isinstance(body, dict):
            raise self._strange("no object")
        known = {key: value for key, value in body.items() if key in model.model_fields}
        try:
            return model.model_validate(known)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise self._strange(f"{place}: {first['msg']}") from error

    def _ask(self, method: str, path: str, **given: Any) -> Answer:  # noqa: ANN401 - of requests
        response = self._answered(method, path, **given)
        if not response.content:
            return Answer(response.status_code, None)
        try:
            return Answer(response.status_code, response.json())
        except requests.JSONDecodeError as error:
            raise self._strange("no JSON") from error

    def _answered(self, method: str, path: str, **given: Any) -> requests.Response:  # noqa: ANN401
        url = f"{self.place.url}/api/{path}"
        try:
            response = self._http.request(
                method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **given
            )
        except requests.RequestException as error:
            raise self._silent(error) from error
        if response.status_code >= 300:
            raise self._no(response, method, path)
        return response

    # -- what goes wrong -----------------------------------------------------------------------

    def _silent(self, error: requests.RequestException) -> Unreachable:
        reason = next((told for kind, told in _REASONS.items() if isinstance(error, kind)), "")
        remedy = "see that the address is right: rollout context list"
        if self.place.name == LOCAL:
            remedy = "see that `rollout up` is still running, or start it again"
        return Unreachable(
            f"the controller does not answer: {reason or type(error).__name__}",
            where=str(self.place),
            remedy=remedy,
        )

    def _strange(self, what: str) -> Unreachable:
        return Unreachable(
            f"the answer is not one of a controller that this program knows ({what})",
            where=str(self.place),
            remedy="see that the address is right, and that both are of the same version",
        )

    def _no(self, response: requests.Response, method: str, path: str) -> Failure:
        status = response.status_code
        if status < 400:
            to = response.headers.get("Location", "elsewhere").partition("?")[0]
            return self._strange(f"it points to {to}")
        where = f"{method} {self.place.url}/api/{path} (context {self.place.name})"
        problem = _problem(response)
        detail = problem.get("detail") or problem.get("title") or f"HTTP {status} {response.reason}"
        azure_refuses = problem.get("type") == "urn:rollout:problem:refused"
        if (status == 429 or status >= 500) and not azure_refuses:
            what = f"the controller cannot answer now: {detail}"
            return Unreachable(what, where=where, remedy="try again in a minute")
        remedy = _remedy(status, path)
        if status == 403 and problem.get("type") == "urn:rollout:problem:forbidden":
            remedy = f"ask whoever runs this controller for that role; see {self.place.token_from}"
        elif status in {401, 403}:
            remedy = (
                f"see that the token is this controller's; it came from {self.place.token_from}"
            )
        return Failure(str(detail), where=where, remedy=remedy, status=status)


_REASONS: Mapping[type[requests.RequestException], str] = {
    requests.exceptions.SSLError: "its certificate is not trusted",
    requests.exceptions.ProxyError: "the proxy refuses",
    requests.Timeout: "no answer in time",
    requests.ConnectionError: "no connection",
}


def _remedy(status: int, path: str) -> str:
    """The command that tells more of what was asked for."""
    kind, _, rest = path.partition("/")
    ref, lists = rest.partition("/")[0].replace("~", "/"), _LISTS.get(kind, "rollout list")
    shows = f"{_SHOWS[kind]} {ref}" if ref and kind in _SHOWS else lists
    remedies = {
        404: f"see what there is: {lists}",
        409: f"see where it stands: {shows}",
        413: "send less at once",
    }
    return remedies.get(status, "")


def _id(listed: object) -> str:
    return str(listed.get("id")) if isinstance(listed, dict) else ""


def in_path(ref: str) -> str:
    """A rollout id, or an endpoint as people write it, as one part of a path."""
    if ref.startswith("/"):
        try:
            ref = str(EndpointId.parse(ref))
        except Malformed as error:
            raise Failure(str(error), remedy="write ENDPOINT or WORKSPACE/ENDPOINT") from error
    return quote(ref.replace("/", "~"), safe="~")


def _problem(response: requests.Response) -> Mapping[str, Any]:
    """Why not, in the controller's own words; empty where it was not the controller that spoke."""
    try:
        problem = response.json()
    except requests.JSONDecodeError:
        return {}
    return problem if isinstance(problem, dict) else {}
