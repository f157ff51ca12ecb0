"""For how long a rollout is patient, and what is done when that is over."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollout.core.frozen import Frozen
from rollout.core.traffic import MIRROR_MAX

Minutes = Annotated[int, Field(ge=0, le=60 * 24 * 60)]
SomeMinutes = Annotated[int, Field(ge=1, le=60 * 24 * 60)]


class Then(StrEnum):
    """The way out when patience ends."""

    ROLL_BACK = "roll_back"
    HOLD = "hold"
    ADVANCE = "advance"
    ASK = "ask"


class OnNoData(Frozen):
    """No numbers come, of neither deployment: so long it is held, and what then."""

    hold_minutes: SomeMinutes = 15
    then: Literal[Then.ROLL_BACK, Then.HOLD, Then.ASK] = Then.ROLL_BACK


class TooLittle(StrEnum):
    """The way out where too few requests come for a verdict."""

    HOLD = "hold"
    ASK = "ask"
    ROLL_BACK = "roll_back"
    LONGER = "longer"
    NOTCH = "notch"
    MIRROR = "mirror"


class OnTooLittle(Frozen):
    """At a stage's longest time too few requests were answered: what then, once a stage.

    Longer, notch and mirror last `minutes`; if that was not enough either, a person is asked.
    Notch is weight that the policy gives a canary stage beyond what is written there.
    """

    then: TooLittle = TooLittle.HOLD
    minutes: SomeMinutes = Field(60, description="how much longer; for mirror: how long")
    points: Annotated[int, Field(ge=1, le=50)] = Field(
        5, description="notch: at most so many points of weight more, never above the next weight"
    )
    percent: Annotated[int, Field(ge=1, le=MIRROR_MAX)] = Field(
        20, description="mirror: so many percent of the requests are copied"
    )


class OnDeadline(Frozen):
    """The whole rollout has taken so long: what then."""

    minutes: SomeMinutes = 1440
    then: Literal[Then.ROLL_BACK, Then.HOLD, Then.ASK] = Then.ROLL_BACK


class Budget(Frozen):
    """How many failed requests a bad canary may cost unnoticed (`pace: adaptive`; `notch`)."""

    failures: Annotated[float, Field(gt=0, le=1e6)] = 40.0
    part_of_minute: Annotated[float, Field(ge=0, le=1, description="of one minute's requests")] = (
        0.04
    )
