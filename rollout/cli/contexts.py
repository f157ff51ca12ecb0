"""Which controller is meant: named contexts in an owner-only file, or the one on this machine."""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import click
from pydantic import Field, ValidationError, model_validator

from rollout.addresses import LOOPBACK
from rollout.cli.endings import Failure, Unreachable
from rollout.core.callers import TOKEN_PREFIX
from rollout.core.frozen import Frozen

LOCAL = "local"
DATA_DEFAULT = ".rollout"
_ADD = "rollout context add NAME URL --token-file FILE --use"


class Context(Frozen):
    """Where a controller answers, and where its token is from; never the token itself."""

    url: str
    token_file: Path | None = None
    token_env: str | None = None
    entra: str | None = Field(None, description="the API's application: api://... or client id")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if [self.token_file, self.token_env, self.entra].count(None) != 2:
            raise ValueError("a context has a token file, a token variable, or Entra's application")
        return self

    @property
    def token_from(self) -> str:
        if self.entra:
            return f"your sign-in to Azure, for {self.entra}"
        return f"file {self.token_file}" if self.token_file else f"variable {self.token_env}"


class Contexts(Frozen):
    """The file of contexts."""

    current: str = LOCAL
    contexts: Mapping[str, Context] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """One controller to talk to."""

    name: str
    url: str
    token: Callable[[], str] = field(repr=False)
    token_from: str
    named: bool = False
    """Whether the token itself proves who asks."""

    def __str__(self) -> str:
        return f"{self.name}, {self.url}"


def contexts_path(environment: Mapping[str, str]) -> Path:
    given = environment.get("ROLLOUT_CONFIG")
    return Path(given) if given else Path(click.get_app_dir("rollout")) / "contexts.json"


def load_contexts(environment: Mapping[str, str]) -> Contexts:
    path = contexts_path(environment)
    try:
        return Contexts.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise Failure(
            f"the contexts cannot be read: {error.strerror}",
            where=str(path),
            remedy="give the file back to its owner, or name another one by ROLLOUT_CONFIG",
        ) from error
    except ValidationError as error:
        raise Failure(
            f"the contexts cannot be understood: {error.errors()[0]['msg']}",
            where=str(path),
            remedy=f"move the file away and add the contexts again: {_ADD}",
        ) from error


def save_contexts(environment: Mapping[str, str], contexts: Contexts) -> None:
    path = contexts_path(environment)
    text = contexts.model_dump_json(indent=2, exclude_none=True) + "\n"
    try:
        write_private(path, text)
    except OSError as error:
        raise Failure(
            f"the contexts cannot be written: {error.strerror}",
            where=str(path),
            remedy="make the folder writable, or name another file by ROLLOUT_CONFIG",
        ) from error


def write_private(path: Path, text: str) -> None:
    """Write whole or not at all; nobody but the owner may ever read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    partial.replace(path)


def find_place(environment: Mapping[str, str], folder: Path, name: str | None) -> Place:
    """The controller that is meant: by option, by environment, by `context use`, or the local."""
    if name is None and "ROLLOUT_URL" in environment:
        return _by_environment(environment, folder)
    contexts = load_contexts(environment)
    chosen = name or contexts.current
    if chosen == LOCAL:
        return _local(environment, folder)
    if chosen not in contexts.contexts:
        known = ", ".join((LOCAL, *contexts.contexts))
        raise Failure(
            f"there is no context {chosen!r}; there are: {known}",
            where=str(contexts_path(environment)),
            remedy=_ADD,
        )
    return _named(chosen, contexts.contexts[chosen], environment)


def _by_environment(environment: Mapping[str, str], folder: Path) -> Place:
    url = checked_url(environment["ROLLOUT_URL"])
    token = environment.get("ROLLOUT_TOKEN")
    if token:
        return _held("ROLLOUT_URL", url, token, "ROLLOUT_TOKEN")
    data = _data(environment, folder)
    if urlsplit(url).hostname in LOOPBACK and (data / "token").exists():
        return _held("ROLLOUT_URL", url, read_token(data / "token"), str(data / "token"))
    raise Failure(
        "ROLLOUT_URL is set, but no token",
        where="the environment",
        remedy="set ROLLOUT_TOKEN, or unset ROLLOUT_URL and use a context: rollout context list",
    )


def _data(environment: Mapping[str, str], folder: Path) -> Path:
    return folder / environment.get("ROLLOUT_DATA", DATA_DEFAULT)


def _local(environment: Mapping[str, str], folder: Path) -> Place:
    data = _data(environment, folder)
    try:
        url = (data / "url").read_text().strip()
    except OSError as error:
        raise Unreachable(
            "no controller runs from this folder",
            where=str(data / "url"),
            remedy=f"start one: rollout up; or name one elsewhere: {_ADD}",
        ) from error
    token = environment.get("ROLLOUT_TOKEN")
    source = "ROLLOUT_TOKEN" if token else str(data / "token")
    return _held(LOCAL, checked_url(url), token or read_token(data / "token"), source)


def _named(name: str, context: Context, environment: Mapping[str, str]) -> Place:
    if context.entra:
        signed_in = _signed_in(context.entra, context.token_from)
        return Place(name, checked_url(context.url), signed_in, context.token_from, named=True)
    if context.token_file:
        token = read_token(context.token_file.expanduser())
    else:
        token = environment.get(context.token_env or "", "")
    if not token:
        raise Failure(
            f"context {name} has no token: the {context.token_from} is empty or not set",
            remedy="set it, or add the context again with --token-file",
        )
    return _held(name, checked_url(context.url), token, context.token_from)


def _held(name: str, url: str, token: str, source: str) -> Place:
    return Place(name, url, lambda: token, source, named=token.startswith(TOKEN_PREFIX))


def _signed_in(application: str, source: str) -> Callable[[], str]:
    """Access tokens of Entra ID for whoever has signed in here; renewed before they expire."""
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - not everywhere

    from rollout.adapters.azure import identity  # noqa: PLC0415 - the same

    credential = identity.developer()

    def token() -> str:
        try:
            return credential.get_token(f"{application}/.default").token
        except ClientAuthenticationError as error:
            raise Failure(
                f"nobody has signed in to Azure here for {application}",
                where=source,
                remedy=f"az login --scope {application}/.default; and see that this application"
                " lets the Azure CLI in",
            ) from error

    return token


def read_token(path: Path) -> str:
    """The token in a file, with a warning when others may read it."""
    try:
        mode = path.stat().st_mode
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            "the token cannot be read",
            where=str(path),
            remedy="put the controller's token there, readable by you alone",
        ) from error
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        click.echo(f"warning: others can read {path}; run: chmod 600 {path}", err=True)
    return token


def checked_url(url: str) -> str:
    """An address to which a token may be sent: https, or this machine."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failure(f"{url!r} is not an address", remedy="write it like https://host")
    if parts.username or parts.password:
        raise Failure(
            f"the address of {parts.hostname} holds a name or a password",
            remedy="leave them out; the token is kept in a file or a variable",
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise Failure(f"{url} would carry the token readable by all on the way", remedy="use https")
    return url.rstrip("/").removesuffix("/api")
