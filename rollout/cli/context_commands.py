"""`rollout context`: which controllers there are, and which one is meant."""

from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table

from rollout.cli.contexts import (
    LOCAL,
    Context,
    Contexts,
    checked_url,
    contexts_path,
    load_contexts,
    save_contexts,
)
from rollout.cli.endings import Failure
from rollout.cli.session import Session
from rollout.cli.talk import json_option, say, say_json


@click.group()
def context() -> None:
    """Named controllers: where they answer, and where their tokens are kept."""


@context.command("list", epilog="\b\nExamples:\n  rollout context list")
@json_option
@click.pass_obj
def list_contexts(session: Session, as_json: bool) -> None:
    """List the contexts; the one in use has a mark."""
    known = load_contexts(session.environment)
    if as_json:
        say_json(known.model_dump(mode="json", exclude_none=True))
    else:
        say(_table(known))


def _table(known: Contexts) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    here = (LOCAL, "what `rollout up` started in this folder", "")
    named = [(name, one.url, one.token_from) for name, one in known.contexts.items()]
    for name, where, token in (here, *named):
        table.add_row("→" if name == known.current else " ", name, where, token)
    return table


@context.command(
    epilog="\b\nExamples:\n  rollout context use production\n  rollout context use local"
)
@click.argument("name")
@json_option
@click.pass_obj
def use(session: Session, name: str, as_json: bool) -> None:
    """Talk to the controller NAME from now on."""
    known = _knowing(session, name)
    _save(session, known.model_copy(update={"current": name}), f"using {name}", as_json)


@context.command(
    epilog="""\b
Examples:
  rollout context add production https://rollout.example.net --token-file ~/.rollout-token --use
  rollout context add ci https://rollout.example.net --token-env ROLLOUT_CI_TOKEN
  rollout context add team https://rollout.example.net --entra api://rollout --use"""
)
@click.argument("name")
@click.argument("url")
@click.option("--token-file", type=click.Path(path_type=Path), help="A file that holds the token.")
@click.option("--token-env", metavar="VARIABLE", help="A variable that holds the token.")
@click.option("--entra", metavar="APPLICATION", help="Take tokens by your sign-in to Azure.")
@click.option("--use", "used", is_flag=True, help="Use it from now on.")
@json_option
@click.pass_obj
def add(session: Session, /, name: str, used: bool, as_json: bool, **where: Any) -> None:  # noqa: ANN401
    """Name the controller at URL; the token itself is never kept here."""
    if name == LOCAL:
        raise Failure(
            f"{LOCAL} is always the controller on this machine", remedy="use another name"
        )
    made = _context(**where)
    known = load_contexts(session.environment)
    after = Contexts(
        current=name if used else known.current, contexts={**known.contexts, name: made}
    )
    _save(session, after, f"added {name}: {made.url}, token from {made.token_from}", as_json)


def _context(
    url: str, token_file: Path | None, token_env: str | None, entra: str | None
) -> Context:
    if [token_file, token_env, entra].count(None) != 2:
        raise Failure(
            "where is its token?", remedy="give --token-file, --token-env or --entra, one of them"
        )
    file = token_file.expanduser().absolute() if token_file else None
    return Context(url=checked_url(url), token_file=file, token_env=token_env, entra=entra)


@context.command(epilog="\b\nExamples:\n  rollout context remove production")
@click.argument("name")
@json_option
@click.pass_obj
def remove(session: Session, name: str, as_json: bool) -> None:
    """Forget the controller NAME; its token stays where it is."""
    known = _knowing(session, name)
    if name == LOCAL:
        raise Failure(
            f"{LOCAL} is always there", remedy="use another one: rollout context use NAME"
        )
    rest = {key: value for key, value in known.contexts.items() if key != name}
    current = LOCAL if known.current == name else known.current
    _save(session, Contexts(current=current, contexts=rest), f"removed {name}", as_json)


def _knowing(session: Session, name: str) -> Contexts:
    known = load_contexts(session.environment)
    if name not in {LOCAL, *known.contexts}:
        raise Failure(
            f"there is no context {name!r}; there are: {', '.join((LOCAL, *known.contexts))}",
            where=str(contexts_path(session.environment)),
            remedy="rollout context add NAME URL --token-file FILE",
        )
    return known


def _save(session: Session, after: Contexts, told: str, as_json: bool) -> None:
    save_contexts(session.environment, after)
    if as_json:
        say_json(after.model_dump(mode="json", exclude_none=True))
    else:
        click.echo(told)
