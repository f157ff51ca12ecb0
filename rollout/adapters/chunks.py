"""An hour of minutes as JSON, and as it was."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from rollout.analysis.samples import Counts
from rollout.ports import Minutes

HOUR = timedelta(hours=1)

KEPT_IN_MIND = 256
"""So many hours stay parsed: a look reads again what the one before it read."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CHUNK = TypeAdapter(dict[int, dict[str, Counts]])


def hour(at: datetime) -> datetime:
    """The start of its hour, UTC."""
    return _EPOCH + (at - _EPOCH) // HOUR * HOUR


def by_hour(minutes: Minutes) -> Mapping[datetime, Minutes]:
    """The minutes in their hours."""
    hours: defaultdict[datetime, dict[datetime, Mapping[str, Counts]]] = defaultdict(dict)
    for at, arms in minutes.items():
        hours[hour(at)][at] = arms
    return hours


def dump(minutes: Minutes) -> bytes:
    """Compact JSON: counts by the minute's start in microseconds and the deployment's name."""
    chunk = {(at - _EPOCH) // _MICROSECOND: dict(arms) for at, arms in minutes.items()}
    return _CHUNK.dump_json(chunk, exclude_defaults=True)


@lru_cache(maxsize=KEPT_IN_MIND)
def parse(content: bytes | str) -> Minutes | None:
    """None where this version cannot read it; the same content is parsed once."""
    try:
        chunk = _CHUNK.validate_json(content)
    except ValidationError:
        return None
    return MappingProxyType({_EPOCH + at * _MICROSECOND: arms for at, arms in chunk.items()})


def part(minutes: Minutes, since: datetime, until: datetime) -> Minutes:
    """Those that start in [since, until), in order."""
    return {at: minutes[at] for at in sorted(minutes) if since <= at < until}
