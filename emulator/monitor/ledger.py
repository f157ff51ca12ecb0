"""Answers counted by endpoint, minute, deployment and status; and the last ones kept as rows."""

import math
from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from emulator.monitor.answers import Answer

_ROWS_MAX = 200_000
_MINUTES_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Cell:
    """The dimensions of one count."""

    deployment: str
    status: int
    model_status: int | None

    def dimensions(self) -> dict[str, str]:
        """By the lower-cased names that the metrics APIs use."""
        return {
            "deployment": self.deployment,
            "statuscode": str(self.status),
            "statuscodeclass": f"{self.status // 100}xx",
            "modelstatuscode": "" if self.model_status is None else str(self.model_status),
            "envoy_response_code": str(self.status),
        }


def _floats() -> "array[float]":
    return array("f")


@dataclass(slots=True)
class _Minutes:
    """Total durations in ms by minute (its start in epoch seconds) and cell."""

    cells: dict[float, dict[Cell, "array[float]"]] = field(default_factory=dict)

    def add(self, minute: float, cell: Cell, total_ms: float) -> None:
        self.cells.setdefault(minute, defaultdict(_floats))[cell].append(total_ms)
        while len(self.cells) > _MINUTES_MAX:
            del self.cells[next(iter(self.cells))]


class Ledger:
    """What the gateway answered. A "minute" is `grain` seconds long."""

    def __init__(self, grain: float) -> None:
        self.grain = grain
        self.rows: deque[Answer] = deque(maxlen=_ROWS_MAX)
        self._endpoints: dict[str, _Minutes] = defaultdict(_Minutes)

    def record(self, answer: Answer, *, metrics: bool = True, logs: bool = True) -> None:
        """Count it, and keep it as a row."""
        if logs:
            self.rows.append(answer)
        if not metrics:
            return
        minute = math.floor(answer.at / self.grain) * self.grain
        cell = Cell(answer.deployment, answer.status, answer.model_status)
        self._endpoints[answer.endpoint_id.lower()].add(minute, cell, answer.total_ms)

    def minutes(
        self, endpoint_id: str, start: float, end: float
    ) -> Iterator[tuple[float, Iterable[tuple[Cell, "array[float]"]]]]:
        """The minutes with answers that begin in [start, end)."""
        found = self._endpoints.get(endpoint_id.lower())
        for minute, cells in found.cells.items() if found else ():
            if start <= minute < end:
                yield minute, cells.items()
