"""What clients of our own API send: bodies and commands, checked where they come in."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, from_json

from rollout.core.callers import WHO_MAX, WHY_MAX, Caller
from rollout.core.endpoint import EndpointId
from rollout.core.events import (
    AbortRequested,
    ApprovalGiven,
    ApprovalRefused,
    Command,
    PauseRequested,
    PromoteRequested,
    ReleaseRequested,
    ResumeRequested,
    SkipRequested,
)
from rollout.core.frozen import Frozen
from rollout.core.head import Wake
from rollout.core.rollout import Order, Origin
from rollout.errors import Malformed

BYTES_MAX = 256 * 1024
DEPTH_MAX = 32
PROBLEMS_MAX = 10

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

_ENDPOINT_TEXT = r"((/[A-Za-z0-9_.()-]+)+/|[A-Za-z0-9_.-]+/)?[A-Za-z0-9][A-Za-z0-9_-]{0,254}"
ENDPOINT_PATTERN = f"^({_ENDPOINT_TEXT})$"
EndpointText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=600),
    Field(json_schema_extra={"pattern": ENDPOINT_PATTERN}),
]
Name = Annotated[str, StringConstraints(max_length=64, pattern=_NAME)]
Who = Annotated[str, StringConstraints(min_length=1, max_length=WHO_MAX, pattern=_ONE_LINE)]
Rule = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_ONE_LINE)]
Why = Annotated[str, StringConstraints(max_length=WHY_MAX, pattern=_LINES)]

Repository = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$")
]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{7,64}$")]

_Model = TypeVar("_Model", bound=BaseModel)
WHO_TOLD = (
    "who asks, where the token names nobody; otherwise on whose behalf, kept in the history beside"
    " the name that the token proves"
)


class TooLarge(Malformed):
    """More than this door takes at once: refused unread."""


# -- bodies ----------------------------------------------------------------------------------


class _Body(Frozen):
    model_config = ConfigDict(strict=True)


class StartBody(_Body):
    """Roll out a deployment."""

    endpoint: EndpointText = Field(description="churn, workspace/churn, or an ARM id")
    deployment: Name = Field(description="the new deployment")
    policy: Name | None = Field(None, description="a policy's name; none: the one that matches")
    adopt: bool = Field(default=False, description="it may have live traffic already")
    take_over: bool = Field(
        default=False, description="take the endpoint from another installation"
    )
    despite_alerts: Annotated[tuple[Rule, ...], Field(max_length=20, strict=False)] = Field(
        (), description="names of alert rules that are to be overlooked"
    )
    despite_freeze: bool = Field(default=False, description="no freeze holds it up")
    repository: Repository | None = Field(None, description="OWNER/NAME its code comes from")
    commit: Commit | None = Field(None, description="of that repository, for word back to GitHub")
    who: Who | None = Field(None, description=WHO_TOLD)
    why: Why = Field("", description="the reason, kept in the history")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.repository is None) != (self.commit is None):
            raise ValueError("repository and commit belong together; give both")
        return self

    def order(self, endpoint: EndpointId, caller: Caller) -> Order:
        who, why = caller.signs(self.who, self.why)
        told = self.model_dump(exclude={"endpoint", "repository", "commit", "who", "why"})
        known = {"repository": self.repository, "commit": self.commit}
        origin = Origin.model_validate(known) if self.commit else None
        return Order(endpoint=endpoint, origin=origin, who=who, why=why, **told)


class CommandBody(_Body):
    """Who asks, and why."""

    who: Who | None = Field(None, description=WHO_TOLD)
    why: Why = Field("", description="the reason, kept in the history")


class RolloutCommandBody(CommandBody):
    """Who asks, why, and what single commands take beside it."""

    despite_freeze: bool = Field(
        default=False,
        description="resume, skip, promote, approve: overlook the freeze of now",
    )
    order: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="cancel: only the start with this id, which its answer told",
    )


class PushBody(_Body):
    """A policy's text, and the files that it names."""

    text: str = Field(description="the policy, as YAML or JSON")
    attachments: Mapping[str, str] = Field(
        default_factory=dict, description="text by path, such as smoke/churn.jsonl"
    )


class CheckBody(_Body):
    """A policy's text, to be checked and not kept."""

    name: Name = Field(description="what error texts call it")
    text: str = Field(description="the policy, as YAML or JSON")


