"""One question and one answer over HTTP, without a server."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import BaseModel
from pydantic_core import to_json

from rollout.core.callers import NOBODY, Caller
from rollout.errors import Malformed
from rollout.inbox import BYTES_MAX, TooLarge

JSON = "application/json"
KEY_HEADER = "idempotency-key"
ADDRESS_HEADER = "x-forwarded-for"
PATH_WORD_MAX = 255
WORD_MAX = 2000

_KEY = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; the names of headers are in lower case."""

    method: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    caller: Caller = NOBODY

    @property
    def address(self) -> str | None:
        """Whence it came, as the last server before us saw it; None where nobody tells."""
        last = self.headers.get(ADDRESS_HEADER, "").rpartition(",")[2].strip()
        host = last.rpartition(":")[0] if last.count(":") == 1 or last.startswith("[") else last
        return host.strip("[]")[:64] or None

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

    def guarded(self) -> "Response":
        """With the headers that keep browsers from doing more than is meant."""
        html = self.headers.get("Content-Type", "").startswith("text/html")
        return replace(self, headers={**_GUARDS, **(_PAGE_GUARDS if html else {}), **self.headers})


_GUARDS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PAGE_GUARDS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline';"
    " script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def within_bounds(request: Request) -> None:
    """Raises TooLarge or Malformed for what no route takes, before anything else is looked at."""
    if len(request.body) > BYTES_MAX:
        size = len(request.body)
        raise TooLarge(f"the body has {size} bytes; at most {BYTES_MAX}: send less at once")
    for words, longest in ((request.path, PATH_WORD_MAX), (request.query, WORD_MAX)):
        for name, text in words.items():
            if len(text) > longest or not text.isprintable():
                raise Malformed(f"{name[:50]!r}: it is one line of at most {longest} characters")


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
