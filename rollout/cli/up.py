"""`rollout up`: a controller on this machine."""

import errno
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import requests

from rollout.addresses import LOOPBACK
from rollout.cli.contexts import DATA_DEFAULT, checked_url, read_token, write_private
from rollout.cli.endings import Failure
from rollout.cli.session import Session
from rollout.cli.talk import json_option, say_json
from rollout.core.endpoint import WorkspaceId
from rollout.errors import Malformed, RolloutError
from rollout.settings import Identity, Settings

PORT_DEFAULT = 7071
EMULATOR_URL = "http://127.0.0.1:8085"
EMULATOR_WORKSPACE = "00000000-0000-0000-0000-000000000001/emulator/local"
_START = "rollout start ENDPOINT DEPLOYMENT --wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the options say; what they leave open is the environment's or the default."""

    data: Path | None
    policies: Path | None
    arm_url: str | None
    workspaces: Sequence[str]
    clock_speed: float | None
    azure: bool
    subscription: str | None
    resource_group: str | None
    installation: str | None

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The settings to set."""
        arm_url = self.arm_url or environment.get("ROLLOUT_ARM_URL")
        if not arm_url and not self.azure:
            arm_url = EMULATOR_URL
        given = {
            "ROLLOUT_DATA": self.data and str(self.data.absolute()),
            "ROLLOUT_POLICIES": self.policies and str(self.policies.absolute()),
            "ROLLOUT_ARM_URL": arm_url,
            "ROLLOUT_WORKSPACES": self._workspaces(environment, arm_url),
            "ROLLOUT_CLOCK_SPEED": None if self.clock_speed is None else f"{self.clock_speed:g}",
            "ROLLOUT_IDENTITY": self._identity(arm_url, environment),
            "ROLLOUT_INSTALLATION": self.installation,
        }
        return {name: value for name, value in given.items() if value}

    def _identity(self, arm_url: str | None, environment: Mapping[str, str]) -> str:
        if self.azure:
            return Identity.DEVELOPER.value
        loopback = urlsplit(arm_url or "").hostname in LOOPBACK
        default = Identity.EMULATOR if loopback else Identity.DEVELOPER
        return environment.get("ROLLOUT_IDENTITY", default.value)

    def _workspaces(self, environment: Mapping[str, str], arm_url: str | None) -> str:
        if not self.workspaces and "ROLLOUT_WORKSPACES" in environment:
            return environment["ROLLOUT_WORKSPACES"]
        names = self.workspaces
        if not names and arm_url == EMULATOR_URL:
            names = (EMULATOR_WORKSPACE,)
        return ",".join(self._workspace_id(name) for name in names)

    def _workspace_id(self, name: str) -> str:
        """The ARM id of a workspace named by it, by S/RG/W, or with --azure by its name alone."""
        if name.startswith("/"):
            return name
        parts = name.split("/")
        if len(parts) == 1 and self.subscription and self.resource_group:
            parts = [self.subscription, self.resource_group, name]
        if len(parts) != 3 or not all(parts):
            raise Failure(
                f"{name!r} does not say which workspace",
                where="--workspace",
                remedy="write SUBSCRIPTION/GROUP/WORKSPACE, or give --subscription and"
                " --resource-group as well",
            )
        subscription, group, workspace = parts
        return WorkspaceId(
            subscription=subscription, resource_group=group, workspace=workspace
        ).arm_id


@click.command(
    epilog="""\b
