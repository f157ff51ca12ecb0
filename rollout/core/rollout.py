"""The state of one rollout: where it stands, what it waits for, and why."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from rollout.analysis.pace import Rule
from rollout.analysis.report import Report
from rollout.core.creation import CreateWish
from rollout.core.endpoint import EndpointId
from rollout.core.freeze import Frost
from rollout.core.frozen import Frozen
from rollout.core.pairs_from import PairsFrom
from rollout.core.patience import Then, TooLittle
from rollout.core.policy import Approvers, Kind, Policy, Stage
from rollout.core.source import Source
from rollout.core.traffic import Traffic
from rollout.core.way_back import WayBack


class Phase(StrEnum):
    """-ing waits for the world, -ed is over."""

    IDLE = "idle"  # an endpoint on which nothing has been rolled out
    PREPARING = "preparing"  # the canary is being created
    SMOKING = "smoking"  # recorded requests go to the canary alone
    SHIFTING = "shifting"  # a traffic map was asked for and is not seen yet
    MEASURING = "measuring"  # the stage's time runs, its minutes are judged
    HOLDING = "holding"  # waits for a person, for data, or for a time-out
    APPROVING = "approving"  # waits for people to say yes
    RETIRING = "retiring"  # the old baseline is being scaled or deleted
    ROLLING_BACK = "rolling_back"  # the recorded map is asked for until it is seen
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    RELEASED = "released"  # a person ended a rollback that cannot be done; the map stays as found
    REFUSED = "refused"  # ended before anything was changed


OVER = frozenset({Phase.IDLE, Phase.PROMOTED, Phase.ROLLED_BACK, Phase.RELEASED, Phase.REFUSED})


class Outcome(StrEnum):
    """How a rollout ended, as people and CI tell it."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"
    UNDONE = "undone"
    RELEASED = "released"
    REFUSED = "refused"


class HoldCause(StrEnum):
    PAUSED = "paused"
    NO_DATA = "no_data"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not_measured"
    CAPACITY = "capacity"
    FAILED = "failed"
    FOREIGN_CHANGE = "foreign_change"
    BASELINE_CHANGED = "baseline_changed"
    REFUSED = "refused"
    ALERT = "alert"
    DEADLINE = "deadline"
    FROZEN = "frozen"
    CONFIRMING = "confirming"
    VETOED = "vetoed"
    NO_ANSWER = "no_answer"


class HookWord(StrEnum):
    """What a hook said."""

    GO = "go"
    VETO = "veto"
    NONE = "none"


class Hold(Frozen):
    """Why a rollout waits; with `until`, what happens then if nobody acts."""

    cause: HoldCause
    why: str
    since: datetime
    during: Phase
    until: datetime | None = None
    then: Then | None = None


class Asked(Approvers):
    """An open question to people: the approval stage, or a way out that a policy calls `ask`."""

    question: str
    quorum: int
    deadline: datetime
    then: Then
    resumes: bool = Field(default=False, description="a yes goes on here, not to the next stage")
    approved_by: tuple[str, ...] = ()


class Rollback(Frozen):
    """The way back: why, and when it was decided, sent, accepted and seen."""

    outcome: Outcome
    why: str
    who: str
    decided_at: datetime
    asked_at: datetime | None = Field(None, description="when it was first asked for")
    alert_fired_at: datetime | None = Field(None, description="where an alert was the reason")
    accepted_at: datetime | None = None
    seen_at: datetime | None = None


class StageClock(Frozen):
    """How long the stage has lasted; it stands still while `since` is None.

    Our own clock may jump; the minutes that others have counted do not. So what a pass needs is
    told by these: `measured` lies behind, `heard` is the end of the last minute with a point.
    """

    ran: timedelta = timedelta(0)
    since: datetime | None = None
    measured: timedelta | None = Field(None, description="None: as long as it ran")
    heard: datetime | None = None
    not_before: datetime | None = Field(None, description="no minute before it counts again")

    def elapsed(self, now: datetime) -> timedelta:
        return self.ran + (max(now - self.since, timedelta(0)) if self.since else timedelta(0))

    def started(self, now: datetime) -> "StageClock":
        if self.since:
            return self
        since = max(now, self.not_before) if self.not_before else now
        return StageClock(ran=self.ran, since=since, measured=self.measured)

    def stopped(self, now: datetime) -> "StageClock":
        if self.since is None:
            return self
        ran, measured = self.elapsed(now), self.measured_for
        return StageClock(
            ran=ran,
            measured=None if measured == ran else measured,
            not_before=max(self.since, self.heard or self.since),
        )

    def hearing(self, until: datetime | None) -> "StageClock":
        """The clock that knows up to when there are minutes with points."""
        return self.model_copy(update={"heard": until}) if until and self.since else self

    @property
    def measured_for(self) -> timedelta:
        """How much of its time minutes with points have passed."""
        behind = self.ran if self.measured is None else self.measured
        if self.since is None or self.heard is None:
            return behind
        return behind + max(self.heard - self.since, timedelta(0))

    def has_measured(self, time: timedelta) -> bool:
        """Whether minutes with points have passed that much of it, some of them since it runs."""
        runs = self.since is not None and self.heard is not None and self.heard >= self.since
        return runs and self.measured_for >= time


class Share(Frozen):
    """From when on the canary had which part of the requests, in percent."""

    since: datetime
    percent: int
    stage: str


