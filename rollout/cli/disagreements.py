"""`rollout disagreements`: where the answers to the same requests differed."""

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table

from rollout.cli.controller import in_path
from rollout.cli.talk import Talk, talks
from rollout.core.pairs_from import JOINED, WORDS


@click.command(
    epilog="\b\nExamples:\n  rollout disagreements churn\n  rollout disagreements churn --json"
)
@click.argument("ref")
@talks
def disagreements(talk: Talk, ref: str) -> None:
    """Show which requests the deployments of REF answered differently."""
    body = talk.controller.read(f"rollouts/{in_path(ref)}/disagreements")
    talk.controller.items(body, "disagreements")
    talk.answer(body, lambda: _told(body))


def _told(body: Mapping[str, Any]) -> RenderableType:
    joined = JOINED & {body.get("pairs_from")}
    if body["requests"] is None and not joined:
        return f"{body['rollout']}: its policy has no agreement, so no answers were compared"
    where = f"{body['sent']} requests of {body['requests']} sent"
    for source in joined:
        where = f"to live requests and their copies, by {WORDS[source]}"
    told = f"{body['rollout']}: {body['differing']} of {body['compared']} answers differ ({where})"
    kept = body["disagreements"]
    if not kept:
        return told
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("request", "canary", "baseline"):
        table.add_column(title, overflow="fold")
    for one in kept:
        table.add_row(one["request"], one["canary"], one["baseline"])
    if body["answers_kept"]:
        return Group(told, table)
    hint = "Only hashes of the answers are kept; see agreement.keep_answers"
    return Group(told, table, hint)
