"""Every setting in one typed place: its name, its default, and what it is for."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from rollout.addresses import LOOPBACK, check_container, check_service_bus, is_azurite
from rollout.core.alert_labels import AlertLabels
from rollout.core.callers import LocalToken, parse_tokens
from rollout.core.endpoint import WorkspaceId
from rollout.core.frozen import Frozen
from rollout.core.notify import Targets
from rollout.errors import Malformed

PREFIX = "ROLLOUT_"
CLIENTS_OWN = frozenset(
    {"ROLLOUT_URL", "ROLLOUT_TOKEN", "ROLLOUT_CONTEXT", "ROLLOUT_CONFIG"}
    | {"ROLLOUT_SCORING_PYTHON", "ROLLOUT_SDK_PYTHON", "ROLLOUT_FUNCTIONS_PYTHON"}
)
"""Variables of the command line and of the tests, which are no settings of a controller."""
INSTALLATION_SECRET_MIN = 16
TOKENS_FILE = "tokens"
"""In the folder of the embedded store: the digests of local tokens."""


_TENANT = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")


class Identity(StrEnum):
    """Whose name the controller has before Azure."""

    MANAGED = "managed"  # the app's managed identity
    DEVELOPER = "developer"  # whoever has signed in on this machine
    EMULATOR = "emulator"  # nobody: the emulator takes any token


class Settings(Frozen):
    """What an installation is told from outside, each by the variable ROLLOUT_<NAME>."""

    api_token: SecretStr | None = Field(
        None, description="the installation's own token: an admin who says who they are; or none"
    )
    tokens: tuple[LocalToken, ...] = Field(
        (), description="of named callers, NAME:ROLE:SHA256 by comma: rollout token new"
    )
    entra_tenant: str | None = Field(
        None, description="id of the tenant of Entra ID whose access tokens are taken"
    )
    entra_audience: tuple[str, ...] = Field(
        (), description="of those tokens, by comma: api://..., and the application's client id"
    )
    entra_authority: str = Field(
        "https://login.microsoftonline.com", description="where Entra ID publishes its keys"
    )
    requests_per_minute: int = Field(
        3000, ge=60, description="of one caller, on each instance; more are answered 429"
    )
    hook_age_hours: int = Field(72, ge=1, le=720, description="older hooks and events are refused")
    github_secret: SecretStr | None = Field(None, description="of GitHub's webhook")
    github_secret_next: SecretStr | None = Field(
        None, description="a second one that counts as well, while they change"
    )
    azure_devops_secret: SecretStr | None = Field(
        None, description="of the service hooks of Azure DevOps"
    )
    azure_devops_secret_next: SecretStr | None = Field(
        None, description="a second one that counts as well, while they change"
    )
    alert_labels: AlertLabels = Field(
        AlertLabels(), description="labels of Alertmanager's alerts, and what severities mean"
    )
    workspaces: Annotated[tuple[WorkspaceId, ...], Field(min_length=1)] = Field(
        description="ARM ids of the workspaces whose endpoints are rolled out, by comma"
    )
    installation: str = Field("local", min_length=1, max_length=64, description="the owner's tag")
    data: Path = Field(Path(".rollout"), description="the folder of the embedded store")
    storage: SecretStr | None = Field(
        None, description="the storage account that keeps all state; none: the embedded store"
    )
    keep_days: int | None = Field(
        None, ge=1, le=36_500, description="of ended rollouts and their history; none: for ever"
    )
    storage_suffix: str = Field(
        "core.windows.net",
        pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$",
        description="where storage accounts are; another in sovereign clouds",
    )
    policies: Path = Field(Path("policies"), description="the policies deployed with the app")
    arm_url: str = Field("https://management.azure.com", description="where ARM answers")
    identity: Identity = Field(Identity.MANAGED, description="managed, developer or emulator")
    client_id: str | None = Field(None, description="of a user-assigned managed identity")
    service_bus: SecretStr | None = Field(
        None, description="the namespace, NAME.servicebus.windows.net; none: the embedded queue"
    )
    clock_speed: float = Field(1, ge=1, le=60, description="policy minutes pass so much faster")
    write_verb: Literal["put", "patch-preview"] = Field("put", description="how traffic is set")
    key_vault: str | None = Field(None, description="the URL of the Key Vault for endpoint keys")
    secret_file: Path | None = Field(
        None, description="without a Key Vault: the file of keys, by default secrets.json in data"
    )
    installation_secret: SecretStr | None = Field(
        None, description="by which keys are recognised; by default made once, beside the keys"
    )
    metrics_lag_minutes: int = Field(2, ge=1, le=30, description="how far metrics lag behind")
    metrics_api: Literal["single", "batch"] = Field(
        "single", description="metrics by ARM, or by the region's batch API with its own quota"
    )
    metrics_url: str = Field(
        "https://{region}.metrics.monitor.azure.com",
        description="where the batch API answers; {region} is the endpoint's own",
    )
    logs_workspace: str | None = Field(
        None,
        pattern=r"^[0-9A-Za-z-]{1,64}$",
        description="customer id of the Log Analytics workspace with the traffic log",
    )
    logs_url: str = Field("https://api.loganalytics.io", description="where log queries answer")
    logs_lag_minutes: int = Field(
        10,
        ge=1,
        le=60,
        description="how far logs lag behind; 10: by then Azure has written every row",
    )
    collector: str | None = Field(
        None, description="where data collectors write to: https://ACCOUNT.blob..., or a folder"
    )
    collector_lag_minutes: int = Field(2, ge=1, le=180, description="how far that lags behind")
    prometheus_url: str | None = Field(
        None, description="the Prometheus that guards may ask; plain http is up to you"
    )
    prometheus_token: SecretStr | None = Field(None, description="what that Prometheus is shown")
    outgoing_private: bool = Field(
        default=False,
        description="guards and notices may ask private addresses and plain http; else"
        " public https alone",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        description="where people reach this controller; notices link to it, none: no links",
    )
    notify: SecretStr | None = Field(
        None, description="the places of notices: JSON of names, addresses and secrets by kind"
    )
    telemetry: Literal["off", "opentelemetry"] = Field(
        "off", description="spans and metrics of the controller itself"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="one JSON object a line, or not"
    )
    log_level: Literal["debug", "info", "warning"] = Field(
        "info", description="the least that the controller itself logs"
    )

    @field_validator("workspaces", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(WorkspaceId.parse(part) for part in value.split(",") if part.strip())
        return value

    @field_validator("tokens", mode="before")
    @classmethod
    def _entries(cls, value: object) -> object:
        try:
            return parse_tokens(value) if isinstance(value, str) else value
        except Malformed as error:
            raise ValueError(str(error)) from error

    @field_validator("entra_audience", mode="before")
    @classmethod
    def _audiences(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("entra_authority")
    @classmethod
    def _keys_come_over_https(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError(f"{url} must be https: whoever changes the keys on the way gets in")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _someone_gets_in(self) -> Self:
        if self.entra_audience and not _TENANT.fullmatch(self.entra_tenant or ""):
            raise ValueError(
                "entra_audience needs entra_tenant, the id of one tenant, such as"
                " 00000000-0000-0000-0000-000000000000"
            )
        if self.api_token is None and not self.tokens and not self.entra_audience:
            raise ValueError(
                "nobody could get in: set ROLLOUT_API_TOKEN, ROLLOUT_TOKENS or"
                " ROLLOUT_ENTRA_AUDIENCE"
            )
        return self

    @field_validator("storage")
    @classmethod
    def _without_shared_keys(cls, storage: SecretStr | None) -> SecretStr | None:
        if storage is None or _ACCOUNT.fullmatch(storage.get_secret_value()):
            return storage
        if not is_azurite(storage.get_secret_value()):
            raise ValueError(
                "must be the name of a storage account (3 to 24 small letters and digits), which"
                " the app's identity opens: there are no shared keys; a connection string is taken"
                " only for Azurite on this machine"
            )
        return storage

    @model_validator(mode="after")
    def _storage_is_opened_by_someone(self) -> Self:
        if self.storage and not self.is_azurite and self.identity is Identity.EMULATOR:
            raise ValueError(
                f"identity emulator cannot open the storage account"
                f" {self.storage.get_secret_value()}: take Azurite, or leave storage out"
            )
        return self

    @field_validator("service_bus")
    @classmethod
    def _without_keys(cls, address: SecretStr | None) -> SecretStr | None:
        """A namespace; a string with a key only for a broker on this machine."""
        if address is not None:
            check_service_bus(address.get_secret_value())
        return address

    @field_validator("alert_labels", mode="before")
    @classmethod
    def _labels(cls, value: object) -> object:
        try:
            return AlertLabels.parse(value) if isinstance(value, str) else value
        except Malformed as error:
            raise ValueError(str(error)) from error

    @field_validator("key_vault")
    @classmethod
    def _over_https(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "https://vault")
        if parts.scheme != "https" or not parts.hostname or parts.username:
            raise ValueError(f"{url} is not the address of a vault; write https://NAME.vault...")
        return url

    @field_validator("collector")
    @classmethod
    def _a_container(cls, place: str | None) -> str | None:
        check_container(place or "")
        return place

    @field_validator("installation_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < INSTALLATION_SECRET_MIN:
            raise ValueError(f"it needs at least {INSTALLATION_SECRET_MIN} characters")
        return secret

    @field_validator("notify")
    @classmethod
    def _places(cls, text: SecretStr | None) -> SecretStr | None:
        try:
            Targets.parse(text.get_secret_value() if text else "{}")
        except Malformed as error:
            raise ValueError(f"{error}; see docs/howto/notify.md") from error
        return text

    @property
    def targets(self) -> Targets:
        return Targets.parse(self.notify.get_secret_value() if self.notify else "{}")

    @model_validator(mode="after")
    def _only_the_laptop_is_fast(self) -> Self:
        if not self.is_loopback:
            if self.clock_speed != 1:
                raise ValueError(
                    f"clock_speed {self.clock_speed:g} needs an ARM address on this machine,"
                    f" not {self.arm_url}: time on Azure cannot be hurried"
                )
            if self.identity is Identity.EMULATOR:
                raise ValueError(f"identity emulator is refused for {self.arm_url}")
            if urlsplit(self.arm_url).scheme != "https":
                raise ValueError(f"arm_url {self.arm_url} must be https")
        if self.identity is Identity.EMULATOR and self._is_namespace:
            raise ValueError("identity emulator is refused for a namespace of Service Bus")
        return self

    @model_validator(mode="after")
    def _tokens_go_over_https(self) -> Self:
        for name in ("metrics_url", "logs_url"):
            parts = urlsplit(url := str(getattr(self, name)))
            if parts.scheme != "https" and parts.hostname not in LOOPBACK:
                raise ValueError(f"{name} {url} must be https")
        if self.prometheus_url and urlsplit(self.prometheus_url).scheme not in {"http", "https"}:
            raise ValueError(f"prometheus_url {self.prometheus_url} must be an http or https URL")
        return self

    @property
    def _is_namespace(self) -> bool:
        return self.service_bus is not None and "=" not in self.service_bus.get_secret_value()

    @property
    def secrets(self) -> Path:
        """The file of keys where no vault is named."""
        return self.secret_file or self.data / "secrets.json"

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """Every secret that is set, for whoever has to keep them out of a text."""
        given = (getattr(self, name) for name in type(self).model_fields)
        whole = (one.get_secret_value() for one in given if isinstance(one, SecretStr))
        return (*whole, *self.targets.secrets)

    @property
    def is_loopback(self) -> bool:
        return urlsplit(self.arm_url).hostname in LOOPBACK

    @property
    def is_azurite(self) -> bool:
        """Whether `storage` is a connection string to Azurite on this machine."""
        return self.storage is not None and "=" in self.storage.get_secret_value()

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the variables; raises Malformed that names each wrong one and the remedy.

        A variable that begins like a setting and is none is wrong: a typo must not be read past.
        """
        given: dict[str, Any] = {
            name: environment[variable]
            for name in cls.model_fields
            if (variable := PREFIX + name.upper()) in environment
        }
        strange = [
            _strange(variable, cls)
            for variable in sorted(environment)
            if _is_strange(variable, cls)
        ]
        try:
            found = cls.model_validate(given)
        except ValidationError as error:
            told = [_told(problem) for problem in error.errors()]
            raise Malformed("\n".join(told + strange)) from error
        if strange:
            raise Malformed("\n".join(strange))
        return found


def _is_strange(variable: str, settings: type[Settings]) -> bool:
    name = variable.removeprefix(PREFIX).lower()
    return (
        variable.startswith(PREFIX)
        and variable not in CLIENTS_OWN
        and (name not in settings.model_fields or variable != variable.upper())
    )


def _strange(variable: str, settings: type[Settings]) -> str:
    near = get_close_matches(variable.removeprefix(PREFIX).lower(), settings.model_fields, n=1)
    hint = "unset it; see what there is: rollout settings"
    if near:
        hint = f"did you mean {PREFIX}{near[0].upper()}?"
    return f"{variable}: there is no such setting; {hint}"


def _told(problem: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    name = str(problem["loc"][0]) if problem["loc"] else ""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not name:
        return f"settings: {message}"
    field = Settings.model_fields.get(name)
    meant = f" ({field.description})" if field else ""
    said = "is not set" if problem["type"] == "missing" else message
    return f"{PREFIX}{name.upper()}{meant}: {said}"
