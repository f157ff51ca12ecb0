"""What a person wrote of agreement: recorded requests, and when two answers are the same."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import to_json

from rollout.analysis.report import ANSWERS, Guard, Metric
from rollout.core.frozen import Frozen
from rollout.core.one_of import OneOf
from rollout.errors import PolicyError

REQUESTS_MAX = 5000
PER_MINUTE_MAX = 120
UNNAMED = "line "
LINES = ".jsonl"

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


class Status(Frozen):
    """The HTTP status is the same, and the canary is not much slower; answers are not looked at."""

    slower_by_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="so much longer than the baseline it may take; none: however long"
    )


OfContent = Exact | Label | Numeric | TopK
Comparison = OfContent | Status


class Compare(OneOf):
    """When two answers are the same: a single key that names how."""

    rule = "answers are compared in exactly one way"

    exact: Exact | None = None
    label: Label | None = None
    numeric: Numeric | None = None
    top_k: TopK | None = None
    status: Status | None = None

    @property
    def how(self) -> Comparison:
        how: Comparison = self.given
        return how


class Collection(Frozen):
    """Where the answers are in what Azure's data collector writes of each request."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        "model_outputs", description="the collection; `response` is the payload as it was sent"
    )
    path: DottedPath | None = Field(
        None, description="where in its `data`, as `0.label`; none: as compare says"
    )


class Agreement(Frozen):
    """Compare what both deployments answer to the same requests, and where they come from."""

    source: Literal["auto", "collector", "logs", "prober"] = Field(
        "auto", description="auto: what the platform wrote of copies, where it joins; else prober"
    )
    requests: str | None = Field(
        None,
        description="for the prober: a JSON Lines file beside the policies, or a folder of such",
    )
    collection: Collection = Collection()
    per_minute: Annotated[int, Field(ge=1, le=PER_MINUTE_MAX)] = 60
    compare: Compare = Compare(exact=Exact())
    keep: Annotated[int, Field(ge=0, le=100)] = Field(
        20, description="so many disagreements are kept for a person to see"
    )
    keep_answers: bool = Field(
        default=False, description="keep the answers themselves, not only hashes of them"
    )

    @model_validator(mode="after")
    def _has_something_to_compare(self) -> Self:
        of_status = isinstance(self.compare.how, Status)
        if self.requests is None and self.source in {"auto", "prober"}:
            raise ValueError(
                "without recorded requests nothing is sent; add requests: samples/NAME.jsonl, or"
                " take what is there already by source: collector or source: logs"
            )
        if self.source == "logs" and not of_status:
            raise ValueError(
                "logs have no answers, only how they went; write compare: {status: {}}, or take"
                " source: collector or prober"
            )
        if self.source == "collector" and of_status:
            raise ValueError("a data collector writes no status; take source: logs or prober")
        return self

    def files_of(self, paths: Sequence[str]) -> Sequence[str]:
        """Those of these paths that its recorded requests are in."""
        wanted = self.requests or ""
        if not wanted.endswith("/"):
            return [path for path in paths if path == wanted]
        inside = [path for path in paths if path.rpartition("/")[0] == wanted[:-1]]
        return [path for path in inside if path.endswith(LINES)]

    @property
    def written_by(self) -> Literal["collector", "logs"]:
        """What of the platform has what is compared."""
        return "logs" if isinstance(self.compare.how, Status) else "collector"


# -- the guards that need it ---------------------------------------------------------------------


class _Entry(Protocol):
    """A stage as far as it matters here."""

    @property
    def mirror(self) -> object: ...


def check_answers(
    agreement: Agreement | None, guards: Sequence[Guard] | None, stages: Sequence[_Entry] | None
) -> None:
    """Raise ValueError where a guard on answers could never be measured, or nothing is judged.

    `guards` and `stages` are None where they are wrong themselves.
    """
    if guards is None or stages is None:
        return
    waits = agreement is not None and agreement.source in {"collector", "logs"}
    paired = [one for one in guards if one.metric in ANSWERS - {Metric.SCORE_HISTOGRAM}]
    if waits and paired and not any(entry.mirror for entry in stages):
        raise ValueError(
            f"{paired[0].metric} needs two answers to one request, and only copies get a second:"
            " add a mirror stage, or take source: prober"
        )
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
    if agreement is None:
        return "compares answers: add agreement, with the recorded requests to send to both"
    how = agreement.compare.how
    if metric in {Metric.SCORE_DRIFT, Metric.SCORE_HISTOGRAM} and not isinstance(how, Numeric):
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


def parse_files(files: Sequence[tuple[str, bytes]]) -> tuple[RecordedRequest, ...]:
    """Read the files of a folder as one, in order; raises PolicyError that names file and line."""
    found: dict[str, tuple[str, RecordedRequest]] = {}
    several = len(files) > 1
    for name, content in files:
        for one in parse_requests(content, name):
            unnamed = several and (one.id or "").startswith(UNNAMED)
            id_ = f"{name.rpartition('/')[2]} {one.id}" if unnamed else one.id or ""
            if id_ in found:
                raise PolicyError(f"{name}: id {id_!r} is in {found[id_][0]} already")
            found[id_] = (name, one.model_copy(update={"id": id_}))
    if len(found) > REQUESTS_MAX:
        raise PolicyError(f"{len(found)} recorded requests in all; at most {REQUESTS_MAX}")
    return tuple(one for _, one in found.values())


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
    return one if one.id else one.model_copy(update={"id": f"{UNNAMED}{number}"})
