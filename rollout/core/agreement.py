"""What a person wrote of agreement: recorded requests, and when two answers are the same."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import to_json

from rollout.analysis.report import ANSWERS, Guard, Metric
from rollout.core.frozen import Frozen
from rollout.errors import PolicyError

REQUESTS_MAX = 5000
PER_MINUTE_MAX = 120

DottedPath = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^.\s]+(\.[^.\s]+)*$")
]
"""Keys of objects and places in lists, with dots between them: `scores.0.value`."""

Path = Annotated[
    DottedPath | None,
    Field(description="where in a JSON answer, as `scores.0.value`; none: the whole answer"),
]


class Exact(Frozen):
    """Every value is the same; answers that are no JSON are compared byte by byte."""

    path: Path = None


class Label(Frozen):
    """The class is the same; `positive` names the one that counts as a yes for `class_flips`."""

    path: Path = None
    positive: str | int | float | bool | None = None


class Numeric(Frozen):
    """No number, alone or in a list, is further away than the tolerance."""

    path: Path = None
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class TopK(Frozen):
    """The best k are the same, in any order: of a list, best first, or by their scores."""

    path: Path = None
    k: Annotated[int, Field(ge=1, le=1000)]


Comparison = Exact | Label | Numeric | TopK


class Compare(Frozen):
    """When two answers are the same: a single key that names how."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    exact: Exact | None = None
    label: Label | None = None
    numeric: Numeric | None = None
    top_k: TopK | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = sorted(self.model_fields_set)
        if len(given) != 1 or getattr(self, given[0]) is None:
            raise ValueError(f"answers are compared in exactly one way, not {given or 'none'}")
        return self

    @model_serializer(mode="wrap")
    def _only_that_one(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {way: how for way, how in write(self).items() if how is not None}

    @property
    def how(self) -> Comparison:
        how: Comparison = getattr(self, next(iter(self.model_fields_set)))
        return how


class Agreement(Frozen):
    """Send recorded requests to both deployments by header, and compare what they answer."""

    requests: str = Field(description="a JSON Lines file beside the policies")
    per_minute: Annotated[int, Field(ge=1, le=PER_MINUTE_MAX)] = 60
    compare: Compare = Compare(exact=Exact())
    keep: Annotated[int, Field(ge=0, le=100)] = Field(
        20, description="so many disagreements are kept for a person to see"
    )
    keep_answers: bool = Field(
        default=False, description="keep the answers themselves, not only hashes of them"
    )


# -- the guards that need it ---------------------------------------------------------------------


def check_answers(agreement: Agreement | None, guards: Sequence[Guard] | None) -> None:
    """Raise ValueError where a guard on answers could never be measured, or nothing is judged.

    `guards` is None where they are wrong themselves.
    """
    if guards is None:
        return
    for place, guard in enumerate(guards):
        if guard.metric in ANSWERS:
            why = _lacking(agreement, guard.metric)
            if why:
                raise ValueError(f"guards[{place}]: {guard.metric} {why}")
    if agreement and not any(guard.metric in ANSWERS for guard in guards):
        raise ValueError(
            "no guard judges it; add {metric: disagreement_rate, at_most: 0.05} with the"
            " part of the answers that a better model may change"
        )


def _lacking(agreement: Agreement | None, metric: Metric) -> str | None:
    if metric is Metric.SCORE_HISTOGRAM:
        return "has no source yet: nothing reads the scores of live answers; use score_drift"
    if agreement is None:
        return "compares answers: add agreement, with the recorded requests to send to both"
    how = agreement.compare.how
    if metric is Metric.SCORE_DRIFT and not isinstance(how, Numeric):
        return "needs scores: write agreement.compare: {numeric: {path: …, tolerance: …}}"
    if metric is Metric.CLASS_FLIPS and not (isinstance(how, Label) and how.positive is not None):
        return "needs a class that is a yes: write agreement.compare: {label: {positive: …}}"
    return None


# -- the recorded requests -----------------------------------------------------------------------


class RecordedRequest(Frozen):
    """One request as it was once sent: the JSON body, and a name by which it is found again."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    body: Any = Field(description="sent as JSON")

    @property
    def content(self) -> bytes:
        return to_json(self.body)


def parse_requests(content: bytes, name: str) -> tuple[RecordedRequest, ...]:
    """Read a JSON Lines file, each request with a name; raises PolicyError that names the line."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise PolicyError(f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise PolicyError(f"{name}: no recorded requests; write one JSON object a line")
    if len(lines) > REQUESTS_MAX:
        raise PolicyError(f"{name}: {len(lines)} recorded requests; at most {REQUESTS_MAX}")
    found = tuple(_parse_line(line, f"{name}:{number}", number) for number, line in lines)
    places: dict[str, int] = {}
    for (number, _), one in zip(lines, found, strict=True):
        first = places.setdefault(one.id or "", number)
        if first != number:
            raise PolicyError(f"{name}:{number}: id {one.id!r} is that of line {first} already")
    return found


def _parse_line(line: str, place: str, number: int) -> RecordedRequest:
    try:
        one = RecordedRequest.model_validate_json(line)
    except ValidationError as error:
        first: Mapping[str, Any] = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = f"{where}: {first['msg']}" if where else first["msg"]
        known = ", ".join(RecordedRequest.model_fields)
        raise PolicyError(f"{place}: {told}; known keys: {known}") from error
    return one if one.id else one.model_copy(update={"id": f"line {number}"})
