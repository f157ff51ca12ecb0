"""What Azure's data collector wrote: JSON Lines in folders by the hour, one line an answer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import from_json, to_json

from rollout.core.endpoint import EndpointId
from rollout.errors import Unavailable
from rollout.pair_ports import Served, ServedRead
from rollout.ports import Answer

LAG_MINUTES = 2
"""A line is there a few seconds after its answer; late ones are read again."""
BYTES_MAX = 16 * 1024 * 1024
"""So much of one deployment is read in a look: the ends of its files."""
FILES_MAX = 200
ENDING = ".jsonl"

_DAY = timedelta(days=1)
_OK = 200
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_UNITS = ("year", "month", "day", "hour", "minute")


@dataclass(frozen=True, slots=True)
class File:
    name: str
    size: int


class Place(Protocol):
    """Where the collector writes to; raises Unavailable or Refused."""

    def files(self, below: str) -> Sequence[File]:
        """All files whose names begin so, with no order."""
        ...

    def tail(self, file: File, size: int) -> bytes:
        """The last bytes of that file; nothing where it is gone."""
        ...


class CollectedAnswers:
    """The port ServedAnswers on files of `{endpoint}/{deployment}/{collection}/yyyy/MM/dd/HH/`.

    The layout, and the keys of a line, are those that Microsoft documents for the collector; its
    hours may be days or minutes, as the deployment's rolling rate says. A line whose payload is
    stored apart, or is only a part of it, is left out; so is one that is still being written.
    """

    def __init__(self, place: Place, minute: timedelta, lag_minutes: int = LAG_MINUTES) -> None:
        self._place = place
        self.lag = lag_minutes * minute

    def read(
        self,
        endpoint: EndpointId,
        deployment: str,
        collection: str,
        since: datetime,
        until: datetime,
    ) -> ServedRead:
        root = f"{endpoint.name}/{deployment}/{collection}/"
        files = list(self._files(root, since, until))[-FILES_MAX:]
        room = BYTES_MAX // max(1, len(files))
        found: list[Served] = []
        whole_since = since
        for file in files:
            lines = list(_served(self._place.tail(file, room), cut=file.size > room))
            if file.size > room:
                whole_since = max(whole_since, lines[0].at if lines else until)
            found += [one for one in lines if since <= one.at < until]
        return ServedRead(sorted(found, key=lambda one: one.at), whole_since)

    def _files(self, root: str, since: datetime, until: datetime) -> Iterator[File]:
        """Those that may have lines of that time, oldest first."""
        day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        while day < until:
            for file in sorted(self._place.files(f"{root}{day:%Y/%m/%d}/"), key=lambda f: f.name):
                rolled = _rolled(file.name.removeprefix(root))
                if rolled and rolled[0] < until and since < rolled[1] and file.size:
                    yield file
            day += _DAY


def _rolled(path: str) -> tuple[datetime, datetime] | None:
    """From when to when the lines of a file are; None: it is none of the collector's."""
    *numbers, name = path.split("/")
    lasts = {3: _DAY, 4: timedelta(hours=1), 5: timedelta(minutes=1)}.get(len(numbers))
    if lasts is None or not name.endswith(ENDING) or not all(map(str.isdecimal, numbers)):
        return None
    try:
        parts: dict[str, Any] = dict(zip(_UNITS, map(int, numbers), strict=False))
        first = datetime(**parts, tzinfo=UTC)
    except ValueError:
        return None
    return first, first + lasts + timedelta(minutes=1)  # a line may come a little late


# -- lines ---------------------------------------------------------------------------------------


def _served(content: bytes, *, cut: bool) -> Iterator[Served]:
    lines = content.split(b"\n")
    for line in lines[1:] if cut else lines:
        try:
            record = from_json(line) if line.strip() else None
        except ValueError:  # it is still being written
            continue
        served = _line(record) if isinstance(record, dict) else None
        if served:
            yield served


def _line(record: Mapping[str, Any]) -> Served | None:
    """None for what is no answer, or not all of it."""
    try:
        at = datetime.fromisoformat(str(record.get("time")))
    except ValueError:
        return None
    data = record.get("data")
    apart = str(record.get("datainblob", "")).lower() == "true"
    if data is None or apart or at.tzinfo is None or not _is_whole(record.get("contentrange")):
        return None
    names = (record.get("correlationid"), record.get("xrequestid"))
    ids = frozenset(one for one in names if isinstance(one, str) and one)
    body = data.encode() if isinstance(data, str) else to_json(data)
    return Served(at, ids, Answer(_OK, body, timedelta(0)))


def _is_whole(told: object) -> bool:
    found = _RANGE.fullmatch(told) if isinstance(told, str) else None
    if found is None:
        return told is None
    first, last, size = found.groups()
    return first == "0" and (size == "*" or int(last) + 1 == int(size))


# -- on this machine -----------------------------------------------------------------------------


class Folder:
    """A place on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def files(self, below: str) -> Sequence[File]:
        try:
            found = [one for one in (self._root / below).rglob(f"*{ENDING}") if one.is_file()]
            return [
                File(one.relative_to(self._root).as_posix(), one.stat().st_size) for one in found
            ]
        except OSError as error:
            raise _unreadable(error, self._root) from error

    def tail(self, file: File, size: int) -> bytes:
        try:
            with (self._root / file.name).open("rb") as opened:
                opened.seek(max(0, file.size - size))
                return opened.read(size)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unreadable(error, self._root) from error


def _unreadable(error: OSError, root: Path) -> Unavailable:
    return Unavailable(f"{root}: {error.strerror}; see that this user may read there")
