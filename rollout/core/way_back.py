"""The way back as an endpoint's own tags tell it, so that it is found without a controller."""

import re
from typing import Self

from pydantic import Field, ValidationError

from rollout.core.frozen import Frozen
from rollout.core.traffic import Traffic

TAG_MAX = 256
"""So many characters Azure keeps of a tag's value."""

_EVENT = "event="
_PART = re.compile(r"(?P<mirror>mirror:)?(?P<name>[^=:\s]+)=(?P<share>[0-9]{1,3})")


class WayBack(Frozen):
    """Which rollout put which deployment on trial, and the map that gives its traffic back."""

    rollout_id: str
    canary: str
    traffic: Traffic

    @property
    def tag(self) -> str | None:
        """As a tag's value; None where it is longer than Azure keeps."""
        live = [f"{name}={share}" for name, share in self.traffic.live.items()]
        mirror = [f"mirror:{name}={share}" for name, share in self.traffic.mirror.items()]
        text = " ".join([self.rollout_id, self.canary, *live, *mirror])
        return text if len(text) <= TAG_MAX else None

    @classmethod
    def parse(cls, tag: str) -> Self | None:
        """Read a tag's value; None for what no controller has written."""
        rollout_id, _, rest = tag.partition(" ")
        canary, _, rest = rest.partition(" ")
        parts = [_PART.fullmatch(part) for part in rest.split()]
        shares = [part for part in parts if part]
        if not canary or not shares or len(shares) < len(parts):
            return None
        maps: dict[bool, dict[str, int]] = {False: {}, True: {}}
        for part in shares:
            maps[bool(part["mirror"])][part["name"]] = int(part["share"])
        try:
            traffic = Traffic(live=maps[False], mirror=maps[True])
        except ValidationError:
            return None
        return cls(rollout_id=rollout_id, canary=canary, traffic=traffic)


class AbortedAtAzure(Frozen):
    """What is left at the endpoint by whoever gives traffic back and has no store to say it in."""

    rollout_id: str
    who: str
    why: str = ""
    event_id: str = Field("", description="what was decided so: it is decided once")

    @property
    def tag(self) -> str:
        """As a tag's value; a long reason is cut."""
        who = "_".join(self.who.split()) or "somebody"
        event = [f"{_EVENT}{self.event_id}"] if self.event_id else []
        return " ".join([self.rollout_id, who, *event, *self.why.split()])[:TAG_MAX]

    @classmethod
    def parse(cls, tag: str) -> Self | None:
        rollout_id, _, rest = tag.partition(" ")
        who, _, why = rest.partition(" ")
        event_id = ""
        if why.startswith(_EVENT):
            event, _, why = why.partition(" ")
            event_id = event.removeprefix(_EVENT)
        return cls(rollout_id=rollout_id, who=who, why=why, event_id=event_id) if who else None
