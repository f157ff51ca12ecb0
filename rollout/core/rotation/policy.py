"""What a person wrote about an endpoint's keys: when they change, and how long clients keep one."""

import hashlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.notify import KeyNotifyRule
from rollout.core.patience import Minutes, SomeMinutes
from rollout.core.policy import Match, Name

if TYPE_CHECKING:
    from croniter import croniter

NAME_MAX = 127
NOTICE = timedelta(days=30)
"""So long before a version's end Key Vault tells of it; of one with a shorter life, at once."""

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z-]")
_TEMPLATE = re.compile(r"([0-9A-Za-z-]|\{workspace\}|\{endpoint\})+")
_CRON_FIELDS = 5


class Schedule(Frozen):
    """When a rotation starts by itself."""

    cron: str = Field(description="minute, hour, day of month, month, day of week")
    zone: str = Field("UTC", description="an IANA time zone, such as Europe/Berlin")

    @field_validator("cron")
    @classmethod
    def _a_schedule(cls, cron: str) -> str:
        if len(cron.split()) != _CRON_FIELDS or not _is_cron(cron):
            raise ValueError(
                f"{cron!r} is no schedule of five fields; write it like '0 3 1 * *',"
                " which is 3:00 on the first of each month"
            )
        return cron

    @field_validator("zone")
    @classmethod
    def _a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, LookupError) as error:
            raise ValueError(f"{zone!r} is no time zone; write one like Europe/Berlin") from error
        return zone

    def last(self, now: datetime) -> datetime:
        """The latest of its moments that is not after `now`, in UTC."""
        local = (now + timedelta(microseconds=1)).astimezone(ZoneInfo(self.zone))
        found: datetime = _moments(self.cron, local).get_prev(datetime)
        return found.astimezone(now.tzinfo)

    def next(self, now: datetime) -> datetime:
        """The first of its moments after `now`, in UTC."""
        local = now.astimezone(ZoneInfo(self.zone))
        found: datetime = _moments(self.cron, local).get_next(datetime)
        return found.astimezone(now.tzinfo)


def _moments(cron: str, local: datetime | None = None) -> "croniter":
    """The moments of a schedule from there; imported where a schedule is, for others start too."""
    from croniter import croniter  # noqa: PLC0415 - its import runs a program

    return croniter(cron, local)


def _is_cron(cron: str) -> bool:
    from croniter import CroniterError, croniter  # noqa: PLC0415 - as above

    try:
        return croniter.is_valid(cron) and _moments(cron).get_next() > 0
    except CroniterError:  # well written, and never due: 30 February
        return False


class Secret(Frozen):
    """Where clients read the key: the name of the secret, and how long a version lives."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        "{workspace}-{endpoint}-key",
        description="{workspace} and {endpoint} stand for their names",
    )
    expiry_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        90, description="the life of a version; Key Vault asks for the next one 30 days before"
    )

    @field_validator("name")
    @classmethod
    def _a_template(cls, name: str) -> str:
        if not _TEMPLATE.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be a secret's name; write letters, digits and '-',"
                " with {workspace} and {endpoint} for the names"
            )
        return name

    def of(self, endpoint: EndpointId) -> str:
        """The secret's name for one endpoint; what Key Vault allows in no name becomes '-'."""
        told = self.name.replace("{workspace}", endpoint.workspace)
        told = told.replace("{endpoint}", endpoint.name)
        return _NOT_IN_NAMES.sub("-", told)[:NAME_MAX]


class Probe(Frozen):
    """The request that a key has to open the endpoint for."""

    requests: str = Field(description="a JSON Lines file beside the policies, as for smoke")
    deployment: Name | None = Field(
        None, description="who answers; none: the deployment with the most live traffic"
    )


class RotationPolicy(Frozen):
    """How the keys of the endpoints it matches are replaced."""

    match: Match
    schedule: Schedule | None = Field(None, description="none: by command or near expiry only")
    overlap_minutes: Minutes = Field(
        60, description="the longest time for which a client keeps a key before it reads again"
    )
    secret: Secret = Secret()
    probe: Probe
    ready_within_minutes: SomeMinutes = Field(
        15, description="so long a new key may be refused before a person is asked"
    )
    lands_within_minutes: SomeMinutes = Field(
        10, description="a regeneration that has not shown by then is asked for again"
    )
    notify: Annotated[tuple[KeyNotifyRule, ...], Field(max_length=10)] = Field(
        (), description="who is told, by the names in the settings"
    )

    @model_validator(mode="after")
    def _one_secret_each(self) -> Self:
        if "*" in self.match.endpoint and "{endpoint}" not in self.secret.name:
            raise ValueError(
                f"secret.name {self.secret.name!r} would be shared by all that"
                f" {self.match.endpoint!r} matches; write {{endpoint}} into it"
            )
        return self


class RotationDocument(Frozen):
    """A file of its own beside the rollout policies, known by its key `rotation`."""

    schema_: Literal[1] = Field(alias="schema", default=1)
    rotation: RotationPolicy

    @property
    def match(self) -> Match:
        return self.rotation.match

    @property
    def version(self) -> str:
        """The hash of the normalised text."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:12]

    def text(self) -> str:
        """The normalised text: JSON with every default written out."""
        return self.model_dump_json(by_alias=True, exclude_none=True)
