"""Key Vault's events that a secret is about to expire, or has, in either schema of Event Grid."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rollout.core.rotation.expiry import Expiry
from rollout.errors import Malformed

NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"
EXPIRED = "Microsoft.KeyVault.SecretExpired"

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
_Version = Annotated[str, StringConstraints(max_length=100, strip_whitespace=True)]


class _Data(BaseModel):
    """Its names are written in several ways by Microsoft itself: read in lower case, trimmed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    vault: _Text = Field(alias="vaultname")
    name: _Text = Field(alias="objectname")
    version: _Version = Field("", alias="version")


def read_expiry(data: dict[str, Any], kind: str = NEAR_EXPIRY) -> Expiry:
    """Read the event's data, alike in both schemas; raises Malformed that names the place."""
    try:
        told = _Data.model_validate({name.strip().lower(): data[name] for name in data})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = _WRITTEN.get(str(first["loc"][0]), "")
        raise Malformed(f"{kind}: data.{place}: {first['msg']}") from error
    return Expiry(vault=told.vault, name=told.name, version=told.version, expired=kind == EXPIRED)


_WRITTEN = {"vaultname": "VaultName", "objectname": "ObjectName", "version": "Version"}
