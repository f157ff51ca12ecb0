"""Key Vault's event that a secret is about to expire, as Event Grid brings it in either schema."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rollout.errors import Malformed

NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    vault: _Text = Field(alias="VaultName")
    name: _Text = Field(alias="ObjectName")
    version: str = Field("", alias="Version", max_length=100)


class NearExpiry(BaseModel):
    """A version of a secret in a vault; by that a repeat is known."""

    model_config = ConfigDict(frozen=True)

    vault: str
    name: str
    version: str

    @property
    def event_id(self) -> str:
        return f"expiry:{self.version or self.name}"


def read_near_expiry(data: dict[str, Any]) -> NearExpiry:
    """Read the event's data, alike in both schemas; raises Malformed that names the place."""
    try:
        told = _Data.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"{NEAR_EXPIRY}: data.{place}: {first['msg']}") from error
    return NearExpiry(vault=told.vault, name=told.name, version=told.version)
