"""How people are told, and hooks asked, by this process: which places, by which links."""

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
    return Post(store, clock, places_of(known, clock, outgoing), desk.links)


def places_of(known: "Settings", clock: "Clock", outgoing: "Outgoing") -> PlacesByName:
    """Those of the settings: where notices go, and the webhooks that hooks may ask."""
    return PlacesByName(outgoing, known.targets, clock)
