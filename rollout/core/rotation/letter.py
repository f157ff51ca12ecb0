"""What people are told of one step of a rotation: names and times, never a key."""

from collections.abc import Mapping

from rollout.core.endpoint import EndpointId
from rollout.core.head import HistoryEntry
from rollout.core.letter import NUMBERS_MAX, TEXT_MAX, Letter, Link
from rollout.core.notify import Notice, Topic
from rollout.core.rotation.state import ROTATION_OVER, RotationPhase
from rollout.core.rotation.words import numbers_told, remedy


class KeyLetter(Letter):
    """Of a rotation, or of one that should have been."""

    rotation_id: str | None = None
    phase: RotationPhase

    @property
    def title(self) -> str:
        ended = _ENDED.get(self.phase) if self.topic is Topic.ENDED else None
        return f"{self.endpoint}: {ended or _TOLD[self.topic]}"

    @property
    def subject(self) -> str:
        return self.rotation_id or self.endpoint

    @property
    def kind(self) -> str:
        return f"keys.{self.topic.value}"

    @property
    def facts(self) -> Mapping[str, str]:
        return {"rotation": self.rotation_id or "", "phase": self.phase.value}

    @property
    def is_good(self) -> bool:
        return self.topic is Topic.ENDED and self.phase is RotationPhase.ROTATED

    @property
    def is_bad(self) -> bool:
        return self.topic in _BAD or self.phase is RotationPhase.DECLINED


_BAD = frozenset({Topic.ASKS, Topic.TROUBLE, Topic.OVERDUE})
_TOLD: Mapping[object, str] = {
    Topic.STARTED: "its keys are being rotated",
    Topic.ASKS: "the rotation of its keys needs a person",
    Topic.TROUBLE: "the rotation of its keys is in trouble",
    Topic.ENDED: "the rotation of its keys is over",
    Topic.OVERDUE: "the rotation of its keys is overdue",
}
_ENDED: Mapping[RotationPhase, str] = {
    RotationPhase.ROTATED: "its keys are rotated",
    RotationPhase.ABORTED: "the rotation of its keys is aborted",
    RotationPhase.DECLINED: "its keys cannot be rotated",
}


def key_letter(
    notice: Notice, entry: HistoryEntry, endpoint: EndpointId, links: tuple[Link, ...] = ()
) -> KeyLetter:
    """Tell that entry; all that is said of a rotation is in its history."""
    phase = RotationPhase(entry.after.value)
    numbers = [told[:TEXT_MAX] for told in numbers_told(entry.numbers)]
    return KeyLetter(
        id=notice.id,
        topic=notice.topic,
        at=entry.at,
        endpoint=str(endpoint),
        endpoint_id=endpoint.arm_id,
        entry=entry.number,
        who=entry.who,
        sentence=entry.why[:TEXT_MAX],
        numbers=tuple(numbers[:NUMBERS_MAX]),
        actions=entry.actions,
        command=_command(notice, entry, endpoint, phase),
        links=links,
        rotation_id=entry.rotation_id,
        phase=phase,
    )


def _command(
    notice: Notice, entry: HistoryEntry, endpoint: EndpointId, phase: RotationPhase
) -> str:
    if notice.topic is Topic.ASKS:
        return remedy(entry.why, endpoint)
    if notice.topic is Topic.OVERDUE and phase in ROTATION_OVER:
        return f"rollout keys rotate {endpoint}"
    return f"rollout keys explain {endpoint}"
