"""How people are told, and hooks asked: in which places, by which links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.once import Once
from rollout.wiring.kept import store
from rollout.wiring.keys import installation_secret
from rollout.wiring.process import clock, settings
from rollout.wiring.reading import outgoing

if TYPE_CHECKING:
    from rollout.adapters.notices import PlacesByName
    from rollout.links import Desk
    from rollout.post import Post


@Once
def post() -> Post:
    """What is owed to people goes to the places that the settings name."""
    from rollout.post import Post

    return Post(store(), clock(), places(), desk())


@Once
def places() -> PlacesByName:
    """Where notices go, and the webhooks that hooks may ask."""
    from rollout.adapters.notices import PlacesByName

    return PlacesByName(outgoing(), settings().targets, clock())


@Once
def desk() -> Desk:
    """Who signs approval links."""
    from rollout.links import Desk

    return Desk(installation_secret, settings().public_url)
