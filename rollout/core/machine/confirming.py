"""What a hook's answer means: on, a veto, or nothing that could be waited for."""

from collections.abc import Mapping
from datetime import datetime

from rollout.core.events import HookAnswered
from rollout.core.head import Head
from rollout.core.hooks import Hook
from rollout.core.machine import back
from rollout.core.machine.decision import Decision, hold, refuse, stay
from rollout.core.machine.hooks import next_question
from rollout.core.machine.stages import go_on
from rollout.core.patience import Then
from rollout.core.rollout import HoldCause, HookWord, Rollout

_SAID: Mapping[HookWord, str] = {
    HookWord.GO: "says go",
    HookWord.VETO: "says no",
    HookWord.NONE: "does not answer",
}


def answered(head: Head, rollout: Rollout, event: HookAnswered, now: datetime) -> Decision:
    """Count a yes and go on; else do what the policy names.

    Where something else holds meanwhile a yes is kept, and nothing goes on.
    """
    hook = next_question(rollout)
    if hook is None or (event.hook, event.stage) != (hook.confirm, str(rollout.here)):
        return refuse(head, "that question is not open any more")
    why = f"hook {event.hook} {_SAID[event.word]} to {event.stage}"
    why = f"{why}: {event.reason}" if event.reason else why
    asked = rollout.hold is not None and rollout.hold.cause is HoldCause.CONFIRMING
    then, cause = _way(hook, event.word)
    if then is Then.ADVANCE:
        yes = rollout.model_copy(update={"confirmed": rollout.confirmed + 1})
        return go_on(head, yes, now, why) if asked else stay(head, yes, why)
    if then is Then.ROLL_BACK:
        return back.roll_back(head, rollout, why, now)
    return hold(head, rollout, cause, why, now) if asked else stay(head, rollout, why)


def _way(hook: Hook, word: HookWord) -> tuple[Then, HoldCause]:
    if word is HookWord.VETO:
        return hook.on_veto, HoldCause.VETOED
    if word is HookWord.NONE:
        return hook.on_no_answer, HoldCause.NO_ANSWER
    return Then.ADVANCE, HoldCause.CONFIRMING
