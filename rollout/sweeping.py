"""The sweep: steps that are late are sent again, and ways back among them wait for no queue."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from rollout import marks, waits
from rollout.core.head import Head, Wake
from rollout.core.rollout import Phase
from rollout.errors import Refused, RolloutError, Unavailable
from rollout.ports import Clock, Queue, Store
from rollout.wakes import send_wake, wake_of

log = logging.getLogger(__name__)

SWEEP_LIMIT = 2000
"""So many late steps one sweep sends again; the earliest first, and the next ones a minute on."""

FEW = 100
"""With fewer late steps, all ways back are among them; with more the store is asked for those."""

SWEEP_PATIENCE = timedelta(seconds=40)
LATE = "sweep: %d steps are late, the oldest by %.0f s"
"""What the sweep says of itself; an alert rule in infra/ reads it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sweep:
    """Sends again what got lost: a wake-up long due whose message never came.

    After an outage the queue holds a message of every endpoint, and works them off in turn. A way
    back must not wait behind them: the sweep looks at those that are late itself.
    """

    def __init__(
        self, store: Store, queue: Queue, clock: Clock, wake: Callable[[Wake], None]
    ) -> None:
        """`wake` looks at one endpoint here and now."""
        self._store = store
        self._queue = queue
        self._clock = clock
        self._wake = wake

    def run(self) -> int:
        """How many steps were late, of those that it looked at."""
        now = self._clock.now()
        before = now - waits.SWEEP_MARGIN
        late = self._store.due(before, FEW)
        crowded = len(late) == FEW
        back = self._store.going_back(before, SWEEP_LIMIT) if crowded else _going_back(late)
        self._wake_here(back, now)
        late = self._store.due(before, SWEEP_LIMIT) if crowded else late
        ours = {head.endpoint.key for head in back}
        rest = [head for head in late if head.endpoint.key not in ours]
        self._wake_here(self._unsent(rest, now), now)
        self._tell(late, now)
        self._leave_mark(now, len(late))
        if self._is_hour(now):
            self._repair()
        return len(late)

    def _unsent(self, heads: Sequence[Head], now: datetime) -> Sequence[Head]:
        """Send them all; where the queue is down, it is asked once and not for each of them."""
        for place, head in enumerate(heads):
            if not send_wake(self._queue, head, now, waits.attempt_of(head, now)):
                return heads[place:]
        return ()

    def _wake_here(self, heads: Iterable[Head], since: datetime) -> None:
        """Without a queue the sweep looks: at all ways back, then as long as there is time."""
        for head in heads:
            late = self._clock.now() - since > SWEEP_PATIENCE
            if late and head.phase is not Phase.ROLLING_BACK:
                return
            try:
                self._wake(wake_of(head))
            except RolloutError as error:  # others wait behind it, and the next sweep tries again
                log.warning("%s: its step waits: %s", head.endpoint, error)

    def _tell(self, late: Iterable[Head], now: datetime) -> None:
        times = [head.due_at for head in late if head.due_at]
        if times:
            log.warning(LATE, len(times), (now - min(times)).total_seconds())

    def _leave_mark(self, now: datetime, late: int) -> None:
        """So that `rollout doctor` can tell when the sweep ran; nothing else needs it."""
        try:
            marks.note(self._store, marks.SWEEP, now, f"{late} late")
        except RolloutError as error:
            log.warning("the sweep's mark is not left: %s", error)

    def _is_hour(self, now: datetime) -> bool:
        """In the first minute of each hour; of sixty sweeps one comes then."""
        return (now - _EPOCH) % (60 * self._clock.minute) < self._clock.minute

    def _repair(self) -> None:
        try:
            found = self._store.repair()
        except (Unavailable, Refused) as later:  # what is due was sent already
            log.warning("the store is not looked through this hour: %s", later)
        else:
            if found:
                log.warning("%d hints were missing in the store, and are there again", found)


def _going_back(heads: Iterable[Head]) -> Sequence[Head]:
    return [head for head in heads if head.phase is Phase.ROLLING_BACK]
