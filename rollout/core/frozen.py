"""The base of everything that crosses a boundary."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: checked once at birth, never changed, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float")
