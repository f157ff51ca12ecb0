"""How people are told by this process: which places, by which links."""

from typing import TYPE_CHECKING

from rollout.adapters.notices import PlacesByName
from rollout.post import Post

if TYPE_CHECKING:
    from rollout.adapters.outgoing import Outgoing
    from rollout.links import Desk
    from rollout.ports import Clock, Store
    from rollout.settings import Settings


def post_of(
    known: "Settings", store: "Store", clock: "Clock", outgoing: "Outgoing", desk: "Desk"
) -> Post:
    """What is owed to people goes to the places that the settings name."""
    return Post(store, clock, PlacesByName(outgoing, known.targets, clock), desk.links)
