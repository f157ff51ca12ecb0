"""The one way into a rotation: an endpoint's row, an event and the time make a decision."""

from datetime import datetime

from rollout.core.head import Head
from rollout.core.rotation.decision import KeyDecision, refuse
from rollout.core.rotation.events import KeyEvent
from rollout.core.rotation.state import RotationPhase
from rollout.core.rotation.table import ROTATIONS


def rotation_phase(head: Head) -> RotationPhase:
    return head.rotation.phase if head.rotation else RotationPhase.IDLE


def decide_keys(head: Head, event: KeyEvent, now: datetime) -> KeyDecision:
    """Answer one event. Late and repeated events are normal, and change nothing."""
    phase = rotation_phase(head)
    answer = ROTATIONS[phase][type(event)]
    if isinstance(answer, str):
        return refuse(head, answer)
    decision = answer(head, event, now)
    assert rotation_phase(decision.head) in (*answer.to, phase), (phase, event, decision)
    return decision