class Further(Frozen):
    """What a stage was given for want of traffic: time, a notch of weight, or copies instead."""

    kind: TooLittle
    since: datetime
    limit_minutes: int = Field(description="how long the stage may last now")
    weight: int | None = Field(None, description="notch: the canary's weight in place of its own")
    mirror: int = Field(0, description="while copies gather evidence: their percent")


class Paced(Frozen):
    """What keeps a canary from its next weight though its guards pass (`pace: adaptive`)."""

    rule: Rule
    why: str


class Origin(Frozen):
    """Where the code of a deployment comes from: a repository and one commit of it."""

    repository: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$")
    commit: str = Field(pattern=r"^[0-9a-fA-F]{7,64}$")


class Order(Frozen):
    """What someone asked to roll out, as they asked it."""

    id: str = Field("", description="of the event that brought it: what tells two alike apart")
    endpoint: EndpointId
    deployment: str
    policy: str | None = Field(None, description="a policy's name; none: the one that matches")
    adopt: bool = Field(default=False, description="the canary may have live traffic already")
    take_over: bool = Field(
        default=False, description="take the endpoint from another installation"
    )
    create: CreateWish | None = Field(None, description="how the deployment comes to be")
    announced: bool = Field(
        default=False, description="nobody asked: someone wrote a deployment, and a policy acts"
    )
    happened_at: datetime | None = Field(
        None, description="when what others announced happened; None: a person or a pipeline asked"
    )
    despite_alerts: tuple[str, ...] = Field((), description="rules whose alerts are overlooked")
    despite_freeze: bool = Field(default=False, description="no freeze holds it up")
    origin: Origin | None = Field(None, description="where its code comes from, if that was said")
    who: str
    why: str = ""


class Rollout(Frozen):
    """One new deployment on its way to all traffic, or back."""

    id: str
    order: Order
    policy: Policy
    policy_name: str
    minute: timedelta = Field(description="the length of a policy minute here")
    baseline: str | None = Field(description="None: nothing served before")
    source: Source = Field(Source.METRICS, description="where its numbers come from")
    managed: bool | None = Field(None, description="the endpoint's kind; None: not noted then")
    pairs_from: PairsFrom | None = Field(
        None, description="where pairs of answers come from; None: there are none, or not yet known"
    )
    pairs_since: datetime | None = Field(None, description="when that was found, if by a look")
    phase: Phase
    started_at: datetime
    phase_since: datetime
    stage: int = Field(0, description="index into `stages`")
    recorded: Traffic = Field(description="the map at the start: what a rollback restores")
    before: Traffic = Field(description="the map that the wanted one replaces")
    wanted: Traffic = Field(description="the map last asked for")
    observed: Traffic = Field(description="the map last seen")
    fingerprints: Mapping[str, str] = Field(default_factory=dict)
    clock: StageClock = StageClock()
    share_since: datetime | None = Field(None, description="when a GET first showed this share")
    shares: tuple[Share, ...] = Field((), description="every share seen so far, oldest first")
    evidence_since: datetime | None = Field(None, description="minutes before it do not count")
    readable_until: datetime | None = Field(None, description="the watermark last seen")
    report: Report | None = None
    further: Further | None = Field(None, description="what this stage was given, once")
    paced: Paced | None = Field(None, description="what its pace waited for last in this stage")
    hold: Hold | None = None
    asked: Asked | None = None
    rollback: Rollback | None = None
    asked_at: datetime | None = Field(None, description="when the wanted map was last asked for")
    asked_times: int = Field(0, description="how often the wanted map was asked for")
    begun: int = Field(-1, description="the last stage that has begun: its hooks agreed")
    confirmed: int = Field(0, description="so many hooks agreed to the stage that is to begin")
    thawed_until: datetime | None = Field(
        None, description="a person lets it go on in spite of a freeze that ends then"
    )
    deadline_passed: bool = Field(default=False, description="it has come, and was answered")
    unclaimed: bool = Field(default=False, description="Azure refused to mark the endpoint")
    operation: str | None = Field(None, description="the URL that tells of the accepted write")
    trouble: str | None = Field(None, description="what Azure refuses, and the command that helps")

    @property
    def endpoint(self) -> EndpointId:
        return self.order.endpoint

    @property
    def canary(self) -> str:
        return self.order.deployment

    @property
    def way_back(self) -> WayBack:
        return WayBack(rollout_id=self.id, canary=self.canary, traffic=self.recorded)

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.policy.plan(first=self.baseline is None)

    @property
    def here(self) -> Stage:
        return self.stages[self.stage]

    @property
    def ready(self) -> bool:
        """Whether the canary was seen ready: that is when its fingerprint is taken."""
        return self.canary in self.fingerprints

    @property
    def awaited(self) -> bool:
        """Whether the canary is still to be made here: until then it cannot be gone."""
        return self.order.create is not None and not self.ready

    @property
    def proven(self) -> bool:
        """Whether every trial is passed: only the old baseline's fate is open."""
        return self.here.kind is Kind.RETIRE

    def frost(self, now: datetime) -> Frost | None:
        """The freeze that keeps it from more traffic now; a person may have overruled it."""
        frost = None if self.order.despite_freeze else self.policy.freeze.frost(now)
        overruled = frost and self.thawed_until and frost.until <= self.thawed_until
        return None if overruled else frost

    @property
    def over(self) -> bool:
        return self.phase in OVER

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it goes on."""
        if self.phase is Phase.ROLLED_BACK and self.rollback:
            return self.rollback.outcome
        return Outcome(self.phase.value) if self.over else None
