"""What the controller tells of itself: every number by name, and what is being worked on now."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

ENDPOINT, ROLLOUT_ID, EVENT_ID = "endpoint", "rollout_id", "event_id"


class Kind(StrEnum):
    GAUGE = "gauge"  # the last value counts
    COUNTER = "counter"  # adds up
    HISTOGRAM = "histogram"  # the spread counts


@dataclass(frozen=True, slots=True)
class Signal:
    kind: Kind
    unit: str
    attributes: tuple[str, ...]
    meaning: str


_ROLLOUT = (ENDPOINT, ROLLOUT_ID)
PHASE = "rollout.phase"
WEIGHT = "rollout.weight"
EVIDENCE = "rollout.evidence"
ROLLBACKS = "rollout.rollbacks"
PROMOTIONS = "rollout.promotions"
ROLLBACK_REQUEST = "rollout.rollback.request_time"
ALERT_REQUEST = "rollout.alert.request_time"
OLDEST_STEP = "rollout.steps.oldest_age"
DEAD_LETTERS = "rollout.dead_letters"

SIGNALS: Mapping[str, Signal] = {
    PHASE: Signal(
        Kind.GAUGE,
        "1",
        (*_ROLLOUT, "phase"),
        "1 for the phase a rollout is in, 0 for the one it left",
    ),
    WEIGHT: Signal(
        Kind.GAUGE,
        "%",
        _ROLLOUT,
        "the canary's share of live traffic, as last seen",
    ),
    EVIDENCE: Signal(
        Kind.GAUGE,
        "{request}",
        _ROLLOUT,
        "the canary's requests that the last look has judged",
    ),
    ROLLBACKS: Signal(
        Kind.COUNTER,
        "{rollback}",
        (*_ROLLOUT, "outcome"),
        "decided ways back",
    ),
    PROMOTIONS: Signal(
        Kind.COUNTER,
        "{promotion}",
        _ROLLOUT,
        "rollouts that ended with the canary at 100 %",
    ),
    ROLLBACK_REQUEST: Signal(
        Kind.HISTOGRAM,
        "s",
        _ROLLOUT,
        "from the decision to go back until Azure accepted the request",
    ),
    ALERT_REQUEST: Signal(
        Kind.HISTOGRAM,
        "s",
        _ROLLOUT,
        "from the moment an alert fired until Azure accepted the way back",
    ),
    OLDEST_STEP: Signal(
        Kind.GAUGE,
        "s",
        (),
        "how late the oldest unfinished step is, told by each sweep; 0: none is late",
    ),
    DEAD_LETTERS: Signal(
        Kind.GAUGE,
        "{message}",
        (),
        "messages delivered too often, told by each sweep; at most 100 are counted",
    ),
}


SPANS: Mapping[str, str] = {
    "door.ROUTE": "one request of the HTTP API; goes on with the caller's `traceparent`",
    "engine.start": "an order, answered",
    "engine.retry": "the last order, given again",
    "engine.handle": "one event: decided, saved, done",
    "engine.wake": "one look at an endpoint",
    "engine.sweep": "what got lost, sent again",
    "effect.ACTION": "one owed action",
    "endpoints.CALL": "one call of ARM",
    "metrics.CALL": "one question to Azure Monitor's metrics",
    "logs.CALL": "one question to Log Analytics",
    "custom.CALL": "one question of a guard of your own",
    "scoring.CALL": "one smoke request",
    "queue.CALL": "one message sent, or the dead letters listed",
}


_NOBODY: Mapping[str, str] = {}
_subject: ContextVar[Mapping[str, str]] = ContextVar("subject", default=_NOBODY)


def subject() -> Mapping[str, str]:
    """What is being worked on here: endpoint, rollout_id, event_id, as far as they are known."""
    return _subject.get()


@contextmanager
def working_on(facts: Mapping[str, str]) -> Iterator[None]:
    """For the length of the block; what is found out within it is forgotten after it."""
    before = _subject.set({**_subject.get(), **facts})
    try:
        yield
    finally:
        _subject.reset(before)


def found_out(facts: Mapping[str, str]) -> None:
    """What is worked on is known better now; until the block around ends."""
    _subject.set({**_subject.get(), **facts})


class Silent:
    """Tells nobody."""

    on = False

    def span(self, name: str, parent: str | None = None) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()

    def about(self, facts: Mapping[str, str]) -> None: ...

    def tell(self, signal: str, value: float, attributes: Mapping[str, str]) -> None: ...
