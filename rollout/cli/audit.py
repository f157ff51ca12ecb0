"""`rollout audit`: whether history is as it was written, and a copy of it to keep elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rollout.cli.controller import in_path
from rollout.cli.endings import Exit, Failure
from rollout.cli.past import Part, all_endpoints, past_of, read_parts
from rollout.cli.talk import MayTalk, Talk, may_talk, talks
from rollout.core.chain import examine


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
        found = [_examined(part) for part in read_parts(path, endpoint)]
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


def _examined(part: Part) -> Mapping[str, Any]:
    top, entries = part.top, part.entries
    result = examine(top.key, top.written, top.last, entries, top.pruned, part=top.part)
    counts = {"entries": result.entries, "unchained": result.unchained}
    return {**top.model_dump(), **counts, "faults": list(result.faults)}


def _told(one: Mapping[str, Any]) -> str:
    old = f", {one['unchained']} of before there were hashes" if one["unchained"] else ""
    gone = f", {one['pruned']['through']} before them removed" if one.get("pruned") else ""
    head = f"{one['endpoint']}: {one['entries']} entries{gone}{old}"
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
        for line in past_of(talk, name).lines():
            click.echo(line)


def _endpoints(talk: Talk, endpoint: str | None) -> list[str]:
    """The one that is named, or all on which something was rolled out or a key rotated."""
    return [endpoint] if endpoint else all_endpoints(talk)
