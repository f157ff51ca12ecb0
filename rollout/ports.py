"""What we need from outside, and what each must promise."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts
from rollout.core.creation import Creation
from rollout.core.endpoint import EndpointId, EndpointView
from rollout.core.head import Head, HistoryEntry
from rollout.core.rollout import Rollout
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack

# -- time and identity -----------------------------------------------------------------------


class Clock(Protocol):
    """The only source of time; `minute` is the length of a policy minute (60 s by default)."""

    @property
    def minute(self) -> timedelta: ...

    def now(self) -> datetime:
        """The present, aware, UTC."""
        ...


# -- state -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """An endpoint's head row as loaded, with the mark under which it may be replaced.

    `etag` is None where there is no row yet.
    """

    head: Head
    etag: str | None


Ended = tuple[datetime, str]
"""When a rollout ended, and its id: its place among those that ended."""


class Store(Protocol):
    """State and history of all endpoints; every call takes the endpoint key first.

    A save replaces the head row, writes the history entry and (where the rollout is over) the row
    of the finished rollout in one transaction: all or nothing.
    """

    def load(self, endpoint: EndpointId) -> Held: ...

    def load_key(self, key: str) -> Held:
        """The same by partition key; raises Unknown where there is no row."""
        ...

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        """Replace what was held; raises Conflict when it is no longer what is stored."""
        ...

    def due(self, before: datetime, limit: int) -> Sequence[Head]:
        """Heads whose `due_at` is before that time, earliest first, without a scan."""
        ...

    def going_back(self, before: datetime, limit: int) -> Sequence[Head]:
        """Those of `due` that are on their way back, found among however many others."""
        ...

    def live(self, limit: int, after: str = "") -> Sequence[Head]:
        """Heads with a live rollout by their keys, those above that one, without a scan."""
        ...

    def ended(self, limit: int, after: Ended | None = None) -> Sequence[Rollout]:
        """Finished rollouts of all endpoints behind that one: latest first, then highest id."""
        ...

    def rollout(self, key: str, rollout_id: str) -> Rollout | None:
        """A live or finished rollout of that endpoint."""
        ...

    def history(self, key: str, after: int = 0, limit: int = 1000) -> Sequence[HistoryEntry]:
        """The endpoint's entries with a number above `after`, in order."""
        ...

    def repair(self) -> int:
        """See by a full pass that `due`, `live` and `ended` miss nothing; how much they missed.

        Slow: for a rare timer.
        """
        ...


# -- messages to ourselves -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One queued message; those of one session are delivered one at a time, in order."""

    queue: str
    session: str
    id: str
    body: bytes
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was delivered too often without being completed."""

    message: Message
    reason: str
    deliveries: int
    at: datetime


class Queue(Protocol):
    """Delivers at least once, in order within a session, not before its time.

    A message whose id was sent within the last hour is dropped silently, also when it was
    scheduled (the window runs from the send).
    """

    def send(self, message: Message) -> None: ...

    def dead_letters(self, limit: int = 100) -> Sequence[DeadLetter]: ...

    def resend(self, queue: str, message_id: str) -> None:
        """Move a dead letter back, due at once; raises Unknown."""
        ...


class Telemetry(Protocol):
    """Where spans and numbers about our own work go; it never raises, and nothing waits for it."""

    @property
    def on(self) -> bool:
        """Whether anybody takes them: what costs a call is not asked for nobody."""
        ...

    def span(self, name: str, parent: str | None = None) -> AbstractContextManager[None]:
        """A span about what is being worked on; `parent` is a W3C traceparent from outside."""
        ...

    def about(self, facts: Mapping[str, str]) -> None:
        """Say of every open span what it is about."""
        ...

    def tell(self, signal: str, value: float, attributes: Mapping[str, str]) -> None:
        """A number of the table of signals."""
        ...


# -- Azure Machine Learning ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The platform took a write; `operation` is the URL that tells how it goes on.

    None where nothing had to be written, because a GET showed the wish fulfilled already.
    """

    operation: str | None


