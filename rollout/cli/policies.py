"""`rollout policy`: policies checked here, and those the controller has."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rollout.cli.endings import Exit
from rollout.cli.policy_files import Checked, attachments, check, known_here, read_text
from rollout.cli.session import Session
from rollout.cli.talk import Talk, json_option, say_json, talks
from rollout.core.policy import Policy

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Policies: check and push them, see what the controller has."""


@policy.command("check", epilog="\b\nExamples:\n  rollout policy check policies/*.yaml")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@json_option
@click.pass_obj
def check_files(session: Session, files: tuple[Path, ...], as_json: bool) -> None:
    """Check policy FILES here, without a controller.

    Where ROLLOUT_NOTIFY is set, also the names of the places that they speak to.
    """
    missing = known_here(session.environment)
    found = [check(path, missing) for path in files]
    if as_json:
        say_json({"files": [one.as_json() for one in found]})
    else:
        for one in found:
            _tell(one)
    if not all(one.ok for one in found):
        raise click.exceptions.Exit(Exit.REFUSED)


def _tell(checked: Checked) -> None:
    for line in checked.errors:
        click.echo(line, err=True)
    for line in checked.warnings:
        click.echo(f"{checked.path}: warning: {line}", err=True)
    if checked.ok:
        click.echo(f"{checked.path}: ok, version {checked.version}")


@policy.command(epilog="\b\nExamples:\n  rollout policy schema > policy.schema.json")
@json_option
def schema(as_json: bool) -> None:
    """Print the JSON Schema of a policy, for editors."""
    del as_json  # it is JSON in any case
    say_json(Policy.model_json_schema(by_alias=True))


@policy.command(
    epilog="""\b
Examples:
  rollout policy push policies/churn.yaml
  rollout policy push policies/churn.yaml --attach policies/smoke/churn.jsonl"""
)
@click.argument("file", type=_FILE)
@click.option(
    "--attach",
    type=_FILE,
    multiple=True,
    help="A file to send along; smoke files go by themselves.",
)
@talks
def push(talk: Talk, file: Path, attach: Sequence[Path]) -> None:
    """Send the policy FILE and its smoke requests to the controller."""
    talk.name_controller()
    along = attachments(file, attach)
    body = {"text": read_text(file), "attachments": along}
    answer = talk.controller.change("PUT", f"policies/{quote(file.stem, safe='')}", body)
    talk.answer(answer.body, lambda: _pushed(answer.body, along))


def _pushed(body: Mapping[str, Any], sent: Mapping[str, str]) -> str:
    along = f", with {', '.join(sent)}" if sent else ""
    told = [f"{body['name']}: pushed, version {body['version']}{along}"]
    return "\n".join([*told, *(f"  warning: {line}" for line in body["warnings"])])


@policy.command("list", epilog="\b\nExamples:\n  rollout policy list")
@talks
def list_policies(talk: Talk) -> None:
    """List the controller's policies; a broken one shows its error."""
    body = talk.controller.read("policies")
    found = talk.controller.items(body, "policies")
    none = "No policies yet. Push one: rollout policy push FILE"
    talk.answer(body, lambda: _table(found) if found else none)


def _table(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("name", "for", "version", "from"):
        table.add_column(title)
    table.add_column("", overflow="fold")
    for one in found:
        source = "pushed" if one["pushed"] else "deployed"
        table.add_row(one["name"], one["match"], one["version"], source, _trouble(one))
    return table


def _trouble(one: Mapping[str, Any]) -> Text:
    if one["error"]:
        return Text(f"broken, and left out: {one['error']}", "red")
    return Text("\n".join(one["warnings"]), "yellow")


@policy.command(epilog="\b\nExamples:\n  rollout policy show churn")
@click.argument("name")
@talks
def show(talk: Talk, name: str) -> None:
    """Print the text of the controller's policy NAME."""
    body = _policy(talk, name)
    talk.answer(body, lambda: str(body["text"]).rstrip("\n"))
    if body["error"]:
        click.echo(f"rollout: {name} is broken and left out: {body['error']}", err=True)


@policy.command(
    epilog="\b\nExamples:\n  rollout policy diff churn\n  rollout policy diff churn other.yaml"
)
@click.argument("name")
@click.argument("file", required=False, type=_FILE)
@talks
def diff(talk: Talk, name: str, file: Path | None) -> None:
    """Compare the controller's policy NAME with FILE; exit 1 when they differ.

    Without FILE it is policies/NAME.yaml.
    """
    path = file or Path("policies") / f"{name}.yaml"
    here = read_text(path)
    there = str(_policy(talk, name)["text"])
    lines = list(
        difflib.unified_diff(
            there.splitlines(),
            here.splitlines(),
            f"{name} ({talk.controller.place.name})",
            str(path),
            lineterm="",
        )
    )
    talk.answer({"differs": bool(lines), "diff": lines}, lambda: _colored(lines))
    if lines:
        raise click.exceptions.Exit(Exit.ROLLED_BACK)


def _colored(lines: Sequence[str]) -> Text:
    if not lines:
        return Text("the same")
    styles = {"+": "green", "-": "red", "@": "dim"}
    parts = [Text(line, styles.get(line[:1], "")) for line in lines]
    return Text("\n").join(parts)


def _policy(talk: Talk, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = talk.controller.read(f"policies/{quote(name, safe='')}")
    return found
