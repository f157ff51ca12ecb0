"""The places that a policy speaks to, and which of them an installation does not know."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rollout.core.hooks import Hook
from rollout.core.notify import Target
from rollout.core.policy import Policy
from rollout.core.rotation.policy import RotationPolicy

Missing = Callable[[Target], str | None]
"""Why a place cannot be reached here, with the remedy; None: the settings name it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One mention: where it is written, whom it names, and whether an answer is waited for."""

    where: str
    target: Target
    asked: bool = False


def spoken_to(policy: Policy | RotationPolicy) -> Iterator[Spoken]:
    """In the order in which they are written."""
    if isinstance(policy, Policy):
        yield from _of_hooks("", policy.hooks)
        for number, entry in enumerate(policy.stages):
            yield from _of_hooks(f"stages[{number}].", entry.stage.hooks)
    for number, rule in enumerate(policy.notify):
        yield Spoken(f"notify[{number}]", rule.target)


def _of_hooks(place: str, hooks: Sequence[Hook]) -> Iterator[Spoken]:
    for number, hook in enumerate(hooks):
        kind = "confirm" if hook.confirm else "before" if hook.before else "after"
        yield Spoken(f"{place}hooks[{number}].{kind}", hook.place, bool(hook.confirm))


def unknown(
    policy: Policy | RotationPolicy, missing: Missing, *, asked: bool | None = None
) -> tuple[str, ...]:
    """A sentence for each mention of a place that is not known; `asked`: only those, or others."""
    found = ((one, missing(one.target)) for one in spoken_to(policy))
    return tuple(f"{one.where}: {why}" for one, why in found if why and asked in {None, one.asked})


def hooks_told(policy: Policy) -> Iterator[str]:
    """Each hook in words: when, whom, and what its silence or its no would mean."""
    yield from (f"the rollout: {_words(hook)}" for hook in policy.hooks)
    for entry in policy.stages:
        yield from (f"{entry.stage}: {_words(hook)}" for hook in entry.stage.hooks)


def _words(hook: Hook) -> str:
    if hook.confirm:
        again = f", {hook.retries} times again" if hook.retries else ""
        return (
            f"{hook.confirm} is asked before it begins (within {hook.timeout_seconds} s{again};"
            f" no answer: {hook.on_no_answer}; a no: {hook.on_veto})"
        )
    if hook.before:
        return f"{hook.before} is told that it begins"
    return f"{hook.after} is told that it is over"
