"""How often one caller may ask: a token bucket each, in this process alone."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from rollout.errors import RolloutError

KEYS_MAX = 10_000
"""So many callers are remembered; the one that was silent longest is forgotten, and begins anew."""


class TooMany(RolloutError):
    """The caller asks too often: refused at the door, not before `after`."""

    def __init__(self, message: str, after: timedelta) -> None:
        super().__init__(message)
        self.after = after


@dataclass(slots=True)
class _Bucket:
    left: float
    at: datetime


class Buckets:
    """Each key has a bucket of a minute's requests, which fills again at an even pace."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, now: datetime) -> None:
        """Take one; raises TooMany where none is left."""
        with self._lock:
            bucket = self._buckets.pop(key, None) or _Bucket(self._per_minute, now)
            passed = max((now - bucket.at).total_seconds(), 0.0)
            bucket.left = min(bucket.left + passed * self._pace, float(self._per_minute))
            bucket.at = now
            self._buckets[key] = bucket
            if len(self._buckets) > KEYS_MAX:
                self._buckets.popitem(last=False)
            if bucket.left < 1:
                after = timedelta(seconds=(1 - bucket.left) / self._pace)
                raise TooMany(f"at most {self._per_minute} a minute; ask again later", after)
            bucket.left -= 1

    @property
    def _pace(self) -> float:
        return self._per_minute / 60
