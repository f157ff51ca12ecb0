"""The machine's clock, and how long a policy minute is on it."""

from datetime import UTC, datetime, timedelta


class SystemClock:
    """The port Clock. At speed 12 a policy minute takes five seconds; the time of day is true."""

    def __init__(self, speed: float = 1) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"clock_speed must be a number above 0, not {speed}")
        self._minute = timedelta(minutes=1) / speed

    @property
    def minute(self) -> timedelta:
        return self._minute

    def now(self) -> datetime:
        return datetime.now(UTC)
