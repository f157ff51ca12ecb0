"""One request to a place, and what its answer means: told, try again, or never."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic_core import from_json

from rollout.adapters.outgoing import Outgoing, Reply
from rollout.errors import Refused, Unavailable

_JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})
_NO_URL = "is not a URL"
_AGAIN = frozenset({408, 425, 429})


class Posting:
    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    def post(self, place: str, url: str, body: bytes, headers: Mapping[str, str] = _JSON) -> None:
        """Tell it there; what it writes back is nobody's business."""
        self.check(place, self.exchange(place, "POST", url, body, headers))

    def ask(
        self,
        place: str,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = _JSON,
    ) -> Any:  # noqa: ANN401 - JSON, or None where there is none
        """The answer's JSON; raises Unavailable or Refused, which name the place, not its URL."""
        reply = self.exchange(place, method, url, body, headers)
        self.check(place, reply)
        return read(reply)

    def exchange(
        self, place: str, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        """The reply, whatever its status; raises as `ask` does where there is none."""
        agent = {"User-Agent": "rollout", **headers}
        try:
            return self._outgoing.send(method, url, body, agent)
        except Unavailable as silent:
            raise Unavailable(f"{place}: {_reason(silent)}") from None
        except Refused as no:
            raise Refused(f"{place}: {_reason(no)}") from None

    def check(self, place: str, reply: Reply) -> None:
        """Raises as `ask` does for what is no success."""
        if reply.status in _AGAIN or reply.status >= 500:
            raise Unavailable(f"{place}: it answers {reply.status}")
        if reply.status >= 400:
            raise Refused(f"{place}: it answers {reply.status}; see its address and secret")


def read(reply: Reply) -> Any:  # noqa: ANN401 - JSON
    """What it says; None for what is no JSON, or nested beyond reason."""
    try:
        return from_json(reply.body)
    except ValueError:
        return None


def written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _reason(error: Exception) -> str:
    """What went wrong without where: a webhook's path is its secret."""
    text = str(error)
    return _NO_URL if _NO_URL in text else text.rpartition(": ")[2]
