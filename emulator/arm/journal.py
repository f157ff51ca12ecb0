"""What callers asked of the control plane, in order, for tests to look at."""

import asyncio
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

from emulator.arm import durations

_WRITES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A write; the maps are those asked for, None where the body had none."""

    at: str
    kind: str
    path: str
    api_version: str
    status: int
    traffic: Any = None
    mirror_traffic: Any = None


@dataclass(slots=True)
class Journal:
    """Counts of all calls by kind, and the writes themselves. Keys and tokens are not kept."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    writes: deque[Entry] = field(default_factory=lambda: deque(maxlen=_WRITES_MAX))
    reads_total: int = 0
    writes_total: int = 0
    late: list[str] = field(default_factory=list)
    """The paths of the calls whose answers are kept back now."""

    async def keep_back(self, path: str, seconds: float) -> None:
        """Let so much time pass before an answer."""
        if seconds:
            self.late.append(path)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.late.remove(path)

    def note_read(self, kind: str, status: int) -> None:
        self.reads_total += 1
        self._count(kind, status)

    def note_write(self, at: float, entry: dict[str, Any], properties: object) -> None:
        """`entry` has kind, path, api_version and status."""
        maps = properties if isinstance(properties, dict) else {}
        self.writes_total += 1
        self._count(entry["kind"], entry["status"])
        traffic, mirror = maps.get("traffic"), maps.get("mirrorTraffic")
        written = Entry(durations.iso(at), **entry, traffic=traffic, mirror_traffic=mirror)
        self.writes.append(written)

    def document(self) -> dict[str, Any]:
        return {
            "reads": self.reads_total,
            "writes": self.writes_total,
            "by_kind": dict(self.counts),
            "by_status": dict(self.statuses),
            "late": list(self.late),
            "written": [asdict(entry) for entry in self.writes],
        }

    def clear(self) -> None:
        self.counts.clear()
        self.statuses.clear()
        self.writes.clear()
        self.reads_total = self.writes_total = 0

    def _count(self, kind: str, status: int) -> None:
        self.counts[kind] += 1
        self.statuses[str(status)] += 1
