"""What passes through the gateway: a request, and the answer it got."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it will be sent to a scoring process."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer as the caller gets it; `model_status` is what the process said, if it did."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    deployment: str = ""
    model_status: int | None = None
    reason: str = ""
    model_ms: float = 0.0
