"""ISO 8601 durations and moments as Azure writes them."""

import re
from datetime import UTC, datetime

from emulator.arm.refusals import bad_request

_DURATION = re.compile(
    r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE
)


def seconds(text: object, what: str) -> float:
    """`PT0.7S` is 0.7."""
    found = _DURATION.fullmatch(str(text))
    if found is None or not any(found.groups()):
        raise bad_request(f"{what} must be an ISO 8601 duration such as PT5S, not {text!r}.")
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + rest


def duration(length: float) -> str:
    """60 is PT1M, 5 is PT5S, 0.5 is PT0.5S."""
    if length >= 3600 and length % 3600 == 0:
        return f"PT{length / 3600:g}H"
    if length >= 60 and length % 60 == 0:
        return f"PT{length / 60:g}M"
    return f"PT{length:g}S"


def moment(text: str, what: str) -> float:
    """Epoch seconds; a moment without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise bad_request(f"{what} must be an ISO 8601 moment, not {text!r}.") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def iso(at: float) -> str:
    """`2026-01-01T00:00:00Z`, with a fraction only where there is one."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
