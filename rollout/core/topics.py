"""What a decision on a rollout is about, in the eyes of people, and who hears of it."""

from collections.abc import Callable, Iterator, Sequence

from rollout.core import moments
from rollout.core.notify import Target, TargetKind, Topic
from rollout.core.outbox import Word
from rollout.core.rollout import OVER, HoldCause, Phase, Rollout


def to_tell(before: Rollout | None, after: Rollout | None) -> Iterator[Word]:
    """What the policy wants told of the step from one to the other: hooks first."""
    for place, (moment, about, target) in enumerate(moments.to_tell(before, after)):
        yield Word(moment, target, about, (moment, str(place)))
    topic = topic_of(before, after)
    if topic and after:
        for target in _targets(after, topic):
            yield Word(topic, target)


def _targets(rollout: Rollout, topic: Topic) -> Sequence[Target]:
    """Each place once; GitHub only where the start named a commit to tell it about."""
    wanted = [rule.target for rule in rollout.policy.notify if topic in rule.on]
    return tuple(
        target
        for target in dict.fromkeys(wanted)
        if target.kind is not TargetKind.GITHUB or rollout.order.origin
    )


def topic_of(before: Rollout | None, after: Rollout | None) -> Topic | None:
    """What a decision is about, in the eyes of people; None: nothing they asked to hear of."""
    if after is None:
        return None
    if before is None or before.id != after.id:
        return Topic.STARTED
    return next((topic for topic, is_it in _TOPICS if is_it(before, after)), None)


def _is_asking(rollout: Rollout) -> bool:
    """Whether it stands still for a hook alone: nobody has to hear of that."""
    return rollout.hold is not None and rollout.hold.cause is HoldCause.CONFIRMING


def _moved_to(*phases: Phase) -> Callable[[Rollout, Rollout], bool]:
    return lambda before, after: before.phase is not after.phase and after.phase in phases


_TOPICS: tuple[tuple[Topic, Callable[[Rollout, Rollout], bool]], ...] = (
    (Topic.ENDED, _moved_to(*OVER)),
    (Topic.ROLLS_BACK, _moved_to(Phase.ROLLING_BACK)),
    (
        Topic.TROUBLE,
        lambda before, after: bool(after.trouble) and before.trouble != after.trouble,
    ),
    (
        Topic.HOLDS,
        lambda before, after: (
            after.phase is Phase.HOLDING and before.hold != after.hold and not _is_asking(after)
        ),
    ),
    (Topic.ASKS, _moved_to(Phase.APPROVING)),
    (Topic.STAGE, lambda before, after: before.stage != after.stage),
)
"""The first that fits is told."""
