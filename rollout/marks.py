"""What an installation remembers of itself: a time and a word, in a head row of no endpoint."""

from dataclasses import dataclass
from datetime import datetime

from rollout.core.endpoint import EndpointId
from rollout.ports import Store

SWEEP, ALERT, DOCTOR, KEYS = "sweep", "alert", "doctor", "keys"

_TOLD_MAX = 200


@dataclass(frozen=True, slots=True)
class Mark:
    at: datetime
    told: str


def note(store: Store, name: str, at: datetime, told: str = "") -> None:
    """Replace the mark of that name; raises Conflict where another worker is just doing so."""
    held = store.load(_nowhere(name))
    seen = (at.isoformat(), told[:_TOLD_MAX])
    store.save(held, held.head.model_copy(update={"seen": seen}))


def recall(store: Store, name: str) -> Mark | None:
    """The mark of that name, if one was ever noted."""
    seen = store.load(_nowhere(name)).head.seen
    return Mark(datetime.fromisoformat(seen[0]), seen[1]) if seen else None


def _nowhere(name: str) -> EndpointId:
    """An id that no endpoint of Azure can have: it has no subscription."""
    return EndpointId(subscription="-", resource_group="-", workspace="rollout", name=name)
