"""`rollout export`: everything that is kept of rollouts, as lines of JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from rollout.cli.controller import in_path
from rollout.cli.endings import Failure
from rollout.cli.past import Part, Wanted, all_endpoints, past_of
from rollout.cli.talk import Talk, talks
from rollout.core.head import HistoryEntry


def moment(text: str) -> datetime:
    """A day or a time, UTC where no zone is written."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        told = f"{text!r} is no time; write 2026-03-02 or 2026-03-02T12:00Z"
        raise click.BadParameter(told) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


@click.command(
    epilog="""\b
Examples:
  rollout export > everything.jsonl
  rollout export churn --since 2026-03-01 --until 2026-04-01
  rollout export --rollout churn-0a1b2c3d4e-3 > one.jsonl
  rollout audit verify --file one.jsonl"""
)
@click.argument("endpoint", required=False)
@click.option("--rollout", "ref", metavar="REF", help="Only that rollout.")
@click.option("--since", type=moment, metavar="TIME", help="Only what was decided from then on.")
@click.option("--until", type=moment, metavar="TIME", help="Only what was decided before that.")
@talks
def export(
    talk: Talk,
    endpoint: str | None,
    ref: str | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Write all that is kept as JSON Lines: history, rollouts, and what was counted.

    For each endpoint one line of its own, its entries, then its rollouts with their minutes. What
    lies between two entries that are asked for is written too: so their hashes can be verified.
    """
    if ref and endpoint:
        raise click.UsageError("give either ENDPOINT or --rollout REF")
    only = talk.controller.rollout(ref) if ref else None
    names = [only.endpoint] if only else [endpoint] if endpoint else all_endpoints(talk)
    found = False
    for name in names:
        part = past_of(talk, name).cut(_wanted(only.id if only else None, since, until))
        if part:
            found = True
            ids = dict.fromkeys(one.rollout_id for one in part.entries if one.rollout_id)
            for line in with_records(talk, part, [only.id] if only else list(ids)).lines():
                click.echo(line)
    if not found:
        raise Failure("there is nothing to export", remedy="see what there is: rollout list")


def _wanted(rollout: str | None, since: datetime | None, until: datetime | None) -> Wanted:
    def wanted(entry: HistoryEntry) -> bool:
        return (
            (rollout is None or entry.rollout_id == rollout)
            and (since is None or entry.at >= since)
            and (until is None or entry.at < until)
        )

    return wanted


def with_records(talk: Talk, part: Part, ids: Sequence[str]) -> Part:
    """With those rollouts, and their minutes."""
    return replace(part, records=tuple(_records(talk, ids)))


def _records(talk: Talk, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for name in ids:
        for kind, path in (("rollout", ""), ("minutes", "/minutes")):
            try:
                body = talk.controller.read(f"rollouts/{in_path(name)}{path}")
            except Failure as gone:  # minutes are kept for thirty days
                click.echo(f"left out: {kind} of {name}: {gone}", err=True)
                continue
            yield {kind: body}
