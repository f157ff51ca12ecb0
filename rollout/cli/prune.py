"""`rollout prune`: what is older than a time is told, archived, and removed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from rollout.cli.endings import Failure
from rollout.cli.export import moment, with_records
from rollout.cli.past import past_of
from rollout.cli.talk import Talk, asking, talks, who_option, why_option
from rollout.core.head import HistoryEntry

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@click.command(
    epilog="""\b
Examples:
  rollout prune --before 2026-01-01                             # tell what would go
  rollout prune --before 2026-01-01 --archive 2025.jsonl --yes"""
)
@click.option(
    "--before",
    type=moment,
    metavar="TIME",
    help="What is older goes; by default as ROLLOUT_KEEP_DAYS says.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    help="First write what goes to this new file, as `rollout export` does.",
)
@click.option("--yes", is_flag=True, help="Remove it; without this nothing is removed.")
@why_option
@who_option
@talks
def prune(
    talk: Talk,
    before: datetime | None,
    archive: Path | None,
    yes: bool,
    why: str,
    who: str | None,
) -> None:
    """Remove history, ended rollouts and dead letters that are older than a time.

    Live rollouts are left alone, and the last one of each endpoint stays. What is left can still
    be verified: rollout audit verify.
    """
    talk.name_controller()
    asked = {"who": who or asking(talk.controller.place), "why": why}
    asked |= {"before": before.isoformat()} if before else {}
    told = list(_pages(talk, {**asked, "dry_run": True}))
    found = [one for page in told for one in page["pruned"]]
    asked["before"] = told[0]["before"]
    if archive and found:
        _archive(talk, talk.session.folder / archive, found)
    if yes and (found or _dead_letters(told)):
        told = list(_pages(talk, asked))
        found = [one for page in told for one in page["pruned"]]
    body = {"before": told[0]["before"], "removed": yes, "pruned": found}
    body["kept"] = [one for page in told for one in page["kept"]]
    body["dead_letters"] = _dead_letters(told)
    talk.answer(body, lambda: "\n".join(_told(body, done=yes)))


def _pages(talk: Talk, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Page after page, until no endpoint is left."""
    after: str | None = ""
    while after is not None:
        body = talk.controller.change("POST", "prunes", {**asked, "after": after}).body
        yield body
        after = body["next"]


def _dead_letters(told: Sequence[Mapping[str, Any]]) -> int:
    return sum(page.get("dead_letters", 0) for page in told)  # an older controller tells of none


def _archive(talk: Talk, path: Path, found: Sequence[Mapping[str, Any]]) -> None:
    """Write it whole and to the disk before anything is removed; an older file is not replaced."""
    if path.exists():
        raise Failure("there is such a file already", where=str(path), remedy="name a new one")
    partial = path.with_name(f".{path.name}.partial")
    try:
        with os.fdopen(os.open(partial, _NEW, 0o600), "w", encoding="utf-8") as out:
            for one in found:
                out.writelines(f"{line}\n" for line in _lines(talk, one))
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    except OSError as error:
        told = f"the archive cannot be written: {error.strerror}"
        raise Failure(told, where=str(path), remedy="nothing was removed; name another") from error
    finally:
        partial.unlink(missing_ok=True)
    click.echo(f"archived: {path}", err=True)


def _lines(talk: Talk, one: Mapping[str, Any]) -> Iterator[str]:
    def goes(entry: HistoryEntry) -> bool:
        return entry.number <= int(one["through"])

    past = past_of(talk, str(one["endpoint"]))
    part = past.cut(goes) or past.before_all()
    ids = dict.fromkeys(entry.rollout_id for entry in part.entries if entry.rollout_id)
    ids |= dict.fromkeys(one["rollouts"])
    yield from with_records(talk, part, list(ids)).lines()


def _told(body: Mapping[str, Any], *, done: bool) -> Iterator[str]:
    word = "removed" if done else "would be removed"
    for one in body["pruned"]:
        yield f"{one['endpoint']}: {one['entries']} entries, {len(one['rollouts'])} rollouts {word}"
    for reason in body["kept"]:
        yield f"left alone: {reason}"
    if body["dead_letters"]:
        yield f"{body['dead_letters']} dead letters {word}"
    if not body["pruned"] and not body["dead_letters"]:
        yield f"nothing is older than {body['before']}"
    elif not done:
        yield "Nothing was removed: add --yes."
