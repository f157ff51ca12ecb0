"""What was looked at, how it is, and what to do about it."""

from collections.abc import Callable
from enum import StrEnum

from pydantic import Field

from rollout.core.frozen import Frozen
from rollout.errors import RolloutError


class Condition(StrEnum):
    OK = "ok"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    FAILED = "failed"


class Diagnosis(Frozen):
    part: str = Field(description="what was looked at")
    condition: Condition
    told: str = Field(description="what was seen")
    remedy: str = Field("", description="what to do, where there is something to do")


def ok(part: str, told: str) -> Diagnosis:
    return Diagnosis(part=part, condition=Condition.OK, told=told)


def not_checked(part: str, told: str, remedy: str = "") -> Diagnosis:
    return Diagnosis(part=part, condition=Condition.NOT_CHECKED, told=told, remedy=remedy)


def warning(part: str, told: str, remedy: str) -> Diagnosis:
    return Diagnosis(part=part, condition=Condition.WARNING, told=told, remedy=remedy)


def failed(part: str, told: str, remedy: str) -> Diagnosis:
    return Diagnosis(part=part, condition=Condition.FAILED, told=told, remedy=remedy)


def told_by(part: str, remedy: str, look: Callable[[], Diagnosis]) -> Diagnosis:
    """What the look finds; an error raised knowingly is a failed one, in its own words."""
    try:
        return look()
    except RolloutError as error:
        return failed(part, str(error), remedy)
