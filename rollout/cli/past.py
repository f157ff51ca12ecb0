"""An endpoint's past as lines of JSON: what exports write, and audits read."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from pydantic import Field, ValidationError

from rollout.cli.controller import in_path
from rollout.cli.endings import Failure
from rollout.cli.talk import Talk
from rollout.core.chain import beginning, passed
from rollout.core.frozen import Frozen
from rollout.core.head import Checkpoint, HistoryEntry
from rollout.keys.views import KeysStatus

RECORDS = ("rollout", "minutes")
"""What stands beside the entries, one object a line, under its kind."""

Wanted = Callable[[HistoryEntry], bool]


class Top(Frozen):
    """The first line of an endpoint: what its row knew, or what is known of a part."""

    endpoint: str
    key: str
    written: int
    last: str | None = Field(None, description="the hash of the last entry")
    pruned: Checkpoint | None = Field(None, description="what the first entry follows")
    part: bool = Field(default=False, description="copied out of the middle")


@dataclass(frozen=True, slots=True)
class Part:
    """An endpoint's entries, in order, and records beside them."""

    top: Top
    entries: tuple[HistoryEntry, ...]
    records: tuple[Mapping[str, Any], ...] = field(default=())

    def cut(self, wanted: Wanted) -> "Part | None":
        """From the first entry that is wanted to the last, so that their chain can be verified."""
        places = [place for place, entry in enumerate(self.entries) if wanted(entry)]
        if not places:
            return None
        mark = beginning(self.top.key, self.top.pruned)
        for entry in self.entries[: places[0]]:
            mark = passed(entry, self.top.key, mark)
        chosen, end = self.entries[places[0] : places[-1] + 1], mark
        for entry in chosen:
            end = passed(entry, self.top.key, end)
        if len(chosen) == len(self.entries):
            return self
        known = {"written": end.through, "last": end.link, "part": True}
        pruned = mark if mark.through else None
        return Part(self.top.model_copy(update={**known, "pruned": pruned}), chosen)

    def before_all(self) -> "Part":
        """The part before the first entry: nothing but where it ends."""
        mark = beginning(self.top.key, self.top.pruned)
        known = {"written": mark.through, "last": mark.link, "part": True}
        return Part(self.top.model_copy(update=known), ())

    def lines(self) -> Iterator[str]:
        yield self.top.model_dump_json()
        yield from (entry.model_dump_json() for entry in self.entries)
        yield from (json.dumps(record, ensure_ascii=False) for record in self.records)


# -- from a controller -------------------------------------------------------------------------


def past_of(talk: Talk, name: str) -> Part:
    """All entries of an endpoint; the top is of the last page: it knows all that were read."""
    entries, after = list[HistoryEntry](), 0
    while True:
        body = talk.controller.read(f"audits/{in_path(name)}/entries", after=after)
        page = [
            talk.controller.parsed(HistoryEntry, one)
            for one in talk.controller.items(body, "entries")
        ]
        entries += page
        if not page or page[-1].number >= body["written"]:
            return Part(talk.controller.parsed(Top, body), tuple(entries))
        after = page[-1].number


def all_endpoints(talk: Talk) -> list[str]:
    """All on which something was rolled out, or a key rotated."""
    body = talk.controller.rollouts("all")
    views = [talk.controller.view(one) for one in talk.controller.items(body, "rollouts")]
    return sorted({view.endpoint for view in views} | _rotated(talk))


def _rotated(talk: Talk) -> set[str]:
    """Azure lists them; where it does not answer, all the others are told of all the same."""
    try:
        body = talk.controller.read("keys")
    except Failure as no:
        told = "endpoints where keys were rotated and nothing was rolled out; name them"
        click.echo(f"left out: {told} ({no})", err=True)
        return set()
    found = [talk.controller.parsed(KeysStatus, one) for one in talk.controller.items(body, "keys")]
    return {one.endpoint for one in found if one.rotation}


# -- from a file -------------------------------------------------------------------------------


def read_parts(path: Path, endpoint: str | None) -> Iterator[Part]:
    """Each endpoint of an export with its entries; raises Failure that names the line."""
    top: Top | None = None
    entries: list[HistoryEntry] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        read = _read(path, number, line)
        if isinstance(read, Top):
            if top and endpoint in {None, top.endpoint, top.key}:
                yield Part(top, tuple(entries))
            top, entries = read, []
        elif top is None:
            raise Failure("an entry stands before its endpoint", where=f"{path}:{number}")
        elif read:
            entries.append(read)
    if top and endpoint in {None, top.endpoint, top.key}:
        yield Part(top, tuple(entries))


def _read(path: Path, number: int, line: str) -> Top | HistoryEntry | None:
    """None for a record: those have no hash to be verified by."""
    if any(line.startswith(f'{{"{kind}":') for kind in RECORDS):
        return None
    kind: type[Top | HistoryEntry] = Top if line.startswith('{"endpoint"') else HistoryEntry
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Failure(
            f"the line cannot be read: {place}: {first['msg']}",
            where=f"{path}:{number}",
            remedy="verify the file as `rollout export` or `rollout audit export` wrote it",
        ) from error
