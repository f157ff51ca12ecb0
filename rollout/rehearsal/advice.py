"""What to change in a policy so that it sees more, each change with what it would bring."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rollout.analysis.chance import Asked
from rollout.analysis.excess import Margin
from rollout.analysis.plan import Leg
from rollout.analysis.words import figures, percent
from rollout.core.policy import Kind, Policy
from rollout.rehearsal.sight import SightView, sight
from rollout.rehearsal.traffic import TrafficView

MIRROR_PERCENT, MIRROR_MINUTES = 20, 10
LARGE_WEIGHT, LARGE = 50, range(50, 75)
LONGER = 3
TIGHT = Margin(1.1, 0.0)
GAIN_LEAST = 0.05
"""What brings less is not worth a word."""


def advice(
    policy: Policy,
    legs: Sequence[Leg],
    traffic: TrafficView,
    asked: Sequence[Asked],
    seen: Sequence[SightView],
) -> Iterator[str]:
    """The best remedies first; nothing where all is seen and nobody is at risk."""
    kinds = {entry.stage.kind for entry in policy.stages}
    yield from _fewer_at_risk(kinds, seen)
    unseen = [one for one in seen if not one.reliable]
    if not unseen:
        return
    target = unseen[-1]
    better = sorted(_remedies(kinds, legs, traffic, asked, target.times), reverse=True)
    now = percent(round(target.detection, 2))
    for chance, what in better:
        if chance >= target.detection + GAIN_LEAST:
            then = f"is then seen in {percent(round(chance, 2))}, not {now}"
            yield f"{what}: a canary that {target.canary} {then}"
    if Kind.APPROVAL not in kinds:
        yield "add an approval before 100 %: let a person decide on what the counts cannot show"


def _fewer_at_risk(kinds: set[Kind], seen: Sequence[SightView]) -> Iterator[str]:
    cost = seen[-1].canary_requests if seen else None
    if cost and Kind.MIRROR not in kinds:
        yield (
            f"mirror first (mirror: {{percent: {MIRROR_PERCENT}}}): a broken canary is then found"
            f" on copies, and not by about {figures(cost)} live requests"
        )


def _remedies(
    kinds: set[Kind],
    legs: Sequence[Leg],
    traffic: TrafficView,
    asked: Sequence[Asked],
    times: float,
) -> Iterator[tuple[float, str]]:
    """Each change that is open, and the chance to notice the effect with it."""
    changes: list[tuple[str, Sequence[Leg], Sequence[Asked]]] = [
        (f"make the stages {LONGER} times as long", [_longer(leg) for leg in legs], asked),
        (
            "allow less: worse_by_ratio 1.1 and no worse_by_points",
            legs,
            _tighter(asked),
        ),
    ]
    if Kind.MIRROR not in kinds:
        copies = Leg(MIRROR_PERCENT, MIRROR_MINUTES, mirrored=True)
        what = f"mirror {MIRROR_PERCENT} % for {MIRROR_MINUTES} minutes first"
        changes.append((what, [copies, *legs], asked))
    if not any(leg.share in LARGE and not leg.mirrored for leg in legs):
        half = Leg(LARGE_WEIGHT, max(leg.minutes for leg in legs))
        changes.append((f"add a stage at {LARGE_WEIGHT} %", [*legs, half], asked))
    for what, changed, wanted in changes:
        found = sight(changed, traffic, wanted, times)
        if found:
            yield found.detection, what


def _tighter(asked: Sequence[Asked]) -> Sequence[Asked]:
    return [replace(one, margin=TIGHT) for one in asked]


def _longer(leg: Leg) -> Leg:
    return replace(leg, minutes=LONGER * leg.minutes)
