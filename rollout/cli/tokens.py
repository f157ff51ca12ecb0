"""`rollout token`: tokens of named callers, kept as digests beside the state of this folder."""

import secrets
from pathlib import Path

import click

from rollout.adapters.token_file import TokenFile
from rollout.cli.contexts import DATA_DEFAULT, write_private
from rollout.cli.endings import Failure
from rollout.cli.session import Session
from rollout.cli.talk import answer, json_option
from rollout.core.callers import TOKEN_PREFIX, LocalToken, Role
from rollout.errors import Malformed, Unavailable
from rollout.settings import TOKENS_FILE

RANDOM_BYTES = 32


@click.group()
def token() -> None:
    """Tokens for those who call this machine's controller, each with a name and a role."""


@token.command(
    epilog="""\b
Examples:
  rollout token new --name ci --role operator
  rollout token new --name ci --role operator --for-setting   # for ROLLOUT_TOKENS on Azure"""
)
@click.option("--name", required=True, metavar="NAME", help="Who asks, kept in the history.")
@click.option(
    "--role", required=True, type=click.Choice([role.value for role in Role]), help="What it may."
)
@click.option("--for-setting", is_flag=True, help="Keep nothing here; print the entry as well.")
@json_option
@click.pass_obj
def new(session: Session, /, name: str, role: str, for_setting: bool, as_json: bool) -> None:
    """Make a token and print it, once: only its digest is kept."""
    made = TOKEN_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    try:
        entry = LocalToken.of(name, Role(role), made)
    except Malformed as error:
        raise Failure(
            f"{name!r} cannot be the name of a token",
            where="--name",
            remedy="take letters, digits and . _ @ -, at most 64, such as ci or anna@contoso.com",
        ) from error
    told = {"name": name, "role": role, "token": made}
    if for_setting:
        answer(
            {**told, "entry": str(entry)},
            lambda: f"token: {made}\nentry for ROLLOUT_TOKENS: {entry}",
            as_json=as_json,
        )
        return
    path = _path(session)
    known = _known(path)
    if any(one.name == name for one in known):
        raise Failure(
            f"there is a token of {name} already",
            where=str(path),
            remedy=f"revoke it first, rollout token revoke {name}; or take another name",
        )
    _write(path, (*known, entry))
    answer(told, lambda: made, as_json=as_json)
    click.echo(f"{name} is {role}; the digest is in {path}. It is not shown again.", err=True)


@token.command("list", epilog="\b\nExamples:\n  rollout token list")
@json_option
@click.pass_obj
def list_tokens(session: Session, as_json: bool) -> None:
    """List whose tokens there are, and their roles."""
    known = _known(_path(session))
    rows = [{"name": one.name, "role": one.role.value} for one in known]
    answer(
        {"tokens": rows},
        lambda: "\n".join(f"{one.name}  {one.role}" for one in known) or "no tokens",
        as_json=as_json,
    )


@token.command(epilog="\b\nExamples:\n  rollout token revoke ci")
@click.argument("name")
@json_option
@click.pass_obj
def revoke(session: Session, name: str, as_json: bool) -> None:
    """Revoke the token of NAME; a running controller refuses it from the next request on."""
    path = _path(session)
    known = _known(path)
    rest = tuple(one for one in known if one.name != name)
    if len(rest) == len(known):
        names = ", ".join(one.name for one in known) or "none"
        raise Failure(
            f"there is no token of {name}; there are: {names}",
            where=str(path),
            remedy="rollout token list",
        )
    _write(path, rest)
    answer({"revoked": name}, lambda: f"revoked {name}", as_json=as_json)


def _path(session: Session) -> Path:
    data = session.folder / session.environment.get("ROLLOUT_DATA", DATA_DEFAULT)
    return data / TOKENS_FILE


def _known(path: Path) -> tuple[LocalToken, ...]:
    try:
        return TokenFile(path).tokens()
    except Unavailable as error:
        raise Failure(
            str(error), where=str(path), remedy="mend the line, or move the file away"
        ) from error


def _write(path: Path, tokens: tuple[LocalToken, ...]) -> None:
    try:
        write_private(path, "".join(f"{one}\n" for one in tokens))
    except OSError as error:
        raise Failure(
            f"the tokens cannot be written: {error.strerror}",
            where=str(path),
            remedy="make the folder writable, or name another one by ROLLOUT_DATA",
        ) from error
