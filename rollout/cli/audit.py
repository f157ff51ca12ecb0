"""`rollout audit`: whether history is as it was written, and a copy of it to keep elsewhere."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import Field, ValidationError

from rollout.cli.controller import in_path
from rollout.cli.endings import Exit, Failure
from rollout.cli.talk import MayTalk, Talk, may_talk, talks
from rollout.core.chain import Audit, examine
from rollout.core.frozen import Frozen
from rollout.core.head import HistoryEntry
from rollout.keys.views import KeysStatus

_LIST_MAX = 500


class _Top(Frozen):
    """The first line of an export's part: the endpoint, and what its row knew."""

    endpoint: str
    key: str
    written: int
    last: str | None = Field(None, description="the hash of the last entry")


@click.group("audit")
def audit() -> None:
    """See that no history entry was changed; keep a copy of history elsewhere."""


@audit.command(
    epilog="""\b
Examples:
  rollout audit verify                       # every endpoint with a rollout
  rollout audit verify churn
  rollout audit verify --file history.jsonl  # an export; no controller is needed"""
)
@click.argument("endpoint", required=False)
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verify this export in place of the controller's store.",
)
@may_talk
def verify(talk: MayTalk, endpoint: str | None, path: Path | None) -> None:
    """Find a history entry that was changed, taken out, put elsewhere or cut off.

    Exit code 1 when there is one.
    """
    if path:
        found = [_examined(top, entries) for top, entries in _parts(path, endpoint)]
    else:
        talking = talk.begin()
        found = [_asked(talking, name) for name in _endpoints(talking, endpoint)]
    if not found:
        raise Failure("there is no history to verify", remedy="see what there is: rollout list")
    talk.answer({"audits": found}, lambda: "\n".join(_told(one) for one in found))
    if any(one["faults"] for one in found):
        raise click.exceptions.Exit(Exit.ROLLED_BACK)


def _asked(talk: Talk, name: str) -> Mapping[str, Any]:
    answer = talk.controller.read(f"audits/{in_path(name)}")
    return dict(answer) if isinstance(answer, dict) else {}


def _examined(top: _Top, entries: list[HistoryEntry]) -> Mapping[str, Any]:
    result: Audit = examine(top.key, top.written, top.last, entries)
    counts = {"entries": result.entries, "unchained": result.unchained}
    return {**top.model_dump(), **counts, "faults": list(result.faults)}


def _told(one: Mapping[str, Any]) -> str:
    old = f", {one['unchained']} of before there were hashes" if one["unchained"] else ""
    head = f"{one['endpoint']}: {one['entries']} entries{old}"
    if one["faults"]:
        return "\n".join([f"✘ {head}", *(f"    {fault}" for fault in one["faults"])])
    return f"✔ {head}; the last is {one['last'] or 'without a hash'}"


@audit.command(
    epilog="""\b
Examples:
  rollout audit export > history.jsonl
  rollout audit export churn > churn.jsonl"""
)
@click.argument("endpoint", required=False)
@talks
def export(talk: Talk, endpoint: str | None) -> None:
    """Write history as JSON Lines: for each endpoint one line of its own, then its entries."""
    for name in _endpoints(talk, endpoint):
        for line in _lines(talk, name):
            click.echo(line)


def _lines(talk: Talk, name: str) -> Iterator[str]:
    """The top is of the last page: it knows all entries that were read."""
    lines, after = list[str](), 0
    while True:
        body = talk.controller.read(f"audits/{in_path(name)}/entries", after=after)
        page = [
            talk.controller.parsed(HistoryEntry, one)
            for one in talk.controller.items(body, "entries")
        ]
        lines += [entry.model_dump_json() for entry in page]
        if not page or page[-1].number >= body["written"]:
            yield talk.controller.parsed(_Top, body).model_dump_json()
            yield from lines
            return
        after = page[-1].number


def _endpoints(talk: Talk, endpoint: str | None) -> list[str]:
    """The one that is named, or all on which something was rolled out or a key rotated."""
    if endpoint:
        return [endpoint]
    body = talk.controller.read("rollouts", state="all", limit=_LIST_MAX)
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


def _parts(path: Path, endpoint: str | None) -> Iterator[tuple[_Top, list[HistoryEntry]]]:
    """Each endpoint of an export with its entries; raises Failure that names the line."""
    top: _Top | None = None
    entries: list[HistoryEntry] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        read = _read(path, number, line)
        if isinstance(read, HistoryEntry) and top:
            entries.append(read)
        elif isinstance(read, _Top):
            if top and endpoint in {None, top.endpoint, top.key}:
                yield top, entries
            top, entries = read, []
        else:
            raise Failure("an entry stands before its endpoint", where=f"{path}:{number}")
    if top and endpoint in {None, top.endpoint, top.key}:
        yield top, entries


def _read(path: Path, number: int, line: str) -> _Top | HistoryEntry:
    kind: type[_Top | HistoryEntry] = _Top if line.startswith('{"endpoint"') else HistoryEntry
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Failure(
            f"the line cannot be read: {place}: {first['msg']}",
            where=f"{path}:{number}",
            remedy="verify the file as `rollout audit export` wrote it",
        ) from error
