"""One step of a rotation in words: its numbers, and the command that answers its question."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rollout.analysis.words import minutes, span
from rollout.core.endpoint import EndpointId


def numbers_told(numbers: Mapping[str, Any]) -> Iterator[str]:
    """The numbers of one entry in words; what it does not have is left out."""
    if "overlap_minutes" in numbers:
        yield f"a client may keep a key for {minutes(numbers['overlap_minutes'])}"
        yield f"a regeneration may take {minutes(numbers['lands_within_minutes'])}"
        yield f"a new key may be refused for {minutes(numbers['ready_within_minutes'])}"
    if "answers" in numbers:
        yield f"{numbers['answers']} of {numbers['answers_wanted']} answers were good"
    if "failures" in numbers:
        yield f"failed {numbers['failures']} times before: {numbers['last_failure']}"
    if numbers.get("seconds"):
        yield f"the phase before took {span(numbers['seconds'])}"
    if "request" in numbers:
        told = f"request {numbers['request']} of {numbers['requests_max']}"
        yield f"{told}; it has until {_at(numbers['lands_by'])} to show"
    if "expires_at" in numbers:
        yield f"the version expires {_at(numbers['expires_at'])}"
    if "overlap_until" in numbers:
        yield f"version {numbers['version']}; until {_at(numbers['overlap_until'])} both keys work"


def remedy(question: str, endpoint: EndpointId) -> str:
    """The command that the question itself names; otherwise to go on when it is mended."""
    told = question.rpartition(": rollout keys ")[2]
    if told != question:
        return f"rollout keys {told}"
    return f"rollout keys resume {endpoint}   (or: rollout keys abort {endpoint})"


def _at(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