Examples:
  rollout up                      # against `python -m emulator` as it starts by default
  rollout up --clock-speed 20     # the same; the emulator needs --grain-seconds 3
  rollout up --azure --subscription S --resource-group RG --workspace W   # by your `az login`"""
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The folder of its state.  [default: {DATA_DEFAULT}]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=PORT_DEFAULT,
    show_default=True,
    help="0 takes any free one.",
)
@click.option(
    "--policies",
    type=click.Path(exists=True, path_type=Path, file_okay=False),
    help="The folder of policies.  [default: policies]",
)
@click.option(
    "--arm-url", metavar="URL", help=f"Where ARM answers.  [default: {EMULATOR_URL}, the emulator]"
)
@click.option(
    "--workspace",
    "workspaces",
    multiple=True,
    metavar="S/RG/W",
    help="A workspace by subscription, resource group and name, or its ARM id; may be repeated.",
)
@click.option(
    "--clock-speed", type=float, metavar="N", help="How fast policy minutes pass; 1 on Azure."
)
@click.option("--azure", is_flag=True, help="Drive real endpoints by your own sign-in.")
@click.option("--subscription", help="With --azure: the subscription of the workspaces.")
@click.option("--resource-group", help="With --azure: the resource group of the workspaces.")
@click.option("--installation", metavar="NAME", help="The owner's tag on endpoints.")
@json_option
@click.pass_obj
def up(session: Session, /, port: int, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - options
    """Start a controller on this machine; it runs until Ctrl-C."""
    told = Told(**given)
    environment = session.environment
    environment.update(told.variables(environment))
    data = session.folder / environment.setdefault("ROLLOUT_DATA", DATA_DEFAULT)
    with _explaining(data):
        environment["ROLLOUT_API_TOKEN"] = _token(data / "token")
    settings = _settings(environment)
    refuse_second(data / "url")
    _refuse_busy(port)

    ready: list[str] = []

    def on_ready(url: str) -> None:
        ready.append(url)
        write_private(data / "url", url + "\n")
        _announce(url, settings, as_json=as_json)

    try:
        session.serve(port=port, on_ready=on_ready)
    except RolloutError as error:
        raise Failure(
            str(error), where=f"the controller over {data}", remedy="see rollout up --help"
        ) from error
    finally:
        _take_away(data / "url", ready)


def _take_away(url_file: Path, ours: Sequence[str]) -> None:
    """Remove the address on leaving; one that another controller has written stays."""
    if url_file.exists() and url_file.read_text().strip() in ours:
        url_file.unlink(missing_ok=True)


def _settings(environment: Mapping[str, str]) -> Settings:
    try:
        return Settings.load(environment)
    except Malformed as error:
        raise Failure(
            str(error), where="the settings", remedy="see the options: rollout up --help"
        ) from error


def _token(path: Path) -> str:
    """The token of this data folder; made at the first start, and kept for its owner alone."""
    token = read_token(path) if path.exists() else secrets.token_urlsafe(32)
    write_private(path, token + "\n")
    return token


def refuse_second(url_file: Path) -> None:
    """Two controllers over one folder would surprise whoever started the second."""
    try:
        url = checked_url(url_file.read_text().strip())
        answer = requests.get(f"{url}/api/health", timeout=2, allow_redirects=False)
    except (OSError, Failure):  # no file, or one that was left behind: nobody answers there
        return
    if answer.ok:
        raise Failure(
            f"a controller runs here already: {url}",
            where=str(url_file),
            remedy="use that one, stop it, or choose another folder: rollout up --data FOLDER",
        )


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
            raise Failure(
                f"port {port} {reason}",
                where=f"127.0.0.1:{port}",
                remedy="take any free one: rollout up --port 0",
            ) from error


@contextmanager
def _explaining(data: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure(
            f"the data folder cannot be used: {error.strerror}",
            where=str(error.filename or data),
            remedy="make it writable, or choose another: rollout up --data FOLDER",
        ) from error


def _announce(url: str, settings: Settings, *, as_json: bool) -> None:
    """Where it listens, what it works on, and what to type next; the token stays in its file."""
    if as_json:
        say_json({"url": url, "data": str(settings.data), "arm_url": settings.arm_url})
        return
    speed = f", policy minutes pass {settings.clock_speed:g} times as fast"
    works_on = ", ".join(one.workspace for one in settings.workspaces)
    elsewhere = settings.data != Path(DATA_DEFAULT)
    find = f"export ROLLOUT_DATA={settings.data}\n            " if elsewhere else ""
    click.echo(
        f"rollout listens on {url}\n"
        f"  works on  {works_on} at {settings.arm_url}"
        f"{speed if settings.clock_speed != 1 else ''}\n"
        f"  keeps     its state and its token in {settings.data}\n"
        f"  policies  {settings.policies}\n"
        f"  next      {find}{_START}\n"
        f"  stop      Ctrl-C; nothing is lost"
    )
