"""How many billed operations one call of a port is, on the parts that Azure has.

The figures are those of docs/reference/storage.md: one row per endpoint, its history beside it in
one transaction, hints in partitions of their own, samples in a blob for each hour. A transaction of
several rows is billed as one operation. `on_azurite` measures how true they are.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rollout.adapters.azure.storage.hints import needed
from rollout.core.head import Head, HistoryEntry
from rollout.ports import Held, Minutes

TABLE, QUEUE, ARM, METRICS, BLOB = "table", "queue", "ARM", "metrics", "blob"

Operations = Mapping[str, int]
Counted = Callable[..., Operations]


def _always(**counts: int) -> Counted:
    given = {name.replace("arm", ARM): count for name, count in counts.items()}
    return lambda *_args, **_kwargs: given


def _save(held: Held, head: Head, _entry: HistoryEntry | None = None) -> Operations:
    """The transaction, and one of hints where the row would not be found without.

    A row that is due in another minute leaves a false hint behind: a sweep loads the row and
    removes it.
    """
    hints = needed(held, head)
    left = sum(hint.name.startswith("due-") for hint in hints)
    return {TABLE: 1 + bool(hints) + 2 * left}


def _save_minutes(_key: str, _source: str, minutes: Minutes) -> Operations:
    """A write of each hour's chunk that is touched; what it adds to is known from the last time."""
    return {BLOB: len({at.replace(minute=0, second=0, microsecond=0) for at in minutes})}


# fmt: off
OPERATIONS: Mapping[tuple[str, str], Counted] = {
    ("store", "load"):         _always(table=1),  # the row
    ("store", "save"):         _save,
    ("store", "repair"):       _always(table=6),  # once an hour: an endpoint, the marks, the hints
    ("store", "due"):          _always(table=1),  # the hints of what is due
    ("samples", "read"):       _always(blob=1),   # the list; what was read before is known
    ("samples", "save"):       _save_minutes,
    ("samples", "forget"):     _always(blob=1),   # the list, where mostly nothing is too old
    ("policies", "list"):      _always(blob=2),   # the list, and one pushed policy
    ("policies", "read"):      _always(blob=1),
    ("policies", "attachment"): _always(blob=1),
    ("queue", "send"):         _always(queue=3),  # send, receive and complete
    ("endpoints", "read"):     _always(arm=2),    # the endpoint, its deployments
    ("endpoints", "set_traffic"): _always(arm=2),  # the endpoint read and written
    ("endpoints", "claim"):    _always(arm=2),
    ("endpoints", "scale"):    _always(arm=2),
    ("endpoints", "delete"):   _always(arm=1),
    ("endpoints", "operation"): _always(arm=1),
    ("scoring", "score"):      _always(),         # the endpoint's own traffic
    ("metrics", "read"):       _always(metrics=2),  # counts by status, latencies
}
# fmt: on


def operations(port: str, call: str, *args: Any) -> Operations:  # noqa: ANN401 - any port's
    """Raises KeyError for a call that nobody has counted yet."""
    return OPERATIONS[port, call](*args)
