"""What is asked of hooks before a stage begins; a way back asks nobody."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rollout.core.actions import AskHook
from rollout.core.head import Head
from rollout.core.hooks import Hook
from rollout.core.machine.decision import Decision, hold
from rollout.core.rollout import HoldCause, Rollout


def next_question(rollout: Rollout) -> Hook | None:
    """The hook whose word the present stage waits for; None: it has begun, or may begin."""
    questions = () if rollout.begun == rollout.stage else _questions(rollout)
    return questions[rollout.confirmed] if rollout.confirmed < len(questions) else None


def _questions(rollout: Rollout) -> Sequence[Hook]:
    """Those of the whole rollout first, where nothing has begun yet."""
    whole = rollout.policy.hooks if rollout.begun < 0 else ()
    return [hook for hook in (*whole, *rollout.here.hooks) if hook.confirm]


def ask(head: Head, rollout: Rollout, hook: Hook, now: datetime, why: str) -> Decision:
    """Stand still, the guards still on, until the hook has answered."""
    assert hook.confirm, hook
    action = AskHook(
        endpoint=rollout.endpoint,
        rollout_id=rollout.id,
        hook=hook.confirm,
        canary=rollout.canary,
        baseline=rollout.baseline,
        stage=str(rollout.here),
        traffic=rollout.observed,
        timeout_seconds=hook.timeout_seconds,
        retries=hook.retries,
    )
    told = f"{why}; hook {hook.confirm} is asked before {rollout.here}"
    return replace(hold(head, rollout, HoldCause.CONFIRMING, told, now), actions=(action,))


def begun(rollout: Rollout) -> Rollout:
    """Its stage has begun: nobody is asked about it any more."""
    return rollout.model_copy(update={"begun": rollout.stage, "confirmed": 0})


def without_question(rollout: Rollout) -> Rollout:
    """A person goes on in spite of hooks: none of this stage is asked any more."""
    return rollout.model_copy(update={"confirmed": len(_questions(rollout))})
