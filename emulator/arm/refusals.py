"""Refusals in the shape Azure Resource Manager gives them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


class Refusal(Exception):
    """An answer other than success: status, ARM error code and a sentence."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def not_found(what: str) -> Refusal:
    return Refusal(404, "ResourceNotFound", f"{what} was not found.")


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadArgument", message)


def error_document(refusal: Refusal, request_id: str, now: datetime) -> dict[str, Any]:
    """The error body, as Resource Manager writes it."""
    info = (
        ("ComponentName", "managementfrontend"),
        ("Correlation", {"operation": request_id, "request": request_id}),
        ("Environment", "emulator"),
        ("Time", now.isoformat()),
    )
    return {
        "error": {
            "code": _outer(refusal.code),
            "message": refusal.message,
            "target": None,
            "details": [
                {
                    "code": refusal.code,
                    "message": refusal.message,
                    "details": [],
                    "additionalInfo": [],
                }
            ],
            "additionalInfo": [{"type": kind, "info": {"value": value}} for kind, value in info],
        }
    }


def _outer(code: str) -> str:
    return "NotFound" if code == "OperationNotFound" else code
