"""One answer the gateway gave: the only thing metrics and logs are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A request and what became of it; `deployment` is empty when none was reached."""

    at: float
    endpoint_id: str
    deployment: str
    status: int
    model_status: int | None = None
    reason: str = ""
    total_ms: float = 0.0
    model_ms: float = 0.0
    method: str = "POST"
    path: str = "/score"
    request_bytes: int = 0
    response_bytes: int = 0
    user_agent: str = ""
    auth_type: str = "Key"
    request_id: str = ""
    client_request_id: str = ""
