"""What begins and is over with a decision, for hooks that are told of it."""

from collections.abc import Sequence

from rollout.core.hooks import Hook
from rollout.core.notify import Moment, Target
from rollout.core.rollout import Phase, Rollout

_WHOLE = "the rollout"
ToTell = tuple[Moment, str, Target]
"""The moment, what begins or is over, and who is told."""


def to_tell(before: Rollout | None, after: Rollout | None) -> Sequence[ToTell]:
    """In the order in which it happens: what is over, then what begins."""
    if after is None:
        return ()
    was = before if before is not None and before.id == after.id else None
    told: list[ToTell] = []
    if was is None:
        told += _told(Moment.BEFORE, _WHOLE, after.policy.hooks)
    if was is not None and was.begun >= 0 and (was.begun != after.begun or _ends(was, after)):
        told += _of_stage(Moment.AFTER, after, was.begun)
    if after.begun >= 0 and (was is None or was.begun != after.begun):
        told += _of_stage(Moment.BEFORE, after, after.begun)
    if after.over and was is not None and not was.over:
        told += _told(Moment.AFTER, _WHOLE, after.policy.hooks)
    return told


def _ends(before: Rollout, after: Rollout) -> bool:
    """Whether its last stage is over now: it is promoted, or on its way back."""
    return not _is_past(before) and _is_past(after)


def _is_past(rollout: Rollout) -> bool:
    return rollout.over or rollout.phase is Phase.ROLLING_BACK


def _of_stage(moment: Moment, rollout: Rollout, index: int) -> Sequence[ToTell]:
    stage = rollout.stages[index]
    return _told(moment, str(stage), stage.hooks)


def _told(moment: Moment, what: str, hooks: Sequence[Hook]) -> Sequence[ToTell]:
    return [(moment, what, target) for hook in hooks if (target := hook.told(moment))]
