"""What a decision about keys is about, in the eyes of people, and who hears of it."""

from collections.abc import Iterator

from rollout.core.head import Head
from rollout.core.notify import Topic
from rollout.core.outbox import Word
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.events import KeyEvent, RotationOverdue
from rollout.core.rotation.state import Rotation, RotationPhase

TROUBLED_AFTER = 10
"""So often in a row a request or a look fails, about four minutes, before people hear of it."""


def is_troubled(rotation: Rotation) -> bool:
    """Whether it has failed for so long that somebody should know; it goes on trying."""
    return rotation.failures >= TROUBLED_AFTER


def to_tell(before: Head, decision: KeyDecision, event: KeyEvent) -> Iterator[Word]:
    """What the policy wants told of this decision; each place once."""
    rotation = decision.head.rotation
    if isinstance(event, RotationOverdue):
        rules, topic = event.policy.notify, Topic.OVERDUE
    elif rotation is not None:
        rules, found = rotation.policy.notify, topic_of(before.rotation, rotation)
        if found is None:
            return
        topic = found
    else:
        return
    wanted = (rule.target for rule in rules if topic in rule.on)
    yield from (Word(topic, target) for target in dict.fromkeys(wanted))


def topic_of(before: Rotation | None, after: Rotation) -> Topic | None:
    """None: nothing that people asked to hear of."""
    if before is None or before.id != after.id:
        return Topic.STARTED
    if before.phase is not after.phase:
        if after.over:
            return Topic.ENDED
        return Topic.ASKS if after.phase is RotationPhase.ASKING else None
    return Topic.TROUBLE if is_troubled(after) and not is_troubled(before) else None