@dataclass(frozen=True, slots=True)
class OtherMap:
    """Before a write another traffic map was found than expected; nothing was written."""

    found: Traffic


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Before a write it was no longer wanted; nothing was written."""


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """What a long-running operation says of itself: never proof, only news."""

    running: bool
    failure: str | None = None


class Endpoints(Protocol):
    """Online endpoints by ARM.

    Every call raises Unavailable (409, 429, 5xx, no connection), Refused (any other no) or
    Unknown (404).
    """

    def read(self, endpoint: EndpointId) -> EndpointView: ...

    def set_traffic(
        self,
        endpoint: EndpointId,
        traffic: Traffic,
        expect: Traffic | None,
        still_wanted: Callable[[], bool],
        way_back: WayBack | None = None,
    ) -> Accepted | OtherMap | Withdrawn:
        """GET, compare with what is expected, ask `still_wanted`, then PUT the whole endpoint.

        With `expect` None nothing is compared, and nothing is asked. The same write leaves the
        `way_back` in the endpoint's tags; a rollout that was aborted there is not wanted any more.
        """
        ...

    def give_back(
        self, endpoint: EndpointId, traffic: Traffic, mark: AbortedAtAzure | None
    ) -> Accepted:
        """Write that map whatever is found, and by the same request leave the mark.

        Where both are there already nothing is written.
        """
        ...

    def claim(self, endpoint: EndpointId, owner: str) -> Accepted:
        """Write the owner's tag, keeping all other tags."""
        ...

    def create(self, endpoint: EndpointId, deployment: str, creation: Creation) -> Accepted:
        """Create a deployment; one of that name with the same model counts as created.

        Raises Refused where one of that name serves another model.
        """
        ...

    def scale(self, endpoint: EndpointId, deployment: str, instances: int) -> Accepted: ...

    def delete(self, endpoint: EndpointId, deployment: str) -> Accepted:
        """Delete a deployment; one that is gone already counts as deleted."""
        ...

    def operation(self, url: str) -> OperationStatus:
        """Follow the URL verbatim; one that is lost (404) is neither running nor failed."""
        ...


Minutes = Mapping[datetime, Mapping[str, Counts]]
"""Counts by the minute's start and the deployment's name; what has no point is left out."""


class Metrics(Protocol):
    """Per-minute counts of an endpoint's deployments."""

    source: str

    @property
    def lag(self) -> timedelta:
        """How far behind the present a minute may be read."""
        ...

    def read(self, endpoint: EndpointId, since: datetime, until: datetime) -> Minutes:
        """Whole minutes in [since, until); raises Unavailable or Refused."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What a custom guard is asked about: whole minutes in [since, until) of both deployments."""

    endpoint: EndpointId
    canary: str
    baseline: str | None
    since: datetime
    until: datetime
    minute: timedelta
    rollout_id: str
    stage: str


class CustomGuards(Protocol):
    """What the guards of a policy ask for themselves: by KQL, of Prometheus, over HTTP."""

    def missing(self, guard: Guard) -> str | None:
        """Why such a guard cannot be asked here, with the remedy; None: it can."""
        ...

    def lag(self, guard: Guard) -> timedelta:
        """How far behind the present its minutes may be read."""
        ...

    def read(self, guard: Guard, question: Question) -> Minutes:
        """Counts of each minute, or one reading in the last minute before `until`.

        Raises Unavailable or Refused; whatever it cannot tell is never a pass.
        """
        ...


class Samples(Protocol):
    """The minutes read so far, kept in chunks of one hour by (endpoint, hour, source)."""

    def save(self, key: str, source: str, minutes: Minutes) -> None:
        """Add minutes; one that is there already is replaced whole."""
        ...

    def read(self, key: str, source: str, since: datetime, until: datetime) -> Minutes: ...

    def forget(self, key: str, before: datetime) -> None:
        """Drop chunks that end before that time."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scoring request got: the status, the body, and how long it took."""

    status: int
    body: bytes
    took: timedelta
    reason: str = ""


class Scoring(Protocol):
    """The endpoint's data plane, for requests of our own."""

    def score(self, endpoint: EndpointId, deployment: str, body: bytes) -> Answer:
        """Send one request to one deployment by header; raises Unavailable, Refused."""
        ...


# -- policies --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file of policies as it was written; `pushed` tells where it comes from.

    With an `error` it could not be read: the text is empty, and the error is a sentence for people.
    """

    name: str
    text: str
    pushed: bool = False
    error: str | None = None


class PolicyFiles(Protocol):
    """The policies deployed with the app, and those pushed; the pushed one wins."""

    def list(self) -> Sequence[PolicyFile]:
        """All by name, one that cannot be read with its error; raises Unavailable, Refused."""
        ...

    def read(self, name: str) -> PolicyFile:
        """Raises Unknown, naming what there is, or PolicyError."""
        ...

    def push(self, name: str, text: str) -> None: ...

    def remove(self, name: str) -> None:
        """Take back a pushed file; raises Unknown where none was pushed."""
        ...

    def attachment(self, path: str) -> bytes:
        """A file beside the policies, such as smoke requests; raises Unknown."""
        ...

    def attached(self, folder: str) -> Sequence[str]:
        """The paths of the JSON Lines files in a folder beside the policies; raises Unknown."""
        ...

    def attach(self, path: str, content: bytes) -> None: ...
