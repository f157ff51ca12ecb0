"""What a person wrote in `policies/`: names, defaults and rules of one policy."""

import hashlib
import itertools
import re
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rollout.analysis.report import Guard, Severity
from rollout.core.agreement import Agreement, check_answers
from rollout.core.alerts import OnAlert
from rollout.core.freeze import NO_FREEZE, Freeze
from rollout.core.frozen import Frozen
from rollout.core.guards import DEFAULT_GUARDS, check_guards
from rollout.core.hooks import Hooked, Hooks
from rollout.core.notify import NotifyRule
from rollout.core.one_of import OneOf
from rollout.core.patience import (
    Budget,
    Minutes,
    OnDeadline,
    OnNoData,
    OnTooLittle,
    SomeMinutes,
    Then,
    TooLittle,
)
from rollout.core.start_on import Source, StartRule
from rollout.core.traffic import MIRROR_MAX

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Kind(StrEnum):
    """The stages, in the only order a policy may name them (approvals may stand anywhere)."""

    SMOKE = "smoke"
    MIRROR = "mirror"
    CANARY = "canary"
    APPROVAL = "approval"
    BAKE = "bake"
    RETIRE = "retire"


class Smoke(Hooked):
    """Send recorded requests to the canary alone; every answer must be as expected."""

    kind: ClassVar[Kind] = Kind.SMOKE
    requests: str = Field(description="a JSON Lines file beside the policies")

    def __str__(self) -> str:
        return "smoke"


class Measured(Hooked):
    """A stage that lasts: not less than its shortest time, not more than its longest."""

    shortest_minutes: Minutes = 5
    longest_minutes: SomeMinutes = 60

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.longest_minutes < self.shortest_minutes:
            raise ValueError(
                f"longest_minutes ({self.longest_minutes}) is below shortest_minutes"
                f" ({self.shortest_minutes}); raise the longest"
            )
        return self


class Mirror(Measured):
    """Copy a part of the live requests to the canary; its answers reach nobody."""

    kind: ClassVar[Kind] = Kind.MIRROR
    percent: Annotated[int, Field(ge=1, le=MIRROR_MAX)]
    longest_minutes: SomeMinutes = 30

    def __str__(self) -> str:
        return f"mirror {self.percent} %"


class Canary(Measured):
    """Give the canary a weight of live traffic, and compare it with the baseline."""

    kind: ClassVar[Kind] = Kind.CANARY
    weight: Annotated[int, Field(ge=1, le=99)]

    def __str__(self) -> str:
        return f"canary {self.weight} %"


class Approvers(Frozen):
    """Who may say yes; where neither people nor groups are named, anybody."""

    by: tuple[Name, ...] = Field((), description="who may approve; nobody named: anybody")
    groups: tuple[Name, ...] = Field(
        (), description="whose members may: app roles or group ids of their tokens of Entra ID"
    )

    @property
    def people(self) -> tuple[str, ...]:
        """Both, as they are told."""
        return (*self.by, *(f"group {name}" for name in self.groups))


class Approval(Hooked, Approvers):
    """Wait for people: who may say yes, how many, for how long, and what happens then."""

    kind: ClassVar[Kind] = Kind.APPROVAL
    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    deadline_minutes: SomeMinutes = 240
    then: Literal[Then.ROLL_BACK, Then.ADVANCE] = Then.ROLL_BACK

    @model_validator(mode="after")
    def _enough_people(self) -> Self:
        if self.by and not self.groups and len(set(self.by)) < self.quorum:
            raise ValueError(
                f"quorum {self.quorum} cannot be met by {len(set(self.by))} people;"
                " a name that stands for many belongs under groups"
            )
        return self

    def __str__(self) -> str:
        return "approval"


class Bake(Measured):
    """The stage at 100 %: the baseline is kept warm and rollback stays armed."""

    kind: ClassVar[Kind] = Kind.BAKE
    shortest_minutes: Minutes = 30
    longest_minutes: SomeMinutes = 120

    def __str__(self) -> str:
        return "bake 100 %"


class Retire(Hooked):
    """What becomes of the old baseline: keep it, scale it, or delete it."""

    kind: ClassVar[Kind] = Kind.RETIRE
    baseline: Literal["keep", "delete"] = "keep"
    scale_to: Annotated[int, Field(ge=1, le=50)] | None = None

    @model_validator(mode="after")
    def _one_fate(self) -> Self:
        if self.baseline == "delete" and self.scale_to is not None:
            raise ValueError("a deleted baseline cannot be scaled; leave out scale_to")
        return self

    def __str__(self) -> str:
        return "retire"


