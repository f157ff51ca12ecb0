"""How long what did not come through waits before it is tried again."""

from datetime import datetime, timedelta

from rollout.core.head import Debt, Head
from rollout.errors import Unavailable

SWEEP_MARGIN = timedelta(seconds=15)
DELAY_MAX = timedelta(minutes=1)

_ROLLBACK_DELAYS = (1, 2, 5)


def attempt_of(head: Head, now: datetime) -> int:
    """Which attempt of its wake-up that is: none has the id of an earlier one."""
    assert head.due_at is not None, head
    return 1 + (now - head.due_at) // SWEEP_MARGIN


def delay(debt: Debt, later: Unavailable) -> timedelta:
    """A rollback asks again after 1, 2, 5, then every 5 seconds; the rest backs off."""
    action = debt.action
    if action.type == "set_traffic" and action.is_rollback:
        last = len(_ROLLBACK_DELAYS) - 1
        return timedelta(seconds=_ROLLBACK_DELAYS[min(debt.attempts, last)])
    return max(backed_off(debt.attempts + 1), later.after or timedelta(0))


def backed_off(attempts: int) -> timedelta:
    """2, 4, 8 seconds and so on, up to a minute."""
    return min(DELAY_MAX, timedelta(seconds=2 ** min(attempts, 6)))
