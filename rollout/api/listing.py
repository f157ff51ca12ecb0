"""Pages of the list of rollouts: those that live by their endpoints, then the latest that ended."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rollout.api.parts import Parts
from rollout.core.head import Head
from rollout.core.rollout import Rollout
from rollout.errors import Malformed
from rollout.ports import Ended
from rollout.views import RolloutView, view

PLACE = "^(live:[A-Za-z0-9_-]{1,255}|ended:[0-9]{1,16}:[A-Za-z0-9_-]{1,255})$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def page(
    parts: Parts, state: str, limit: int, after: str | None
) -> tuple[list[RolloutView], str | None]:
    """At most so many behind that place, and the place behind which there are more, if any.

    Raises Malformed for what is no place.
    """
    key, behind = _read(after)
    heads = parts.store.live(limit + 1, key) if state != "ended" and behind is None else ()
    lives = heads[:limit]
    views = _lively(parts, lives)
    if len(heads) > limit:
        return views, _place_of(lives[-1])
    room = limit - len(lives)
    ended = parts.store.ended(room + 1, behind) if state != "live" else ()
    views += _over(parts, ended[:room])
    if len(ended) <= room:
        return views, None
    return views, _place_of(ended[room - 1] if room else lives[-1])


def _read(after: str | None) -> tuple[str, Ended | None]:
    """The key of the last endpoint that was told as live; or the last rollout that has ended."""
    if after is None:
        return "", None
    if not re.fullmatch(PLACE, after):
        raise Malformed(f"after={after[:50]}: it is the `next` of the page before")
    kind, _, rest = after.partition(":")
    if kind == "live":
        return rest, None
    micros, _, name = rest.partition(":")
    return "", (_EPOCH + int(micros) * _MICROSECOND, name)


def _place_of(last: Head | Rollout) -> str:
    if isinstance(last, Head):
        return f"live:{last.endpoint.key}"
    return f"ended:{(last.phase_since - _EPOCH) // _MICROSECOND}:{last.id}"


def _lively(parts: Parts, heads: Sequence[Head]) -> list[RolloutView]:
    now = parts.clock.now()
    return [view(head, head.rollout, now) for head in heads if head.rollout]


def _over(parts: Parts, ended: Sequence[Rollout]) -> list[RolloutView]:
    """Each with its endpoint as it is now; one that is on its way back is told as live."""
    endpoints = {one.endpoint.key: one.endpoint for one in ended}
    heads = {key: parts.store.load(endpoint).head for key, endpoint in endpoints.items()}
    told = [(heads[one.endpoint.key], one) for one in ended]
    now = parts.clock.now()
    return [view(head, one, now) for head, one in told if not _lives_again(head, one)]


def _lives_again(head: Head, ended: Rollout) -> bool:
    """Whether a rollout that had ended is on its way back."""
    return head.live and head.rollout is not None and head.rollout.id == ended.id