Stage = Smoke | Mirror | Canary | Approval | Bake | Retire
Trial = Mirror | Canary | Bake
"""The stages with traffic of their own, a clock and a judge."""


def planned_minutes(stages: Iterable[Stage]) -> int:
    """How long a rollout lasts when all goes well: the shortest times of these stages together."""
    return sum(one.shortest_minutes for one in stages if isinstance(one, Mirror | Canary | Bake))


class StageEntry(OneOf):
    """One entry of `stages`: a single key that names the kind."""

    rule = "a stage has exactly one kind"

    smoke: Smoke | None = None
    mirror: Mirror | None = None
    canary: Canary | None = None
    approval: Approval | None = None
    bake: Bake | None = None
    retire: Retire | None = None

    @property
    def stage(self) -> Stage:
        stage: Stage = self.given
        return stage


_PATTERN = re.compile(r"[A-Za-z0-9_*-]+(/[A-Za-z0-9_*-]+)?")


class Match(Frozen):
    """Which endpoints a policy is for: a name, or a pattern with `*`, before it `workspace/`."""

    endpoint: Annotated[str, StringConstraints(min_length=1, max_length=100)]

    @field_validator("endpoint")
    @classmethod
    def _a_pattern(cls, endpoint: str) -> str:
        if not _PATTERN.fullmatch(endpoint):
            raise ValueError(
                f"{endpoint!r} is neither a name nor a pattern; write letters, digits, '-' and '*',"
                " before them workspace/ if need be"
            )
        return endpoint

    def fits(self, workspace: str, endpoint: str) -> bool:
        pattern = self.endpoint.lower()
        name = f"{workspace}/{endpoint}" if "/" in pattern else endpoint
        return fnmatchcase(name.lower(), pattern)

    @property
    def precision(self) -> tuple[bool, int]:
        """Larger is more specific: a whole name before any pattern, then the letters written."""
        return "*" not in self.endpoint, len(self.endpoint.replace("*", ""))


