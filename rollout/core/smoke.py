"""Smoke requests as a person wrote them, one JSON object a line, and what answers must be like."""

from typing import Any

from pydantic import Field, ValidationError

from rollout.core.frozen import Frozen
from rollout.errors import PolicyError

REQUESTS_MAX = 500


class SmokeRequest(Frozen):
    """One request to the canary alone: the JSON body, and the limits its answer must keep."""

    body: Any = Field(description="sent as JSON")
    status: int = Field(200, description="the HTTP status that is expected")
    within_ms: float | None = Field(None, gt=0, description="the longest time allowed")

    def objection(self, status: int, took_ms: float) -> str | None:
        """Why an answer is not as expected, or None."""
        if status != self.status:
            return f"status {status}, not {self.status}"
        if self.within_ms is not None and took_ms > self.within_ms:
            return f"took {took_ms:.0f} ms, {self.within_ms:.0f} ms allowed"
        return None


def parse_smoke(text: str, name: str) -> tuple[SmokeRequest, ...]:
    """Read a JSON Lines file; raises PolicyError that names the line."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise PolicyError(f"{name}: no smoke requests; write one JSON object a line")
    if len(lines) > REQUESTS_MAX:
        raise PolicyError(f"{name}: {len(lines)} smoke requests; at most {REQUESTS_MAX}")
    return tuple(_parse_line(line, f"{name}:{number}") for number, line in lines)


def _parse_line(line: str, place: str) -> SmokeRequest:
    try:
        return SmokeRequest.model_validate_json(line)
    except ValidationError as error:
        known = ", ".join(SmokeRequest.model_fields)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = f"{where}: {first['msg']}" if where else first["msg"]
        raise PolicyError(f"{place}: {told}; known keys: {known}") from error
