"""JSON as Azure accepts it: Microsoft's own samples send what `json` refuses."""

import json
import re
from typing import Any

from emulator.arm.refusals import Refusal

_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.DOTALL)


def read_object(body: bytes) -> dict[str, Any]:
    """The object in `body`; empty is {}; trailing commas and raw newlines are forgiven."""
    if not body.strip():
        return {}
    try:
        text = _STRING_OR_TRAILING_COMMA.sub(lambda m: m.group(1) or "", body.decode())
        document = json.loads(text, strict=False)
    except ValueError as error:
        raise Refusal(400, "InvalidRequestContent", f"The body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refusal(400, "InvalidRequestContent", "The body must be a JSON object.")
    return document


def whole(value: object, what: str) -> int:
    """An int, or a string of digits, which some samples send."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    raise Refusal(400, "BadArgument", f"{what} must be an integer, not {value!r}.")


def mapping(value: object, what: str) -> dict[str, Any]:
    """An object; null is {}."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refusal(400, "BadArgument", f"{what} must be an object, not {value!r}.")
    return value
