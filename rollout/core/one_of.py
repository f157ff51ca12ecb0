"""A mapping with one key, which names the kind of what it holds."""

from typing import Any, ClassVar, Self

from pydantic import ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator

from rollout.core.frozen import Frozen


class OneOf(Frozen):
    """Every field is a kind, and None but for one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    rule: ClassVar[str]
    """What is told to who gives none, or several."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = sorted(self.model_fields_set)
        if len(given) != 1 or getattr(self, given[0]) is None:
            raise ValueError(f"{self.rule}, not {given or 'none'}")
        return self

    @model_serializer(mode="wrap")
    def _only_that_one(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is dumped can be read again: the kinds it is not are left out."""
        return {kind: what for kind, what in write(self).items() if what is not None}

    @property
    def given(self) -> Any:  # noqa: ANN401 - of the kind that its key names
        return getattr(self, next(iter(self.model_fields_set)))
