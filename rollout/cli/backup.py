"""`rollout backup` and `rollout restore`: the embedded store of a controller on this machine."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from rollout.cli.contexts import DATA_DEFAULT
from rollout.cli.endings import Failure
from rollout.cli.session import Session
from rollout.cli.talk import answer, json_option
from rollout.cli.up import refuse_second
from rollout.errors import RolloutError

T = TypeVar("T")

_data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ROLLOUT_DATA",
    default=Path(DATA_DEFAULT),
    show_default=True,
    help="The folder of the controller's state.",
)
_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command(
    epilog="""\b
Examples:
  rollout backup rollout-2026-03-02.db     # while the controller runs
  rollout backup --data /srv/rollout copy.db"""
)
@_file
@_data_option
@json_option
@click.pass_obj
def backup(session: Session, /, file: Path, data: Path, *, as_json: bool) -> None:
    """Copy the embedded store to FILE, whole, also while a controller uses it."""
    from rollout.adapters.sqlite.backup import back_up  # noqa: PLC0415 - on this machine only

    store = session.folder / data / "rollout.db"
    size = _done(lambda: back_up(store, session.folder / file), store)
    body = {"store": str(store), "backup": str(file), "bytes": size}
    answer(body, lambda: f"{file}: {size} bytes, the whole store of {data}", as_json=as_json)


@click.command(
    epilog="""\b
Examples:
  rollout restore rollout-2026-03-02.db    # the controller must not run"""
)
@_file
@_data_option
@json_option
@click.pass_obj
def restore(session: Session, /, file: Path, data: Path, *, as_json: bool) -> None:
    """Put the embedded store back from FILE; the one that is there is kept beside it.

    Refused while a controller runs, and for a file of a newer version.
    """
    from rollout.adapters.sqlite import backup as copies  # noqa: PLC0415 - on this machine only

    folder = session.folder / data
    refuse_second(folder / "url")
    store = folder / "rollout.db"
    kept = _done(lambda: copies.restore(store, session.folder / file), store)
    body = {"store": str(store), "restored": str(file), "kept": str(kept) if kept else None}
    told = f"; the one before is kept as {kept}" if kept else ""
    answer(body, lambda: f"{store}: restored from {file}{told}", as_json=as_json)


def _done(work: Callable[[], T], store: Path) -> T:
    try:
        return work()
    except RolloutError as error:
        raise Failure(str(error), where=str(store)) from error
    except (OSError, sqlite3.Error) as error:
        raise Failure(
            f"the copy cannot be made: {error}",
            where=str(store),
            remedy="see that both folders are writable and have room",
        ) from error
