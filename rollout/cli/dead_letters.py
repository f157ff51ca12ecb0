"""`rollout dead-letters`: messages that were delivered too often, and sending them again."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import click
from rich.console import RenderableType
from rich.table import Table

from rollout.cli.talk import Talk, talks


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages that could not be handled: list them, send them again."""


@dead_letters.command("list", epilog="\b\nExamples:\n  rollout dead-letters list")
@talks
def list_letters(talk: Talk) -> None:
    """List the messages that were delivered too often without success."""
    body = talk.controller.read("dead-letters")
    letters = talk.controller.items(body, "dead_letters")
    talk.answer(body, lambda: _table(letters) if letters else "No dead letters.")


def _table(letters: Sequence[Mapping[str, object]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    titles = {"queue": "queue", "id": "id", "deliveries": "tried", "at": "since"}
    for title in titles.values():
        table.add_column(title, overflow="fold")
    table.add_column("reason", overflow="fold")
    for letter in letters:
        table.add_row(*(str(letter[key]) for key in (*titles, "reason")))
    return table


@dead_letters.command(epilog="\b\nExamples:\n  rollout dead-letters resend events 5f0c1a")
@click.argument("queue")
@click.argument("message_id", metavar="ID")
@talks
def resend(talk: Talk, queue: str, message_id: str) -> None:
    """Send a dead letter again, due at once."""
    talk.name_controller()
    path = f"dead-letters/{quote(queue, safe='')}/{quote(message_id, safe='')}/resend"
    talk.controller.change("POST", path)
    talk.answer({"resent": message_id, "queue": queue}, lambda: f"{message_id} is in {queue} again")
