"""Scenario files: what traffic, which worlds and which canaries are tried."""

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

DEFAULT = Path(__file__).with_name("scenarios.json")


class WrongFile(ValueError):
    """A scenario file that cannot be played; the message names each place."""


@dataclass(frozen=True, slots=True)
class World:
    """What else happens: a shared outage, a wandering rate, failures in clusters.

    With a calm history the clusters begin with the rollout.
    """

    name: str
    outage_rate: float = 0.0
    outage_minutes: int = 0
    outage_begins: tuple[int, int] = (1, 1)
    wobble: float = 0.0
    wobble_memory: float = 0.0
    cluster_mean: float = 1.0
    calm_history: bool = field(default=False, repr=False)  # a world's luck hangs on its repr


@dataclass(frozen=True, slots=True)
class Cell:
    """One endpoint: its traffic and the rate at which its baseline fails."""

    requests_per_second: float
    baseline_rate: float

    @property
    def requests_per_minute(self) -> float:
        return 60 * self.requests_per_second


@dataclass(frozen=True, slots=True)
class Scenarios:
    lag_minutes: int
    schedule: tuple[tuple[int, int], ...]
    cells: tuple[Cell, ...]
    effects: tuple[float, ...]
    history_minutes: int
    worlds: tuple[World, ...]

    @property
    def shares(self) -> tuple[int, ...]:
        """The canary's share in percent in every minute."""
        return tuple(share for share, minutes in self.schedule for _ in range(minutes))

    @property
    def judged_minutes(self) -> int:
        """The minutes before the canary has all traffic."""
        return sum(share < 100 for share in self.shares)


ALL = float("inf")
"""The effect of a canary that fails every request."""


def load(path: Path = DEFAULT) -> Scenarios:
    """Read a scenario file; raises WrongFile."""
    try:
        raw = _File.model_validate(from_json(path.read_bytes()))
    except OSError as error:
        raise WrongFile(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        places = [f"- {_place(one['loc'])}: {one['msg']}" for one in error.errors()]
        raise WrongFile("\n".join([f"{path}: cannot be played", *places])) from error
    except ValueError as error:
        raise WrongFile(f"{path}: not JSON: {error}") from error
    return Scenarios(
        lag_minutes=raw.lag_minutes,
        schedule=tuple(raw.schedule),
        cells=tuple(Cell(*pair) for pair in product(raw.requests_per_second, raw.baseline_rates)),
        effects=tuple(ALL if effect == "all" else effect for effect in raw.effects),
        history_minutes=raw.history_minutes,
        worlds=tuple(World(name, **each.model_dump()) for name, each in raw.worlds.items()),
    )


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the file"


def canary_rate(baseline_rate: float, effect: float) -> float:
    return min(1.0, baseline_rate * effect)


# -- the file --------------------------------------------------------------------------------------

Minutes = Annotated[int, Field(ge=0, le=1440)]
Minute = Annotated[int, Field(ge=1, le=1440)]
Percent = Annotated[int, Field(ge=1, le=100)]
Part = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Load = Annotated[float, Field(gt=0, le=100_000)]
Effect = Annotated[float, Field(gt=1, allow_inf_nan=False)] | Literal["all"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _World(_Strict):
    outage_rate: Part = 0.0
    outage_minutes: Minutes = 0
    outage_begins: tuple[Minute, Minute] = (1, 1)
    wobble: Annotated[float, Field(ge=0, le=3)] = 0.0
    wobble_memory: Part = 0.0
    cluster_mean: Annotated[float, Field(ge=1, le=1000)] = 1.0
    calm_history: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.outage_begins[0] > self.outage_begins[1]:
            raise ValueError("outage_begins: write the first minute before the last")
        return self


class _File(_Strict):
    lag_minutes: Minutes
    schedule: Annotated[list[tuple[Percent, Minute]], Field(min_length=1)]
    requests_per_second: Annotated[list[Load], Field(min_length=1)]
    baseline_rates: Annotated[list[Rate], Field(min_length=1)]
    effects: Annotated[list[Effect], Field(min_length=1)]
    history_minutes: Minutes
    worlds: Annotated[dict[str, _World], Field(min_length=1)]

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if not any(share < 100 for share, _ in self.schedule):
            raise ValueError("schedule: at 100 % there is nothing to compare with; add a share")
        return self
