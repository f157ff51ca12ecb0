"""Why nothing can be said: an arm without answers is never taken for a good one."""

from collections.abc import Sequence

from rollout.analysis.samples import Minute
from rollout.analysis.words import count

EXPECTED_LEAST = 10.0
"""So many missing answers are no accident any more: by chance one in 20 000."""


def canary_silent(
    minutes: Sequence[Minute], canary: Sequence[int], baseline: Sequence[int]
) -> str | None:
    """Say why the canary cannot be judged at all, or nothing; with the arms' requests a minute."""
    if not minutes:
        return "no readable minute yet"
    if not any(canary):
        return f"the canary has answered nothing in {count(len(minutes), 'minute')}"
    quiet = _quiet(canary)
    since = len(minutes) - quiet
    missed = sum(
        n * one.share / 100 for n, one in zip(baseline[since:], minutes[since:], strict=True)
    )
    if missed >= EXPECTED_LEAST:
        return f"the canary has answered nothing for {count(quiet, 'minute')}"
    return None


def baseline_silent(
    minutes: Sequence[Minute], canary: Sequence[int], baseline: Sequence[int]
) -> str | None:
    """Say why the baseline is no measure, or nothing."""
    if not any(baseline):
        return "there is no baseline to compare with"
    quiet = _quiet(baseline)
    since = len(minutes) - quiet
    missed = sum(
        n * (100 - one.share) / 100 for n, one in zip(canary[since:], minutes[since:], strict=True)
    )
    if missed >= EXPECTED_LEAST:
        return f"the baseline has answered nothing for {count(quiet, 'minute')}"
    return None


def _quiet(asked: Sequence[int]) -> int:
    """How many minutes at the end have no answers."""
    quiet = 0
    for requests in reversed(asked):
        if requests:
            break
        quiet += 1
    return quiet