class Policy(Frozen):
    """How a new deployment of the endpoints it matches is brought to all traffic, or back."""

    schema_: Literal[1] = Field(alias="schema", default=1)
    match: Match
    baseline: Name = Field(
        "current", description="what to compare with; current: the one with all live traffic"
    )
    ready_within_minutes: SomeMinutes = Field(
        30, description="so long a start waits for the canary to be created"
    )
    stages: Annotated[tuple[StageEntry, ...], Field(min_length=1, max_length=50)] = Field(
        description="what the canary goes through, in order"
    )
    guards: Annotated[tuple[Guard, ...], Field(min_length=1, max_length=20)] = Field(
        DEFAULT_GUARDS, description="its limits; what is written replaces the default"
    )
    agreement: Agreement | None = Field(
        None,
        description="what is compared of both deployments for guards on answers",
        validate_default=True,
    )
    source: Literal["auto", "metrics", "logs"] = Field(
        "auto", description="where the numbers come from; auto: logs where they arrive in time"
    )
    errors: (
        Annotated[tuple[Annotated[int, Field(ge=400, le=599)], ...], Field(min_length=1)] | None
    ) = Field(None, description="statuses that count against a deployment; none: the platform's")
    strict: bool = Field(default=False, description="ask for evidence of 100 : 1 at the least")
    pace: Literal["fixed", "adaptive"] = Field(
        "fixed", description="adaptive: skip weights, or wait, as evidence and budget allow"
    )
    budget: Budget = Budget()
    capacity: Literal["check", "scale", "ignore"] = Field(
        "check", description="before each weight: hold, scale the canary, or go on"
    )
    on_failure: Literal[Then.ROLL_BACK, Then.HOLD] = Field(
        Then.ROLL_BACK, description="a guard of severity fail has failed"
    )
    on_not_measured: Literal[Then.ASK, Then.HOLD, Then.ROLL_BACK] = Field(
        Then.ASK, description="a stage that could not be measured by its longest time"
    )
    on_no_data: OnNoData = OnNoData()
    on_inconclusive: Then = Field(
        Then.HOLD, description="a stage that is undecided at its longest time"
    )
    on_too_little: OnTooLittle | None = Field(
        None, description="too few requests; none: as on_inconclusive says, but never advance"
    )
    on_deadline: OnDeadline = OnDeadline()
    on_newer: Literal["queue_latest", "supersede", "refuse"] = Field(
        "queue_latest", description="another deployment is to be rolled out meanwhile"
    )
    on_changed_in_place: Literal["restart", "roll_back"] = Field(
        "restart", description="the canary's model, code or environment changed under its name"
    )
    on_foreign_change: Literal["hold", "adopt", "roll_back"] = Field(
        "hold", description="somebody else changed the traffic"
    )
    on_alert: OnAlert = OnAlert()
    alert_memory_minutes: Minutes = Field(
        60, description="so long after its last notice an unresolved alert keeps a start waiting"
    )
    start_on: Annotated[tuple[StartRule, ...], Field(max_length=20)] = Field(
        (), description="the news that start a rollout under this policy by themselves"
    )
    hooks: Hooks = Field((), description="of the rollout as a whole; stages have their own")
    freeze: Freeze = Field(NO_FREEZE, description="when nothing starts and no share grows")
    notify: Annotated[tuple[NotifyRule, ...], Field(max_length=10)] = Field(
        (), description="who is told of what; addresses and secrets are in the settings"
    )

    @field_validator("guards")
    @classmethod
    def _limited(cls, guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
        check_guards(guards)
        if all(guard.severity is Severity.WATCH for guard in guards):
            raise ValueError(
                "every guard only watches; without one that can fail or hold none pass"
            )
        return guards

    @field_validator("agreement")
    @classmethod
    def _judged(cls, agreement: Agreement | None, info: ValidationInfo) -> Agreement | None:
        check_answers(agreement, info.data.get("guards"), info.data.get("stages"))
        return agreement

    @field_validator("stages")
    @classmethod
    def _in_order(cls, entries: tuple[StageEntry, ...]) -> tuple[StageEntry, ...]:
        stages = [entry.stage for entry in entries]
        _check_order(stages)
        _check_weights(stages)
        return entries

    @field_validator("start_on")
    @classmethod
    def _of_one_endpoint(
        cls, rules: tuple[StartRule, ...], info: ValidationInfo
    ) -> tuple[StartRule, ...]:
        match: Match | None = info.data.get("match")
        for place, rule in enumerate(rules):
            named = rule.endpoint or rule.source is Source.DEPLOYMENT_WRITTEN
            if match and "*" in match.endpoint and not named:
                raise ValueError(
                    f"[{place}].endpoint: missing; match is {match.endpoint!r}, which names no"
                    " single endpoint: add endpoint"
                )
        return rules

    def plan(self, *, first: bool) -> tuple[Stage, ...]:
        """The stages a rollout goes through; the one at 100 % is always among them.

        With no deployment to compare with (`first`) nothing can be mirrored or split.
        """
        stages: list[Stage] = [entry.given for entry in self.stages]
        kinds = [stage.kind for stage in stages]
        if Kind.BAKE not in kinds:
            stages.insert(len(stages) - (Kind.RETIRE in kinds), Bake(shortest_minutes=0))
        if first:
            stages = [stage for stage in stages if stage.kind not in _BESIDE_ANOTHER]
        return tuple(stages)

    @property
    def too_little(self) -> OnTooLittle:
        """What is done where too few requests come; nothing that is not written goes forward."""
        if self.on_too_little is not None:
            return self.on_too_little
        forward = self.on_inconclusive is Then.ADVANCE
        return OnTooLittle(then=TooLittle.HOLD if forward else TooLittle(self.on_inconclusive))

    @property
    def version(self) -> str:
        """The hash of the normalised text: what a rollout says it started with."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:12]

    def text(self) -> str:
        """The normalised text: JSON with every default written out."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


_BESIDE_ANOTHER = frozenset({Kind.MIRROR, Kind.CANARY})
_ORDER = {Kind.SMOKE: 0, Kind.MIRROR: 1, Kind.CANARY: 2, Kind.BAKE: 3, Kind.RETIRE: 4}
_ONCE = (Kind.MIRROR, Kind.BAKE, Kind.RETIRE)


def _check_order(stages: list[Stage]) -> None:
    ranked = [(place, stage.kind) for place, stage in enumerate(stages) if stage.kind in _ORDER]
    for (_, before), (place, kind) in itertools.pairwise(ranked):
        if _ORDER[kind] < _ORDER[before] or (kind is before and kind in _ONCE):
            order = ", ".join(_ORDER)
            raise ValueError(f"[{place}].{kind}: stands after {before}; the order is {order}")
    if stages[-1].kind is Kind.APPROVAL and ranked and ranked[-1][1] is Kind.RETIRE:
        raise ValueError(f"[{len(stages) - 1}].approval: nothing comes after retire to approve")


def _check_weights(stages: list[Stage]) -> None:
    before = 0
    for place, stage in enumerate(stages):
        if isinstance(stage, Canary):
            if stage.weight <= before:
                raise ValueError(
                    f"[{place}].canary.weight: {stage.weight} does not rise above {before};"
                    " weights grow from stage to stage"
                )
            before = stage.weight
