"""Smoke requests as a person wrote them, what answers must be like, and how far they came."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import from_json, to_json

from rollout.core.agreement import DottedPath
from rollout.core.comparison import Unreadable, same, value_at
from rollout.core.frozen import Frozen
from rollout.errors import PolicyError

REQUESTS_MAX = 500
SHOWN_MAX = 100

PIECE = timedelta(seconds=30)
"""So long one look sends smoke requests; the next one goes on with them.

The one that is under way then is waited for, up to three minutes: a function has five in all.
"""

FAILURES_MAX = 10
FAILURES_LONG = timedelta(seconds=60)
"""So many that failed, or such that took so long together, are proof enough: no more are sent."""

FAILURE_TEXT_MAX = 300


class SmokeRequest(Frozen):
    """One request to the canary alone: the JSON body, and the limits its answer must keep."""

    body: Any = Field(description="sent as JSON")
    status: int = Field(200, description="the HTTP status that is expected")
    within_ms: float | None = Field(None, gt=0, description="the longest time allowed")
    expect: Mapping[DottedPath, Any] = Field(
        default_factory=dict, description="values in the JSON answer, by dotted path"
    )

    def objection(self, status: int, took_ms: float, answer: bytes) -> str | None:
        """Why an answer is not as expected, or None."""
        if status != self.status:
            return f"status {status}, not {self.status}"
        if self.within_ms is not None and took_ms > self.within_ms:
            return f"took {took_ms:.0f} ms, {self.within_ms:.0f} ms allowed"
        return self._unexpected(answer) if self.expect else None

    def _unexpected(self, answer: bytes) -> str | None:
        try:
            whole = from_json(answer)
        except ValueError:
            return "the answer is no JSON"
        for path, value in self.expect.items():
            try:
                found = value_at(whole, path)
            except Unreadable as strange:
                return str(strange)
            if not same(found, value):
                return f"{_short(found)} at {path}, not {_short(value)}"
        return None


class Smoked(Frozen):
    """How far the smoke requests came, and what was found: kept in the row between two looks."""

    total: int
    sent: int = Field(0, description="so many were answered, the first of the file")
    mark: str = Field("", description="of those, by which others in their place are known")
    failures: tuple[str, ...] = ()
    failing: timedelta = Field(timedelta(0), description="how long those that failed took")

    @property
    def passed(self) -> int:
        return self.sent - len(self.failures)

    @property
    def over(self) -> bool:
        """Whether all were answered, or so many failed that no more need be sent."""
        failed = len(self.failures) >= FAILURES_MAX or self.failing >= FAILURES_LONG
        return failed or self.sent == self.total

    def answered(self, request: SmokeRequest, objection: str | None, took: timedelta) -> "Smoked":
        """With the answer to the next request; `objection` is why it is not as expected."""
        fresh = {"sent": self.sent + 1, "mark": _marked(self.mark, request)}
        if objection is None:
            return self.model_copy(update=fresh)
        failures = (*self.failures, objection[:FAILURE_TEXT_MAX])
        failed = {"failures": failures, "failing": self.failing + took}
        return self.model_copy(update={**fresh, **failed})

    def __str__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"{self.passed} of {self.total} passed{failed}"


def gone_on(known: Smoked | None, requests: Sequence[SmokeRequest]) -> Smoked:
    """What is known of these requests; of others than were sent nothing is."""
    anew = Smoked(total=len(requests))
    if known is None or reduce(_marked, requests[: known.sent], "") != known.mark:
        return anew
    return known.model_copy(update={"total": len(requests)})


def _marked(mark: str, request: SmokeRequest) -> str:
    return hashlib.sha256(f"{mark}\n{request.model_dump_json()}".encode()).hexdigest()[:16]


def _short(value: Any) -> str:  # noqa: ANN401 - any JSON
    text = to_json(value).decode()
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def parse_smoke(text: str, name: str) -> tuple[SmokeRequest, ...]:
    """Read a JSON Lines file; raises PolicyError that names the line."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise PolicyError(f"{name}: no smoke requests; write one JSON object a line")
    if len(lines) > REQUESTS_MAX:
        raise PolicyError(f"{name}: {len(lines)} smoke requests; at most {REQUESTS_MAX}")
    return tuple(_parse_line(line, f"{name}:{number}") for number, line in lines)


def read_smoke(content: bytes, name: str) -> tuple[SmokeRequest, ...]:
    """The same of a file's bytes."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise PolicyError(f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    return parse_smoke(text, name)


def _parse_line(line: str, place: str) -> SmokeRequest:
    try:
        return SmokeRequest.model_validate_json(line)
    except ValidationError as error:
        known = ", ".join(SmokeRequest.model_fields)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = f"{where}: {first['msg']}" if where else first["msg"]
        raise PolicyError(f"{place}: {told}; known keys: {known}") from error
