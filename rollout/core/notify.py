"""Who is told of what: the rules of a policy, and the places that an installation knows by name."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

from rollout.core.frozen import Frozen
from rollout.errors import Malformed

TargetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class TargetKind(StrEnum):
    """What is spoken where a notice goes."""

    TEAMS = "teams"
    SLACK = "slack"
    WEBHOOK = "webhook"
    GITHUB = "github"


class Topic(StrEnum):
    """What a history entry is about, for those who choose what they hear of."""

    STARTED = "started"
    STAGE = "stage"
    ASKS = "asks"
    HOLDS = "holds"
    ROLLS_BACK = "rolls_back"
    TROUBLE = "trouble"
    ENDED = "ended"
    OVERDUE = "overdue"


class Moment(StrEnum):
    """What a hook is told of."""

    BEFORE = "before"
    AFTER = "after"


_PATH_MIN = 8
"""A shorter path is no secret, but a word that a log may need."""
OfRollout = Literal[
    Topic.STARTED,
    Topic.STAGE,
    Topic.ASKS,
    Topic.HOLDS,
    Topic.ROLLS_BACK,
    Topic.TROUBLE,
    Topic.ENDED,
]
OfRotation = Literal[Topic.STARTED, Topic.ASKS, Topic.TROUBLE, Topic.ENDED, Topic.OVERDUE]
_UNASKED: tuple[OfRollout, ...] = (
    Topic.STARTED,
    Topic.ASKS,
    Topic.HOLDS,
    Topic.ROLLS_BACK,
    Topic.TROUBLE,
    Topic.ENDED,
)
_UNASKED_OF_ROTATION: tuple[OfRotation, ...] = (
    Topic.ASKS,
    Topic.TROUBLE,
    Topic.ENDED,
    Topic.OVERDUE,
)


class _Place(Frozen):
    """A place by its name in the settings."""

    teams: TargetName | None = None
    slack: TargetName | None = None
    webhook: TargetName | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [kind.value for kind, _ in self._named()]
        if len(given) != 1:
            known = ", ".join(kind for kind in TargetKind if kind in type(self).model_fields)
            raise ValueError(f"a notice goes to exactly one place, not {given or 'none'}: {known}")
        return self

    @property
    def target(self) -> "Target":
        kind, name = self._named()[0]
        return Target(kind=kind, name=name)

    def _named(self) -> Sequence[tuple[TargetKind, str]]:
        written = [(kind, getattr(self, kind, None)) for kind in TargetKind]
        return [(kind, name) for kind, name in written if name is not None]


class NotifyRule(_Place):
    """One entry of `notify`: a place by its name in the settings, and what is told there."""

    github: TargetName | None = None
    on: Annotated[tuple[OfRollout, ...], Field(min_length=1)] = Field(
        _UNASKED, description="what is told; none written: all but each single stage"
    )


class KeyNotifyRule(_Place):
    """The same of a rotation; it comes from no commit, so GitHub is not told."""

    on: Annotated[tuple[OfRotation, ...], Field(min_length=1)] = Field(
        _UNASKED_OF_ROTATION, description="what is told; none written: all but that one starts"
    )


class Target(Frozen):
    """A place by the name that the settings give it; its address and secret are only there."""

    kind: TargetKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Notice(Frozen):
    """A word to people that is owed: which entry of the history, and where it goes."""

    id: str
    target: Target
    topic: Topic | Moment
    about: str = Field("", description="for a hook: what begins or is over")
    entry: int = Field(description="the number of the history entry that is told")
    of_keys: bool = Field(default=False, description="whether that is about keys, not a rollout")
    since: datetime
    not_before: datetime
    attempts: int = 0
    last_error: str | None = None


class _Address(Frozen):
    model_config = ConfigDict(hide_input_in_errors=True)

    url: SecretStr


class SignedAddress(_Address):
    secret: SecretStr = Field(min_length=16)


class GitHubToken(Frozen):
    model_config = ConfigDict(hide_input_in_errors=True)

    token: SecretStr = Field(min_length=1)
    url: str = "https://api.github.com"
    environment: str = "production"


class Targets(Frozen):
    """Every place that policies may name, with its address and secret."""

    model_config = ConfigDict(hide_input_in_errors=True)

    teams: dict[TargetName, _Address] = Field(default_factory=dict)
    slack: dict[TargetName, _Address] = Field(default_factory=dict)
    webhook: dict[TargetName, SignedAddress] = Field(default_factory=dict)
    github: dict[TargetName, GitHubToken] = Field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Targets":
        """Read the setting; raises Malformed, which never repeats a value."""
        try:
            value: Any = from_json(text)
        except ValueError as error:
            raise Malformed("it is not JSON") from error
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise Malformed(_places(error)) from error

    def names(self, kind: TargetKind) -> Sequence[str]:
        return sorted(getattr(self, kind))

    def missing(self, target: Target) -> str | None:
        """Why that place cannot be reached here, and the remedy; None: it is named."""
        known = self.names(target.kind)
        if target.name in known:
            return None
        names = ", ".join(known) or "none"
        return (
            f"the settings know no {target.kind} place {target.name!r}; there are: {names};"
            " add it to ROLLOUT_NOTIFY"
        )

    @property
    def secrets(self) -> Sequence[str]:
        """What no log may show: addresses (whoever has one may post there), keys and tokens."""
        addresses = [
            place.url.get_secret_value()
            for places in (self.teams, self.slack, self.webhook)
            for place in places.values()
        ]
        paths = [address.partition("://")[2].partition("/")[2] for address in addresses]
        keys = [place.secret.get_secret_value() for place in self.webhook.values()]
        tokens = [place.token.get_secret_value() for place in self.github.values()]
        return [*addresses, *(path for path in paths if len(path) >= _PATH_MIN), *keys, *tokens]


def _places(error: ValidationError) -> str:
    told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return "; ".join(told)
