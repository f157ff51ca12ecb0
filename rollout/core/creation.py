"""How a deployment that is not there comes to be: from a file beside the policies."""

from collections.abc import Mapping

from pydantic import Field, JsonValue

from rollout.core.frozen import Frozen


class CreateWish(Frozen):
    """The file, and the values for the names in its braces."""

    template: str
    values: Mapping[str, str] = Field(default_factory=dict)


class Creation(Frozen):
    """The body of the request that creates it, and the model it is to serve."""

    template: str
    body: Mapping[str, JsonValue]
    model: str | None

    def is_model_of(self, model: str | None) -> bool:
        """Whether a deployment that is there serves the same; ids are alike in any case."""
        return (model or "").lower() == (self.model or "").lower()
