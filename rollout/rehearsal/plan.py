"""A plan: what a policy will see, cost and miss on an endpoint, before a rollout begins."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from rollout.analysis.report import ANSWERS
from rollout.analysis.words import count, figures, percent
from rollout.core.frozen import Frozen
from rollout.core.patience import Then
from rollout.core.places import hooks_told
from rollout.core.policy import Mirror, Policy
from rollout.core.policy_text import warnings
from rollout.rehearsal.advice import advice
from rollout.rehearsal.schedule import Stretch, schedule, trials
from rollout.rehearsal.sight import SightView, asked_by, sights
from rollout.rehearsal.traffic import TrafficView
from rollout.rehearsal.vain import in_vain

BANDWIDTH = "5 MBPS"
"""Of a managed endpoint, its copies included."""


class PlannedStage(Frozen):
    """When a stage begins and ends, in minutes since the canary was ready."""

    name: str = Field(description='such as "canary 25 %"')
    share: int = Field(description="the canary's share in percent; 0: no traffic of its own")
    begins_earliest: int
    ends_earliest: int
    begins_latest: int
    ends_latest: int
    canary_requests: float = Field(description="live requests it answers until its earliest end")


class RiskView(Frozen):
    """Whom a canary that fails every request hurts until it is noticed."""

    canary_requests: float | None
    minute: int | None = Field(description="of its traffic, metrics' lag included")
    sentence: str


class PlanView(Frozen):
    """What can be told before a rollout; all numbers are expectations."""

    policy: str
    version: str
    endpoint: str | None = Field(None, description="workspace/endpoint; None: numbers were given")
    traffic: TrafficView
    stages: tuple[PlannedStage, ...]
    sees: tuple[SightView, ...] = Field(description="from small effects to a broken canary")
    misses: tuple[str, ...] = Field(description="what it cannot see")
    at_risk: RiskView
    in_vain: tuple[str, ...] = Field(description="stages and guards that can do nothing")
    advice: tuple[str, ...] = Field(description="what to change, and what it would bring")
    warnings: tuple[str, ...] = Field(description="what is allowed and probably not meant")
    freezes: tuple[str, ...] = Field((), description="when nothing starts and no share grows")
    hooks: tuple[str, ...] = Field((), description="programs that are asked or told, and when")


def foretell(
    policy: Policy, name: str, traffic: TrafficView, endpoint: str | None = None
) -> PlanView:
    """Plan a rollout under a policy on an endpoint with that traffic and a baseline.

    The chances are those of the earliest times: a canary that looks suspicious is watched longer.
    """
    stretches = schedule(policy, traffic)
    legs = [one.leg for one in trials(stretches)]
    asked = asked_by(policy)
    seen = sights(legs, traffic, asked)
    return PlanView(
        policy=name,
        version=policy.version,
        endpoint=endpoint,
        traffic=traffic,
        stages=tuple(_stages(stretches, traffic)),
        sees=seen,
        misses=(*_misses(policy, seen), *_bandwidth(policy, traffic)),
        at_risk=_risk(policy, seen),
        in_vain=in_vain(policy, stretches, traffic, asked),
        advice=tuple(advice(policy, legs, traffic, asked, seen)),
        warnings=warnings(policy),
        freezes=tuple(f"{window}, {policy.freeze.zone}" for window in policy.freeze.windows),
        hooks=tuple(hooks_told(policy)),
    )


def _stages(stretches: Sequence[Stretch], traffic: TrafficView) -> Iterator[PlannedStage]:
    early = late = 0
    for one in stretches:
        live = 0 if one.mirrored else one.share
        yield PlannedStage(
            name=str(one.stage),
            share=one.share,
            begins_earliest=early,
            ends_earliest=early + one.least,
            begins_latest=late,
            ends_latest=late + one.most,
            canary_requests=traffic.requests_per_minute * live / 100 * one.least,
        )
        early, late = early + one.least, late + one.most


def _misses(policy: Policy, seen: Sequence[SightView]) -> Iterator[str]:
    if not seen:
        yield (
            "no guard of severity fail compares error_rate with the baseline:"
            " a canary that fails more often gives nothing back"
        )
    for one in seen:
        if one.allowed:
            yield f"a canary that {one.canary} is within what the guards allow"
        elif not one.reliable:
            yield f"a canary that {one.canary} is not noticed{_how_often(one)}"
    for guard in policy.guards:
        if guard.custom or guard.metric in ANSWERS:
            yield f"what {guard.title} would find is not foretold: it has numbers of its own"
    if seen and policy.on_failure is Then.HOLD:
        yield "on_failure is hold: what is seen waits for a person, with the traffic it has"


def _bandwidth(policy: Policy, traffic: TrafficView) -> Iterator[str]:
    """Copies share the endpoint's bandwidth; no source tells how large requests are."""
    for entry in policy.stages:
        if isinstance(entry.stage, Mirror):
            copies = traffic.requests_per_minute * entry.stage.percent / 100
            yield (
                f"whether {figures(copies)} copies a minute fit into the endpoint's bandwidth of"
                f" {BANDWIDTH}: how large requests are is not known here"
            )


def _how_often(one: SightView) -> str:
    return f" in {percent(round(1 - one.detection, 2))} of the rollouts" if one.likely else ""


def _risk(policy: Policy, seen: Sequence[SightView]) -> RiskView:
    broken = seen[-1] if seen else None
    if broken is None or broken.minute is None or broken.canary_requests is None:
        sentence = "a canary that fails every request is not noticed before 100 %"
        return RiskView(canary_requests=None, minute=None, sentence=sentence)
    deed = "held" if policy.on_failure is Then.HOLD else "rolled back"
    cost = broken.canary_requests
    hurt = f"after about {figures(cost)} failed requests" if cost else "before any live request"
    when = f"in the first {count(broken.minute, 'minute')} of its traffic"
    sentence = f"a canary that fails every request is {deed} {when}, {hurt}"
    return RiskView(canary_requests=cost, minute=broken.minute, sentence=sentence)
