"""What alerts are: how grave, what each means to a policy, and the last state of each."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from rollout.core.frozen import Frozen
from rollout.core.pattern import fits, precision

ALERTS_MAX = 20
"""So many alerts an endpoint keeps in mind; the resolved and the oldest are forgotten first."""

DEPLOYMENTS_MAX = 4
RULE_MAX = 200


class AlertSeverity(StrEnum):
    SEV0 = "Sev0"
    SEV1 = "Sev1"
    SEV2 = "Sev2"
    SEV3 = "Sev3"
    SEV4 = "Sev4"


class Meaning(StrEnum):
    """What a fired alert does to a rollout; the order is from grave to light."""

    ROLL_BACK = "roll_back"
    HOLD = "hold"
    IGNORE = "ignore"


RulePattern = Annotated[str, StringConstraints(min_length=1, max_length=RULE_MAX)]
Severities = tuple[AlertSeverity, ...]


class OnAlert(Frozen):
    """What a fired alert means, by its rule or else by its severity; not named: only noted."""

    roll_back: Severities = (AlertSeverity.SEV0, AlertSeverity.SEV1, AlertSeverity.SEV2)
    hold: Severities = (AlertSeverity.SEV3,)
    ignore: Severities = ()
    rules: Mapping[RulePattern, Meaning] = Field(
        default_factory=dict, description="by the rule's name, `*` stands for anything"
    )

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        named: dict[AlertSeverity, str] = {}
        for meaning in Meaning:
            for severity in set(getattr(self, meaning)):
                if severity in named:
                    raise ValueError(f"{severity}: named for {named[severity]} and for {meaning}")
                named[severity] = meaning
        return self

    def meaning(self, rule: str, severity: AlertSeverity) -> Meaning:
        """The most specific pattern that fits the rule's name decides, before any severity."""
        fitting = [pattern for pattern in self.rules if fits(pattern, rule)]
        if fitting:
            best = max(map(precision, fitting))
            among = {self.rules[one] for one in fitting if precision(one) == best}
            return next(meaning for meaning in Meaning if meaning in among)
        found = (meaning for meaning in Meaning if severity in getattr(self, meaning))
        return next(found, Meaning.IGNORE)


class AlertState(Frozen):
    """The last that was heard of one alert on an endpoint."""

    key: str = Field(description="the alert's own id, alike when it fires and when it is resolved")
    rule: str
    severity: AlertSeverity
    deployments: tuple[str, ...] = Field((), description="those it names, in lower case")
    fired_at: datetime
    noticed_at: datetime = Field(description="when it was last heard of")
    resolved_at: datetime | None = None
    look_at: datetime | None = Field(
        None, description="a rollout is held for it: unresolved at a look after this, it goes back"
    )

    @property
    def firing(self) -> bool:
        return self.resolved_at is None

    @property
    def told(self) -> tuple[object, ...]:
        """What of it is worth a line in the history."""
        return self.key, self.fired_at, self.resolved_at


def kept(states: Iterable[AlertState], new: AlertState) -> tuple[AlertState, ...]:
    """The states with a new one in place of its last, oldest first, and not too many."""
    others = [one for one in states if one.key != new.key]
    others.sort(key=lambda one: (one.firing, one.noticed_at))
    room = others[max(0, len(others) + 1 - ALERTS_MAX) :]
    return (*sorted(room, key=lambda one: one.noticed_at), new)
