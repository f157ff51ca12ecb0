"""Why nothing can be said: an arm without answers is never taken for a good one."""

from collections.abc import Sequence

from rollout.analysis.samples import Minute
from rollout.analysis.split import NOTHING
from rollout.analysis.words import count

EXPECTED_LEAST = 10.0
"""So many missing answers are no accident any more: by chance one in 20 000."""


def canary_silent(minutes: Sequence[Minute]) -> str | None:
    """Say why the canary cannot be judged at all, or nothing."""
    if not minutes:
        return "no readable minute yet"
    asked = [_answers(minute)[0] for minute in minutes]
    if not any(asked):
        return f"the canary has answered nothing in {count(len(minutes), 'minute')}"
    quiet = _quiet(asked)
    missed = sum(_answers(one)[1] * one.share / 100 for one in minutes[len(asked) - quiet :])
    if missed >= EXPECTED_LEAST:
        return f"the canary has answered nothing for {count(quiet, 'minute')}"
    return None


def baseline_silent(minutes: Sequence[Minute]) -> str | None:
    """Say why the baseline is no measure, or nothing."""
    asked = [_answers(minute)[1] for minute in minutes]
    if not any(asked):
        return "there is no baseline to compare with"
    quiet = _quiet(asked)
    missed = sum(
        _answers(one)[0] * (100 - one.share) / 100 for one in minutes[len(asked) - quiet :]
    )
    if missed >= EXPECTED_LEAST:
        return f"the baseline has answered nothing for {count(quiet, 'minute')}"
    return None


def _answers(minute: Minute) -> tuple[int, int]:
    return (minute.canary or NOTHING).requests, (minute.baseline or NOTHING).requests


def _quiet(asked: Sequence[int]) -> int:
    """How many minutes at the end have no answers."""
    quiet = 0
    for requests in reversed(asked):
        if requests:
            break
        quiet += 1
    return quiet
