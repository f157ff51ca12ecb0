"""Why nothing can be said: an arm without answers is never taken for a good one."""

from collections.abc import Sequence

from rollout.analysis.samples import Counts, Minute
from rollout.analysis.words import count

EXPECTED_LEAST = 10.0
"""So many missing answers are no accident any more: by chance one in 20 000."""


def canary_silent(minutes: Sequence[Minute]) -> str | None:
    """Say why the canary cannot be judged at all, or nothing."""
    if not minutes:
        return "no readable minute yet"
    asked = [_requests(minute.canary) for minute in minutes]
    if not any(asked):
        return f"the canary has answered nothing in {count(len(minutes), 'minute')}"
    quiet = _quiet(asked)
    since = minutes[len(asked) - quiet :]
    missed = sum(_requests(one.baseline) * one.share / 100 for one in since)
    if missed >= EXPECTED_LEAST:
        return f"the canary has answered nothing for {count(quiet, 'minute')}"
    return None


def baseline_silent(minutes: Sequence[Minute]) -> str | None:
    """Say why the baseline is no measure, or nothing."""
    asked = [_requests(minute.baseline) for minute in minutes]
    if not any(asked):
        return "there is no baseline to compare with"
    quiet = _quiet(asked)
    since = minutes[len(asked) - quiet :]
    missed = sum(_requests(one.canary) * (100 - one.share) / 100 for one in since)
    if missed >= EXPECTED_LEAST:
        return f"the baseline has answered nothing for {count(quiet, 'minute')}"
    return None


def _requests(arm: Counts | None) -> int:
    return arm.requests if arm else 0


def _quiet(asked: Sequence[int]) -> int:
    """How many minutes at the end have no answers."""
    quiet = 0
    for requests in reversed(asked):
        if requests:
            break
        quiet += 1
    return quiet
