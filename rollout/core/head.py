"""The one row of an endpoint, what one save leaves behind, and the marks by which time is told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from rollout.core.actions import Action
from rollout.core.alerts import AlertState
from rollout.core.endpoint import EndpointId
from rollout.core.frozen import Frozen
from rollout.core.notify import Notice
from rollout.core.rollout import OVER, Order, Phase, Rollout
from rollout.core.rotation.state import Rotation, RotationPhase
from rollout.core.smoke import Smoked
from rollout.core.source import Source

SCHEMA_VERSION = 1
SEEN_MAX = 100
HEARD_MAX = 50
"""So many announcements are known; older ones are refused: nobody knows what became of them."""
REFUSALS_MAX = 30
REFUSAL_TEXT_MAX = 300
"""Of refusals fewer are kept, and short: they are answers, and whoever is refused may ask often."""


class Debt(Frozen):
    """An action that is decided, saved, and not yet known to be done."""

    id: str
    action: Action
    generation: int
    not_before: datetime
    attempts: int = 0
    last_error: str | None = None
    asked_at: datetime | None = Field(None, description="when it was first tried")
    smoked: Smoked | None = Field(None, description="how far its smoke requests came")


class Checkpoint(Frozen):
    """How far an endpoint's history was removed, and what the next entry follows."""

    through: int = Field(description="the number of the last entry that was removed")
    link: str = Field(description="the hash that the first entry after it carries as the previous")


class Refusal(Frozen):
    """What was answered to an event that was turned away; `live`: while a rollout was live."""

    id: str
    why: str
    at: datetime
    live: bool = False


class Heard(Frozen):
    """What was answered to an announcement; `at` is when it happened, as itself tells."""

    id: str
    at: datetime
    taken: bool


class Head(Frozen):
    """All that is alive on one endpoint.

    `generation` grows with every new rollout and every decision to roll back: a debt or a wake-up
    of an older one is past. `turn` grows with every look, so that a late wake-up is known.
    """

    schema_version: int = SCHEMA_VERSION
    endpoint: EndpointId
    generation: int = 0
    turn: int = 0
    rollout: Rollout | None = Field(None, description="the live one, or the last that ended")
    rotation: Rotation | None = Field(None, description="of its keys: the live one, or the last")
    queued: Order | None = Field(None, description="what starts when this one is over")
    queued_until: datetime | None = Field(None, description="not before then, for a freeze")
    owed: tuple[Debt, ...] = ()
    outbox: tuple[Notice, ...] = Field((), description="words to people that are owed, in order")
    due_at: datetime | None = Field(None, description="when the world is looked at next")
    seen: tuple[str, ...] = Field((), description="ids of the last events, oldest first")
    heard: tuple[Heard, ...] = Field((), description="the latest announcements, as they happened")
    refused: tuple[Refusal, ...] = Field((), description="the last no to people, oldest first")
    trouble: str | None = Field(None, description="why the last look failed, if it did")
    gone_since: datetime | None = Field(None, description="since when Azure knows no such endpoint")
    alerts: tuple[AlertState, ...] = Field((), description="the last of each alert, oldest first")
    known: Mapping[str, str] = Field(
        default_factory=dict, description="fingerprints of the deployments at the last start"
    )
    copies: Mapping[Source, bool] = Field(
        default_factory=dict, description="whether mirrored requests appear, by source"
    )
    entries: int = Field(0, description="history entries written so far")
    last_link: str | None = Field(None, description="the hash of the last history entry")
    pruned: Checkpoint | None = Field(None, description="behind it history was removed")

    @property
    def phase(self) -> Phase:
        return self.rollout.phase if self.rollout else Phase.IDLE

    @property
    def live(self) -> bool:
        return self.phase not in OVER

    def remembering(self, event_id: str) -> "Head":
        return self.model_copy(update={"seen": (*self.seen, event_id)[-SEEN_MAX:]})

    def hearing(self, heard: Heard) -> "Head":
        latest = sorted((*self.heard, heard), key=lambda one: one.at)[-HEARD_MAX:]
        return self.model_copy(update={"heard": tuple(latest)})

    def refusing(self, refusal: Refusal) -> "Head":
        return self.model_copy(update={"refused": (*self.refused, refusal)[-REFUSALS_MAX:]})


class HistoryEntry(Frozen):
    """What one decision leaves for people: what came in, the numbers, the rule, who, what was done.

    `number` counts the endpoint's entries from 1.
    """

    number: int
    at: datetime
    rollout_id: str | None
    rotation_id: str | None = None
    event: str
    event_id: str
    who: str
    before: Phase | RotationPhase
    after: Phase | RotationPhase
    stage: str = ""
    why: str
    actions: tuple[str, ...] = ()
    numbers: dict[str, Any] = Field(default_factory=dict)
    previous: str | None = Field(
        None, description="the hash of the entry before; of the endpoint's key for the first"
    )


class Wake(Frozen):
    """A message to ourselves: look at this endpoint, unless it was looked at since.

    One with an `outbox` is about notices instead: what is owed there is to be sent.
    """

    endpoint: EndpointId
    generation: int
    turn: int
    attempt: int = 0
    retries: int = 0
    outbox: str = Field("", description="which state of the outbox the message is about")

    @property
    def session(self) -> str:
        """Notices have a session of their own: a slow receiver keeps no look waiting."""
        return f"{self.endpoint.key}:notices" if self.outbox else self.endpoint.key

    @property
    def message_id(self) -> str:
        """Another id for each attempt and retry: a queue drops an id that it has seen."""
        known = f"{self.endpoint.key}:{self.generation}:{self.turn}:{self.attempt}"
        if self.outbox:
            known = f"{self.session}:{self.outbox}:{self.attempt}"
        return f"{known}:{self.retries}" if self.retries else known
