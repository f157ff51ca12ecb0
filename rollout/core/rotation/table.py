"""Every phase of a rotation and every event: what it moves, or why it means nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rollout.core.head import Head
from rollout.core.rotation import moves
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.events import (
    EndpointMissed,
    KeyActionFailed,
    KeyEvent,
    KeyProbed,
    KeyPublished,
    KeysLookedAt,
    LookFailed,
    RegenerationAnswered,
    RotationAbortRequested,
    RotationOverdue,
    RotationRequested,
    RotationResumeRequested,
)
from rollout.core.rotation.looked import looked
from rollout.core.rotation.state import ROTATION_OVER, RotationPhase


@dataclass(frozen=True, slots=True)
class KeyTransition:
    """A move, and the phases it may lead to besides staying."""

    move: Callable[..., KeyDecision]
    to: tuple[RotationPhase, ...]

    def __call__(self, head: Head, event: KeyEvent, now: datetime) -> KeyDecision:
        if self.move in _OF_ANY_HEAD:
            return self.move(head, event, now)
        assert head.rotation is not None, event
        return self.move(head, head.rotation, event, now)


_OF_ANY_HEAD: frozenset[Callable[..., KeyDecision]] = frozenset({moves.begin, moves.overdue})
"""Moves for which no rotation need ever have been."""


def _to(move: Callable[..., KeyDecision], *phases: RotationPhase) -> KeyTransition:
    return KeyTransition(move, phases)


KeyAnswer = KeyTransition | str

_ASK = RotationPhase.ASKING
_OVER: Mapping[type[KeyEvent], KeyAnswer] = {
    RotationRequested: _to(moves.begin, RotationPhase.WAITING),
    RotationOverdue: _to(moves.overdue),
    RotationAbortRequested: "no keys are being rotated",
    RotationResumeRequested: "no keys are being rotated",
    KeysLookedAt: "no keys are being rotated",
    EndpointMissed: "no keys are being rotated",
    LookFailed: "no keys are being rotated",
    KeyProbed: "the rotation is over",
    RegenerationAnswered: "the rotation is over",
    KeyPublished: "the rotation is over",
    KeyActionFailed: "the rotation is over",
}
_ALIVE: Mapping[type[KeyEvent], KeyAnswer] = {
    RotationRequested: _to(moves.hasten),
    RotationOverdue: _to(moves.overdue),
    RotationAbortRequested: _to(moves.abort, RotationPhase.ABORTED),
    RotationResumeRequested: "it goes on by itself; there is nothing to resume",
    EndpointMissed: _to(moves.missed, RotationPhase.DECLINED),
    LookFailed: _to(moves.look_failed),
    KeyProbed: "no key is being tried now",
    RegenerationAnswered: "no key is being regenerated now",
    KeyPublished: "no key is being published now",
    KeyActionFailed: "nothing was asked for now",
}
_RESUMED = tuple(one for one in RotationPhase if one not in {*ROTATION_OVER, _ASK})


def _live(*looks_to: RotationPhase, **own: KeyTransition) -> Mapping[type[KeyEvent], KeyAnswer]:
    named: dict[str, type[KeyEvent]] = {"probed": KeyProbed, "answered": RegenerationAnswered}
    named |= {"published": KeyPublished, "action_failed": KeyActionFailed}
    about = {named[name]: move for name, move in own.items()}
    return {**_ALIVE, KeysLookedAt: _to(looked, *looks_to, _ASK), **about}


_FAILED = _to(moves.action_failed, _ASK)
_PROVEN = RotationPhase.PROVING

# fmt: off
ROTATIONS: Mapping[RotationPhase, Mapping[type[KeyEvent], KeyAnswer]] = {
    RotationPhase.IDLE: _OVER,
    RotationPhase.WAITING: _live(
        RotationPhase.TRYING_SPARE, RotationPhase.RENEWING_SPARE, RotationPhase.DECLINED,
    ),
    RotationPhase.TRYING_SPARE: _live(
        probed=_to(moves.probed, RotationPhase.RENEWING_SPARE, _ASK), action_failed=_FAILED,
    ),
    RotationPhase.RENEWING_SPARE: _live(
        _PROVEN, answered=_to(moves.answered), action_failed=_FAILED,
    ),
    RotationPhase.PROVING: _live(
        probed=_to(moves.probed, RotationPhase.PUBLISHING, _ASK), action_failed=_FAILED,
    ),
    RotationPhase.PUBLISHING: _live(
        RotationPhase.OVERLAPPING, _PROVEN, published=_to(moves.published), action_failed=_FAILED,
    ),
    RotationPhase.OVERLAPPING: _live(RotationPhase.CONFIRMING, _PROVEN),
    RotationPhase.CONFIRMING: _live(
        _PROVEN, probed=_to(moves.probed, RotationPhase.RENEWING_OLD, _ASK), action_failed=_FAILED,
    ),
    RotationPhase.RENEWING_OLD: _live(
        RotationPhase.ROTATED, RotationPhase.CONFIRMING, _PROVEN,
        answered=_to(moves.answered), action_failed=_FAILED,
    ),
    RotationPhase.ASKING: {
        **_ALIVE,
        KeysLookedAt: "it waits for a person",
        EndpointMissed: "it waits for a person",
        LookFailed: "it waits for a person",
        RotationResumeRequested: _to(moves.resume, *_RESUMED),
    },
    RotationPhase.ROTATED: _OVER,
    RotationPhase.ABORTED: _OVER,
    RotationPhase.DECLINED: _OVER,
}
# fmt: on
