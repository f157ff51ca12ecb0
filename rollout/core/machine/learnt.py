"""What a look teaches of the platform itself: whether it counts copies, and whether pairs join."""

from datetime import datetime

from rollout.core.copies import news
from rollout.core.events import Looked
from rollout.core.head import Head
from rollout.core.rollout import Rollout


def learnt(
    head: Head, rollout: Rollout, event: Looked, now: datetime
) -> tuple[Head, Rollout, tuple[str, ...]]:
    """Both with what they know now, and a sentence for each thing that is new."""
    copies = news(head.copies, event.copies)
    seen = {one.source: bool(one.seen) for one in copies}
    wiser = head.model_copy(update={"copies": {**head.copies, **seen}}) if seen else head
    told = tuple(map(str, copies))
    chosen = event.pairs.choice if event.pairs and rollout.pairs_from is None else None
    if chosen is None:
        return wiser, rollout, told
    found = {"pairs_from": chosen, "pairs_since": now}
    return wiser, rollout.model_copy(update=found), (*told, str(event.pairs))