class PlanBody(_Body):
    """What to plan: a policy that is here or its text, for an endpoint or for numbers."""

    policy: Name | None = Field(None, description="a policy's name; or give its text")
    text: str | None = Field(None, description="the policy, as YAML or JSON")
    endpoint: EndpointText | None = Field(None, description="whose traffic to read")
    rps: float | None = Field(None, description="requests a second, where no endpoint is given")
    error_rate: float | None = Field(None, description="how often they fail, from 0 to 1")


COMMANDS: Mapping[str, type[Command]] = {
    "pause": PauseRequested,
    "resume": ResumeRequested,
    "skip": SkipRequested,
    "promote": PromoteRequested,
    "abort": AbortRequested,
    "approve": ApprovalGiven,
    "reject": ApprovalRefused,
    "release": ReleaseRequested,
}
UPWARD = ("resume", "skip", "promote", "approve")
"""Those by which the canary may get more traffic: a freeze is in their way, unless overlooked."""


def endpoint_name(text: str) -> str:
    """The text, if it may name an endpoint: `churn`, `workspace/churn`, an ARM id."""
    if not _ENDPOINT.fullmatch(text):
        raise Malformed(
            f"{text[:100]!r} cannot be an endpoint; write churn, workspace/churn or an ARM id"
        )
    return text


_ENDPOINT = re.compile(_ENDPOINT_TEXT)


def read_wake(body: bytes) -> Wake:
    """A message of the queue `steps`; raises Malformed."""
    return read_body(body, Wake)


def one_line(text: str, longest: int) -> str:
    """A text of someone else's as we keep it: no line breaks, no escapes, not too long."""
    return _CONTROLS.sub(" ", text)[:longest]


# -- reading ---------------------------------------------------------------------------------


def read_body(body: bytes, model: type[_Model]) -> _Model:
    """Read JSON as that model; raises Malformed with each place and remedy, or TooLarge."""
    value = read_json(body)
    if not isinstance(value, dict):
        known = ", ".join(model.model_fields)
        raise Malformed(f"the body must be a JSON object; known keys: {known}")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        told = [_told(problem, model) for problem in problems[:PROBLEMS_MAX]]
        raise Malformed("\n".join(told)) from error


def check_command(said: Mapping[str, str]) -> CommandBody:
    """The same of a form's fields; raises Malformed."""
    try:
        return CommandBody.model_validate(said)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise Malformed("\n".join(_told(one, CommandBody) for one in problems)) from error


def read_json(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Read JSON that is neither too large nor too deep; raises Malformed, TooLarge."""
    if len(body) > BYTES_MAX:
        raise TooLarge(f"the body has {len(body)} bytes; at most {BYTES_MAX}: send less at once")
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"the body is not JSON in UTF-8: {error}") from error
    if any(depth > DEPTH_MAX for depth in _depths(value, 1)):
        raise Malformed(f"the body is nested more than {DEPTH_MAX} deep; send a flatter one")
    _check_keys(body)
    return value


def _check_keys(body: bytes) -> None:
    """Of two values under one key readers take different ones: raises Malformed; so for digits."""
    try:
        json.loads(body, object_pairs_hook=_once_each)
    except ValueError as error:
        raise Malformed(f"the body has a number with too many digits: {error}") from error


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"{twice[:50]!r}: given twice in one object; send it once")
    return found


def _depths(value: object, depth: int) -> Iterator[int]:
    """The depth of every object and list; the parser itself stops long before recursion does."""
    if isinstance(value, dict | list):
        yield depth
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _depths(inner, depth + 1)


def _told(problem: ErrorDetails, model: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in problem["loc"])[:100]
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown key;{_meant(place, model)} known: {', '.join(model.model_fields)}"
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    field = fields.get(str(problem["loc"][0])) if problem["loc"] else None
    remedy = f"; it is {field.description}" if field and field.description else ""
    if problem["type"] == "missing":
        return f"{place}: missing{remedy}"
    return f"{place}: {problem['msg']}{remedy}"


def _meant(word: str, model: type[BaseModel]) -> str:
    close = difflib.get_close_matches(word, list(model.model_fields), 1)
    return f" did you mean {close[0]}?" if close else ""
