"""The recorded minutes of a rollout: one JSON document, the same in a file and over HTTP."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, field_validator, model_validator
from pydantic_core import from_json

from rollout.analysis.samples import Counts, Pairs
from rollout.core.frozen import Frozen
from rollout.core.rollout import Share
from rollout.core.source import Source
from rollout.core.traffic import MIRROR_MAX
from rollout.errors import Malformed
from rollout.rehearsal.traffic import LAG_MINUTES

FORMAT: Final = "rollout-minutes/1"
MINUTES_MAX = 1440
PROBLEMS_MAX = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Name = Annotated[str, Field(min_length=1, max_length=64)]


class BaselineMinute(Frozen):
    """A minute of the baseline before the rollout."""

    at: AwareDatetime = Field(description="when the minute begins")
    baseline: Counts | None = None


class RecordedMinute(BaselineMinute):
    """A minute of both; one that is null in both is a gap in the record."""

    share: Annotated[int, Field(ge=0, le=100)] = Field(
        description="the canary's share of the requests in percent"
    )
    mirrored: bool = Field(default=False, description="its requests were copies")
    canary: Counts | None = None

    @model_validator(mode="after")
    def _platform_rules(self) -> Self:
        if self.mirrored and self.share > MIRROR_MAX:
            raise ValueError(f"{self.share} % mirrored; at most {MIRROR_MAX} % are copied")
        return self


class CustomMinute(BaselineMinute):
    """What a custom guard was told of one minute: counts of both, or a reading of the canary."""

    canary: Counts | None = None


class Recording(Frozen):
    """What was counted, minute by minute; times are UTC, minutes in order, each once."""

    format: Literal["rollout-minutes/1"] = FORMAT
    rollout: str | None = Field(None, description="the id of the rollout that was recorded")
    endpoint: str = Field("recorded", description="workspace/endpoint")
    canary: Name = "canary"
    baseline: Name | None = Field("baseline", description="null: a first deployment")
    managed: bool = Field(default=True, description="false: a Kubernetes endpoint")
    minute_seconds: Annotated[float, Field(gt=0, le=3600)] = 60
    lag_minutes: Annotated[int, Field(ge=0, le=60)] = Field(
        LAG_MINUTES, description="how far behind the metrics were read"
    )
    minutes: Annotated[tuple[RecordedMinute, ...], Field(max_length=MINUTES_MAX)]
    history: Annotated[tuple[BaselineMinute, ...], Field(max_length=MINUTES_MAX)] = Field(
        (), description="the baseline before the rollout"
    )
    shares: tuple[Share, ...] = Field((), description="when each share was first seen; for reading")
    source: Source = Field(Source.METRICS, description="where the minutes were read")
    pairs: Annotated[tuple[Pairs, ...], Field(max_length=2 * MINUTES_MAX)] | None = Field(
        None, description="pairs of answers, minute by minute; null: none were recorded"
    )
    custom: Mapping[str, Annotated[tuple[CustomMinute, ...], Field(max_length=2 * MINUTES_MAX)]] = (
        Field(default_factory=dict, description="of custom guards, by where they are kept")
    )

    @field_validator("minutes", "history")
    @classmethod
    def _in_order(cls, minutes: tuple[BaselineMinute, ...]) -> tuple[BaselineMinute, ...]:
        for place, (before, one) in enumerate(itertools.pairwise(minutes), 1):
            if one.at == before.at:
                raise ValueError(f"[{place}]: {one.at} comes twice; each minute comes once")
            if one.at < before.at:
                raise ValueError(f"[{place}]: {one.at} stands after {before.at}; oldest first")
        return minutes

    @model_validator(mode="after")
    def _fits(self) -> Self:
        odd = next((one.at for one in self._all if (one.at - EPOCH) % self.minute), None)
        if odd:
            raise ValueError(f"{odd} is not the start of a minute of {self.minute_seconds:g} s")
        if self.span > MINUTES_MAX:
            raise ValueError(f"minutes: they span {self.span} minutes; at most {MINUTES_MAX}")
        if self.history and self.minutes and self.history[-1].at >= self.minutes[0].at:
            raise ValueError("history: it ends before the first of the minutes")
        if self.canary == self.baseline:
            raise ValueError(f"canary and baseline are both {self.canary!r}")
        return self

    @model_validator(mode="after")
    def _could_be(self) -> Self:
        for place, one in enumerate(self.minutes):
            if self.baseline is None and one.share not in {0, 100}:
                raise ValueError(f"minutes[{place}]: {one.share} % without a baseline beside it")
            if one.mirrored and not self.managed:
                raise ValueError(f"minutes[{place}]: a Kubernetes endpoint mirrors nothing")
        return self

    @property
    def _all(self) -> Sequence[BaselineMinute]:
        return (*self.history, *self.minutes)

    @property
    def span(self) -> int:
        """From the first minute to the last, those not recorded included."""
        if not self.minutes:
            return 0
        return (self.minutes[-1].at - self.minutes[0].at) // self.minute + 1

    @property
    def minute(self) -> timedelta:
        return timedelta(seconds=self.minute_seconds)

    @property
    def lag(self) -> timedelta:
        return self.lag_minutes * self.minute


def of_kubernetes(recording: Recording) -> Recording:
    """The same of a Kubernetes endpoint; raises Malformed for copies, which none makes."""
    told = recording.model_copy(update={"managed": False})
    return parse_recording(told.model_dump_json(), recording.rollout or recording.endpoint)


def parse_recording(text: str, name: str) -> Recording:
    """Read a recording; raises Malformed with each place that is wrong, one a line."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"{name}: not JSON: {error}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise Malformed(
            f"{name}: not a recording: it is a JSON object with format {FORMAT!r};"
            " write one with `rollout minutes REF`"
        )
    try:
        return Recording.model_validate(value)
    except ValidationError as error:
        lines = [f"{name}: {line}" for line in _problems(error)]
        raise Malformed("\n".join(lines[:PROBLEMS_MAX])) from error


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        place = _place(problem["loc"])
        told = problem["msg"].removeprefix("Value error, ")
        join = "" if told.startswith("[") else ": " if place else ""
        yield f"{place}{join}{told}"


def _place(parts: Sequence[Any]) -> str:
    """`minutes[3].canary`."""
    told = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return told.removeprefix(".")
