"""The bodies of the answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field, RootModel

from rollout.core.frozen import Frozen
from rollout.core.head import Checkpoint, HistoryEntry
from rollout.core.pairs_from import PairsFrom
from rollout.views import RolloutView


class Problem(Frozen):
    """Why not, as RFC 9457 writes it."""

    type: str
    title: str
    status: int
    detail: str = Field(description="the place and the remedy, for the person who reads it")
    instance: str | None = None


class Health(Frozen):
    status: Literal["ok"] = "ok"


class About(Frozen):
    """Which controller this is."""

    installation: str
    version: str
    clock_speed: float = Field(description="policy minutes pass so much faster here")
    minute_seconds: float = Field(description="the length of a policy minute here")
    arm_url: str
    workspaces: tuple[str, ...] = Field(description="ARM ids, in lower case")
    now: datetime
    unknown_events: Mapping[str, int] = Field(
        description="events of Event Grid that mean nothing here, since this process began"
    )


class Queued(Frozen):
    """What was started waits for its turn."""

    queued: str = Field(description="the deployment")
    order: str = Field("", description="of this start; the rollout that comes of it has it too")
    behind: str | None = Field(
        None, description="the id of the rollout, or rotation of keys, that goes first, if any"
    )
    until: datetime | None = Field(None, description="when the freeze ends that it waits for")
    why: str


class Decided(Frozen):
    decided: str = Field(description="what was decided, and why")


class QueuedOrDecided(RootModel[Queued | Decided]):
    """It waits for its turn; or nothing starts, and why."""


class WaitingStart(Frozen):
    """A start that has not begun: behind a rollout or a rotation, or until a freeze ends."""

    endpoint: str = Field(description="workspace/endpoint")
    deployment: str
    who: str
    why: str
    behind: str | None = Field(None, description="the id of the live rollout that goes first")
    until: datetime | None = Field(None, description="when the freeze ends that it waits for")


class RolloutList(Frozen):
    rollouts: tuple[RolloutView, ...] = Field(
        description="of this page those that need a person come first"
    )
    waiting: tuple[WaitingStart, ...] = Field(
        (), description="starts that have not begun; told by the first page"
    )
    next: str | None = Field(
        None,
        description="ask with `after` for the rest; none: these were the last. What ends meanwhile"
        " may come again, as over",
    )


class History(Frozen):
    entries: tuple[HistoryEntry, ...]


class EventsTaken(Frozen):
    """What came of each event; or, for a handshake, its code."""

    decided: tuple[str, ...] = ()
    validationResponse: str | None = None  # noqa: N815 - Event Grid's own word


class AuditView(Frozen):
    """Whether an endpoint's history is as it was written."""

    endpoint: str
    key: str
    written: int = Field(description="entries the endpoint has written")
    last: str | None = Field(description="the hash of the last entry; keep it elsewhere")
    pruned: Checkpoint | None = Field(description="behind it history was removed")
    entries: int = Field(description="entries found")
    unchained: int = Field(description="entries of before there were hashes")
    faults: tuple[str, ...] = Field(description="what was changed, is missing, or was cut off")


class AuditPage(Frozen):
    """Entries of all rollouts of one endpoint, as they are hashed."""

    endpoint: str
    key: str
    written: int
    last: str | None
    pruned: Checkpoint | None = Field(description="behind it history was removed")
    entries: tuple[HistoryEntry, ...]


class AnsweredApart(Frozen):
    """A request that the deployments answered differently."""

    request: str = Field(description="its id, in the file or at Azure, or its line")
    canary: str = Field(description="what it answered; or a hash of it, as the policy says")
    baseline: str


class Disagreements(Frozen):
    """How often the answers to the same requests differed, and a sample of where."""

    rollout: str
    pairs_from: PairsFrom | None = Field(
        None, description="what joined the answers; none: nothing is compared, or not known yet"
    )
    requests: str | None = Field(description="the file that they come from; none: there is none")
    sent: int = Field(description="of recorded requests by the prober")
    compared: int = Field(description="answered by both deployments")
    differing: int
    answers_kept: bool = Field(description="false: only hashes of the answers are kept")
    disagreements: tuple[AnsweredApart, ...] = Field(description="as many as the policy keeps")


class DecidedRollout(Decided):
    rollout: RolloutView | None = Field(
        None, description="none: nothing was rolled out on the endpoint yet"
    )


class PolicyRow(Frozen):
    name: str
    pushed: bool = Field(description="else it was deployed with the app")
    version: str | None = Field(description="the hash of the normalised text")
    match: str | None = Field(description="which endpoints it is for")
    error: str | None = Field(description="why it is left out")
    warnings: tuple[str, ...]


class PolicyList(Frozen):
    policies: tuple[PolicyRow, ...]


class PolicyView(Frozen):
    name: str
    pushed: bool
    text: str = Field(description="as a person wrote it")
    normalised: Mapping[str, Any] | None = Field(description="with every default written out")
    version: str | None
    error: str | None
    warnings: tuple[str, ...]


class PolicyCheck(Frozen):
    ok: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    version: str | None


class DeadLetterView(Frozen):
    queue: str
    id: str
    reason: str
    deliveries: int
    at: datetime


class DeadLetterList(Frozen):
    dead_letters: tuple[DeadLetterView, ...]


class AnyEvents(RootModel[dict[str, Any] | list[dict[str, Any]]]):
    """One event of Event Grid or a list of them, in its own schema or as CloudEvents 1.0."""


class Page(RootModel[str]):
    """A small page for people."""

    mime: ClassVar[str] = "text/html; charset=utf-8"


class AnyObject(RootModel[dict[str, Any]]):
    """A JSON object of another standard."""
