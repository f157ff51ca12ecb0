"""Hooks of a policy: programs that are asked before something begins, or told that it does."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rollout.core.frozen import Frozen
from rollout.core.notify import Moment, Target, TargetKind, TargetName
from rollout.core.patience import Then

TIMEOUT_SECONDS_MAX = 10
_OF_QUESTIONS = frozenset({"timeout_seconds", "retries", "on_no_answer", "on_veto"})


class Hook(Frozen):
    """One entry of `hooks`: a webhook by its name in the settings, and when it is spoken to.

    Of a stage, or of the rollout as a whole: `confirm` is asked before it begins, `before` is told
    that it begins, `after` that it is over, whatever came of it.
    """

    confirm: TargetName | None = Field(None, description="asked, and waited for; may say no")
    before: TargetName | None = Field(None, description="told, not asked")
    after: TargetName | None = Field(None, description="told, not asked")
    timeout_seconds: Annotated[int, Field(ge=1, le=TIMEOUT_SECONDS_MAX)] = Field(
        5, description="confirm: so long one answer may take"
    )
    retries: Annotated[int, Field(ge=0, le=100)] = Field(
        3, description="confirm: so often it is asked again, after 2, 4, 8 seconds up to a minute"
    )
    on_no_answer: Literal[Then.HOLD, Then.ADVANCE, Then.ROLL_BACK] = Field(
        Then.HOLD, description="confirm: when the last try is not answered either"
    )
    on_veto: Literal[Then.HOLD, Then.ROLL_BACK] = Field(
        Then.HOLD, description="confirm: when it says no"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Hook":
        kinds = ("confirm", "before", "after")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a hook has exactly one kind, not {given or 'none'}: {', '.join(kinds)}"
            )
        idle = sorted(_OF_QUESTIONS & self.model_fields_set)
        if idle and not self.confirm and any(self.is_unusual(name) for name in idle):
            raise ValueError(f"{', '.join(idle)}: only confirm waits for an answer; leave it out")
        return self

    def is_unusual(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    def told(self, moment: Moment) -> Target | None:
        """Whom it tells of that moment."""
        name = self.before if moment is Moment.BEFORE else self.after
        return Target(kind=TargetKind.WEBHOOK, name=name) if name else None

    @property
    def place(self) -> Target:
        """Whom it speaks to."""
        name = self.confirm or self.before or self.after
        assert name, self
        return Target(kind=TargetKind.WEBHOOK, name=name)


Hooks = Annotated[tuple[Hook, ...], Field(max_length=5)]


class Hooked(Frozen):
    """What begins and ends, and may have hooks for both."""

    hooks: Hooks = Field((), description="programs asked before it begins, or told of it")
