"""One question and one answer over HTTP, without a server."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel
from pydantic_core import to_json

from rollout.errors import Malformed

JSON = "application/json"
KEY_HEADER = "idempotency-key"

_KEY = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; the names of headers are in lower case."""

    method: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query; raises Malformed."""
        text = self.query.get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise Malformed(f"{name}={text[:50]}: it is a whole number from {least} to {most}")
        return int(text)

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One word of the query; raises Malformed that names the choices."""
        text = self.query.get(name, default)
        if text not in choices:
            raise Malformed(f"{name}={text[:50]}: it is one of {', '.join(choices)}")
        return text

    def idempotency_key(self) -> str | None:
        """What makes a repeat known as one; raises Malformed."""
        key = self.headers.get(KEY_HEADER)
        if key is not None and not _KEY.fullmatch(key):
            raise Malformed("Idempotency-Key: it is 1 to 64 visible ASCII characters, no spaces")
        return key


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(
    body: BaseModel | Mapping[str, object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A body as JSON; numbers, times and names as its model writes them."""
    written = body.model_dump_json() if isinstance(body, BaseModel) else to_json(body).decode()
    kept = {"Content-Type": JSON, "Cache-Control": "no-store", **(headers or {})}
    return Response(status, written.encode(), kept)


NOTHING = Response(204)
