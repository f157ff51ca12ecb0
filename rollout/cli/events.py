"""`rollout events`: what is decided on all endpoints, as it is decided."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from rollout.cli.endings import Exit, Unreachable
from rollout.cli.follow import PATIENCE_SECONDS
from rollout.cli.talk import Talk, talks
from rollout.cli.words import date_time
from rollout.core.head import HistoryEntry

LAST, LAST_MAX = 20, 1000
PATH = "events"
NOTHING_YET = "No events yet."
_AGAIN_SECONDS = 1.0

Event = Mapping[str, Any]


@click.command(
    epilog="""\b
Examples:
  rollout events
  rollout events --follow --endpoint churn
  rollout events --follow --json > events.jsonl"""
)
@click.option("--follow", is_flag=True, help="Go on with what is decided from now on.")
@click.option("--endpoint", metavar="E", help="Of this endpoint alone.")
@click.option(
    "--last",
    type=click.IntRange(0, LAST_MAX),
    metavar="N",
    default=LAST,
    show_default=True,
    help="Begin so many events back; those of other endpoints count.",
)
@talks
def events(talk: Talk, follow: bool, endpoint: str | None, last: int) -> None:
    """Tell what was decided on all endpoints, each event once, in the order it was saved.

    With --follow --json each line is one JSON document.
    """
    asked = {"last": str(last), **({"endpoint": endpoint} if endpoint else {})}
    if not follow:
        told = list(_so_far(talk, asked))
        lines = [_line(talk, event) for event in told]
        talk.answer({"events": told}, lambda: "\n".join(lines) or NOTHING_YET)
        return
    try:
        for event in _followed(talk, asked):
            click.echo(json.dumps(event) if talk.as_json else _line(talk, event))
            sys.stdout.flush()  # whoever reads through a pipe hears it now
    except KeyboardInterrupt:
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None


def _line(talk: Talk, event: Event) -> str:
    entry = talk.controller.parsed(HistoryEntry, event.get("entry"))
    return f"{date_time(entry.at)}  {event.get('endpoint')}  {entry.after.value}: {entry.why}"


def _so_far(talk: Talk, asked: Mapping[str, str]) -> Iterator[Event]:
    """Answer by answer, until one brings nothing."""
    place = ""
    while True:
        answer = _read(talk, asked, place, wait="0")
        yield from answer.events
        if not answer.events:
            return
        place = answer.place


def _followed(talk: Talk, asked: Mapping[str, str]) -> Iterator[Event]:
    """Each answer from where the one before ended, also when the controller was away meanwhile.

    Raises Unreachable once it has been silent for longer than PATIENCE_SECONDS.
    """
    place, heard_at = "", talk.session.monotonic()
    while True:
        try:
            answer = _read(talk, asked, place)
        except Unreachable:
            if talk.session.monotonic() - heard_at > PATIENCE_SECONDS:
                raise
            talk.session.sleep(_AGAIN_SECONDS)
            continue
        heard_at = talk.session.monotonic()
        yield from answer.events
        place = answer.place
        talk.session.sleep(answer.retry_seconds)


# -- server-sent events, as the HTML standard writes them ----------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    events: tuple[Event, ...]
    place: str
    retry_seconds: float


def _read(talk: Talk, asked: Mapping[str, str], place: str, **more: str) -> _Answer:
    text = talk.controller.read_events(PATH, place, **asked, **more)
    blocks = [_fields(block) for block in text.split("\n\n")]
    ids = [block["id"] for block in blocks if "id" in block]
    retries = [block["retry"] for block in blocks if block.get("retry", "").isdecimal()]
    return _Answer(
        tuple(json.loads(block["data"]) for block in blocks if "data" in block),
        ids[-1] if ids else place,
        int(retries[-1]) / 1000 if retries else _AGAIN_SECONDS,
    )


def _fields(block: str) -> Mapping[str, str]:
    """Its fields by name; a line that begins with a colon is a comment."""
    pairs = (line.partition(":") for line in block.splitlines())
    return {name: value.removeprefix(" ") for name, _, value in pairs if name}
