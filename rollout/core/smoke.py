"""Smoke requests as a person wrote them, one JSON object a line, and what answers must be like."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import from_json, to_json

from rollout.core.agreement import DottedPath
from rollout.core.comparison import Unreadable, same, value_at
from rollout.core.frozen import Frozen
from rollout.errors import PolicyError

REQUESTS_MAX = 500
SHOWN_MAX = 100


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
