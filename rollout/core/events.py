"""What has happened: facts, in the past tense. Each has an id, by which a repeat is known."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rollout.analysis.capacity import Load
from rollout.analysis.report import Report
from rollout.core.alerts import AlertSeverity
from rollout.core.callers import WHO_MAX, WHY_MAX
from rollout.core.copies import CopiesSeen
from rollout.core.creation import Creation
from rollout.core.endpoint import EndpointView
from rollout.core.frozen import Frozen
from rollout.core.pairs_from import PairsSeen
from rollout.core.policy import Approvers, Policy
from rollout.core.rollout import HookWord, Order
from rollout.core.source import SourceFacts
from rollout.core.traffic import Traffic

Text = Annotated[str, StringConstraints(max_length=WHO_MAX + WHY_MAX + 20)]


class Event(Frozen):
    id: str


class Beginning(Event):
    """A wish to roll out, with all that is needed to answer it at once."""

    order: Order
    policy: Policy
    policy_name: str
    view: EndpointView
    owner: str = Field(description="the name of this installation")
    sources: SourceFacts = SourceFacts()
    minute: timedelta = timedelta(minutes=1)
    creation: Creation | None = Field(
        None, description="how the canary is made, if it is not there"
    )
    cannot_ask: tuple[str, ...] = Field((), description="hooks that nobody here can ask")
    cannot_tell: tuple[str, ...] = Field((), description="places that nobody here can tell")

    @property
    def announced_at(self) -> datetime | None:
        """When it happened, if others announced it and this is the first that is made of it."""
        return self.order.happened_at if self.order.id == self.id else None


class StartRequested(Beginning):
    type: Literal["start_requested"] = "start_requested"


class RetryRequested(Beginning):
    """The last order again; or, where a rollout holds, its stage from the beginning."""

    type: Literal["retry_requested"] = "retry_requested"


class Looked(Event):
    """What one look at the world showed.

    `report` is the judge's, on the readable minutes; None in phases that measure nothing.
    """

    type: Literal["looked"] = "looked"
    view: EndpointView
    report: Report | None = None
    readable_until: datetime | None = Field(None, description="minutes before it can be read")
    heard_until: datetime | None = Field(None, description="end of the last minute with a point")
    metrics_heard_until: datetime | None = Field(
        None, description="the same of metrics, asked where the logs are silent"
    )
    lag: timedelta = Field(timedelta(0), description="how far behind the metrics are read")
    load: Load | None = Field(None, description="what the endpoint carries now")
    copies: tuple[CopiesSeen, ...] = Field((), description="of mirrored requests, by source")
    pairs: PairsSeen | None = Field(
        None, description="of copies in what the platform writes, where `auto` has still to choose"
    )
    trouble: str | None = Field(None, description="why nothing could be measured, if it could not")
    operation_failed: str | None = Field(None, description="why the accepted write failed")


class EndpointGone(Event):
    """Azure knows no such endpoint any more."""

    type: Literal["endpoint_gone"] = "endpoint_gone"


class SmokeFinished(Event):
    type: Literal["smoke_finished"] = "smoke_finished"
    passed: int
    failures: tuple[str, ...] = ()
    unsent: int = Field(0, description="not sent any more: what failed was proof enough")


class HookAnswered(Event):
    """What a hook said to the question whether a stage may begin."""

    type: Literal["hook_answered"] = "hook_answered"
    hook: str
    stage: str
    word: HookWord
    reason: str = ""


class TrafficAccepted(Event):
    """Azure has taken a traffic write; whether it holds, only a later look shows."""

    type: Literal["traffic_accepted"] = "traffic_accepted"
    traffic: Traffic
    operation: str | None = None
    asked_at: datetime | None = Field(None, description="when it was first asked for")


class ForeignChangeFound(Event):
    """Before a write another map was found than the one expected; nothing was written."""

    type: Literal["foreign_change_found"] = "foreign_change_found"
    found: Traffic


class ActionRefused(Event):
    """Azure said no to an owed action."""

    type: Literal["action_refused"] = "action_refused"
    action: str
    kind: str = Field("", description="the action's type")
    reason: str
    remedy: str = Field("", description="the command a person can run")


class OrderFailed(Event):
    """The order that waited cannot start: its endpoint, deployment or policy is not there."""

    type: Literal["order_failed"] = "order_failed"
    order: Order
    reason: str


class AlertNotice(Event):
    """What someone who watches says of one alert on this endpoint."""

    key: str = Field("", description="the alert's own id; none: that of the event")
    rule: str
    severity: AlertSeverity
    deployments: tuple[str, ...] = Field((), description="those it names, in lower case")
    fired_at: datetime
    began_at: datetime | None = Field(None, description="the start of the time it was judged on")


class AlertFired(AlertNotice):
    type: Literal["alert_fired"] = "alert_fired"


class AlertResolved(AlertNotice):
    type: Literal["alert_resolved"] = "alert_resolved"


class Command(Event):
    """Something a person asks of a live or ended rollout."""

    who: Text
    why: Text = ""
    groups: tuple[str, ...] = Field((), description="other names of theirs that approvals ask for")
    despite_freeze: bool = Field(default=False, description="the freeze of now is overlooked")
    rollout_id: str | None = Field(None, description="which one is meant; None: whatever is there")

    def is_one_of(self, asked: Approvers) -> bool:
        """Whether they may answer: by a name of theirs, or as a member of a group."""
        if not asked.people:
            return True
        by_name = not {self.who, *self.groups}.isdisjoint(asked.by)
        return by_name or not set(self.groups).isdisjoint(asked.groups)


class PauseRequested(Command):
    type: Literal["pause_requested"] = "pause_requested"


class ResumeRequested(Command):
    type: Literal["resume_requested"] = "resume_requested"


class SkipRequested(Command):
    """On to the next stage, without this one's verdict."""

    type: Literal["skip_requested"] = "skip_requested"


class PromoteRequested(Command):
    """All traffic to the canary now."""

    type: Literal["promote_requested"] = "promote_requested"


class AbortRequested(Command):
    type: Literal["abort_requested"] = "abort_requested"


class CancelRequested(Command):
    """The start that waits for its turn, or for the end of a freeze, is taken back."""

    type: Literal["cancel_requested"] = "cancel_requested"
    order: str | None = Field(None, description="only the start with that id; None: what waits")


class Reply(Command):
    """A person's answer; one that came by a link is good for the question it was asked with."""

    question_since: datetime | None = None


class ApprovalGiven(Reply):
    type: Literal["approval_given"] = "approval_given"


class ApprovalRefused(Reply):
    type: Literal["approval_refused"] = "approval_refused"


class UndoRequested(Command):
    """After a promotion: traffic back to the previous baseline.

    `there` is what the endpoint had when it was asked; None where Azure did not tell, which holds
    up no way back.
    """

    type: Literal["undo_requested"] = "undo_requested"
    there: tuple[str, ...] | None = None


class ReleaseRequested(Command):
    """End a rollback that Azure cannot or will not do, with the map as it is."""

    type: Literal["release_requested"] = "release_requested"


AnyEvent = Annotated[
    StartRequested
    | RetryRequested
    | Looked
    | EndpointGone
    | SmokeFinished
    | HookAnswered
    | TrafficAccepted
    | ForeignChangeFound
    | ActionRefused
    | OrderFailed
    | AlertFired
    | AlertResolved
    | PauseRequested
    | ResumeRequested
    | SkipRequested
    | PromoteRequested
    | AbortRequested
    | CancelRequested
    | ApprovalGiven
    | ApprovalRefused
    | UndoRequested
    | ReleaseRequested,
    Field(discriminator="type"),
]
