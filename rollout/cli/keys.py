"""`rollout keys`: how old an endpoint's keys are, and how they are replaced."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollout.cli.controller import in_path
from rollout.cli.endings import Exit
from rollout.cli.keys_explained import explain_keys
from rollout.cli.talk import Talk, changes, markdown_option, talks
from rollout.cli.words import age, clock_time, date_time
from rollout.core.head import HistoryEntry
from rollout.core.rotation.state import KeyName
from rollout.keys.views import KeysStatus, RotationView

NONE_YET = "No endpoints in the workspaces of this controller."
BREAKS = (
    "Both keys of {ref} are replaced as fast as is safe. A client that keeps a key is refused (401)"
    " until it has read the new one; no client is waited for."
)
_in_use_option = click.option(
    "--in-use",
    type=click.Choice([name.value for name in KeyName]),
    help="The key that clients have now, where the secret does not tell.",
)


@click.group()
def keys() -> None:
    """Keys: see how old they are, and rotate them without a failed request."""


# -- see -------------------------------------------------------------------------------------


@keys.command(epilog="\b\nExamples:\n  rollout keys status\n  rollout keys status churn --json")
@click.argument("ref", required=False)
@talks
def status(talk: Talk, ref: str | None) -> None:
    """Show keys by endpoint: their ages, the secret's version, the next rotation, what is overdue.

    REF shows one endpoint in full.
    """
    if ref:
        body = talk.controller.read(f"keys/{in_path(ref)}")
        one = talk.controller.parsed(KeysStatus, body)
        talk.answer(body, lambda: _in_full(one))
        return
    body = talk.controller.read("keys")
    found = [talk.controller.parsed(KeysStatus, row) for row in talk.controller.items(body, "keys")]
    talk.answer(body, lambda: _table(found) if found else NONE_YET)


def _table(found: Sequence[KeysStatus]) -> RenderableType:
    """What a person must see or do stands on lines of its own, whole in a narrow terminal too."""
    told: list[RenderableType] = []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("endpoint", "auth", "primary", "secondary", "version", "next"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(
            Text(one.endpoint, "bold red" if one.overdue else "bold"),
            _MODES.get(one.mode, one.mode),
            _born(one, KeyName.PRIMARY),
            _born(one, KeyName.SECONDARY),
            _version(one),
            date_time(one.next_rotation_at)[:16] if one.next_rotation_at else "-",
        )
        state = _state(one)
        if state.plain:
            told.append(Text.assemble((f"{one.endpoint}: ", "bold"), state))
    return Group(table, *([Text(), *told] if told else []))


def _version(one: KeysStatus) -> str:
    """Its first letters, and how old it is."""
    if one.version is None:
        return "-"
    since = f", {_age(one, one.published_at)}" if one.published_at else ""
    return f"{one.version[:_VERSION_SHOWN]}{since}"


def _age(one: KeysStatus, since: datetime) -> str:
    """As the controller told it: its clock may run faster than ours."""
    return age(one.seen_at - since) if one.seen_at else date_time(since)[:10]


_VERSION_SHOWN = 8
_MODES = {"amltoken": "aml_token", "aadtoken": "aad_token"}


def _born(one: KeysStatus, key: KeyName) -> Text:
    """How old this key is, as far as this controller knows."""
    if one.mode not in {"", "key"}:
        return Text("-")
    since = one.renewed.get(key)
    in_use = one.in_use is key
    told = _age(one, since) if since else "unknown"
    return Text(f"{told}{' (in use)' if in_use else ''}", "bold" if in_use else "")


def _state(one: KeysStatus) -> Text:
    """What a person must see first."""
    if one.rotation and one.rotation.needs_person:
        return Text(f"{one.rotation.trouble}\n→ {one.rotation.remedy}", "bold yellow")
    if one.overdue:
        return Text(f"OVERDUE: {one.overdue}\n→ rollout keys rotate {one.endpoint}", "bold red")
    if one.cannot:
        return Text(one.cannot, "dim")
    if one.rotation and one.rotation.next_look_at:
        return Text(f"rotating: waits {one.rotation.waits_for}", "cyan").append(_until(one))
    return Text("")


def _until(one: KeysStatus) -> str:
    """Where the sentence does not tell it already."""
    rotation = one.rotation
    if rotation is None or rotation.waits_until is None or " until " in rotation.waits_for:
        return ""
    return f", until {clock_time(rotation.waits_until)} UTC"


def _in_full(one: KeysStatus) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for label, told in _facts(one).items():
        if told:
            facts.add_row(f"  {label}", told)
    return Group(Text(one.endpoint, "bold"), facts, _state(one))


def _facts(one: KeysStatus) -> Mapping[str, str | Text]:
    rotation = one.rotation
    last = f"{rotation.id}: {rotation.phase.value.replace('_', ' ')}" if rotation else "never"
    return {
        "auth": _MODES.get(one.mode, one.mode),
        "primary": _since(one, KeyName.PRIMARY),
        "secondary": _since(one, KeyName.SECONDARY),
        "policy": one.policy or "none",
        "secret": one.secret or "",
        "version": one.version or "",
        "published": date_time(one.published_at) if one.published_at else "",
        "expires": date_time(one.expires_at) if one.expires_at else "",
        "rotated": date_time(one.rotated_at) if one.rotated_at else "",
        "next": date_time(one.next_rotation_at) if one.next_rotation_at else "",
        "last": last,
        "trouble": (rotation.trouble or "") if rotation else "",
    }


def _since(one: KeysStatus, key: KeyName) -> Text:
    since = one.renewed.get(key)
    return _born(one, key).append(f", since {date_time(since)}" if since else "")


@keys.command(
    epilog="\b\nExamples:\n  rollout keys explain churn\n  rollout keys explain churn --json"
)
@click.argument("ref")
@markdown_option
@talks
def explain(talk: Talk, ref: str, as_markdown: bool) -> None:
    """Retell the live or last rotation of REF: each step, why, its numbers, what it waits for.

    REF may be the id of an older one.
    """
    explain_keys(talk, ref, as_markdown=as_markdown)


@keys.command(epilog="\b\nExamples:\n  rollout keys history churn")
@click.argument("ref")
@talks
def history(talk: Talk, ref: str) -> None:
    """Retell what was decided about the keys of REF: what came in, why, who, what was done."""
    body = talk.controller.read(f"keys/{in_path(ref)}/history", after=0)
    entries = [
        talk.controller.parsed(HistoryEntry, one) for one in talk.controller.items(body, "entries")
    ]
    talk.answer(body, lambda: _retold(entries))


def _retold(entries: Sequence[HistoryEntry]) -> Text:
    if not entries:
        return Text("No key was rotated here yet.")
    return Text("\n").join(_entry(entry) for entry in entries)


def _entry(entry: HistoryEntry) -> Text:
    told = Text.assemble((date_time(entry.at), "dim"), f"  {entry.who}  ", (entry.why, "bold"))
    for action in entry.actions:
        told.append("\n    did     ", "dim").append(action)
    if entry.before != entry.after:
        moved = f"{entry.before} → {entry.after}".replace("_", " ")
        told.append("\n    phase   ", "dim").append(moved)
    return told


# -- ask -------------------------------------------------------------------------------------


@keys.command(
    epilog="""\b
Examples:
  rollout keys rotate churn
  rollout keys rotate churn --in-use primary        # the first time, when no secret tells
  rollout keys rotate churn --leaked --why "key in a notebook" --yes"""
)
@click.argument("ref")
@click.option("--leaked", is_flag=True, help="A key is in wrong hands: wait for no client.")
@click.option("--forced", is_flag=True, help="Also between the steps of a live rollout.")
@_in_use_option
@click.option("--yes", is_flag=True, help="Do not ask before what breaks clients.")
@changes
def rotate(talk: Talk, ref: str, yes: bool, key: str, **asked: Any) -> None:  # noqa: ANN401
    """Replace both keys of REF, one after the other."""
    if asked["leaked"]:
        click.echo(BREAKS.format(ref=ref), err=True)
        if not yes:
            click.confirm("Go on?", abort=True, err=True)
    body = {name: value for name, value in asked.items() if value is not None}
    _ordered(talk, f"keys/{in_path(ref)}/rotate", body, key)


@keys.command(epilog='\b\nExamples:\n  rollout keys abort churn --why "wrong vault"')
@click.argument("ref")
@changes
def abort(talk: Talk, ref: str, key: str, **asked: Any) -> None:  # noqa: ANN401
    """End the rotation of REF and leave both keys as they are; safe at any moment."""
    _ordered(talk, f"keys/{in_path(ref)}/abort", asked, key)


@keys.command(
    epilog="""\b
Examples:
  rollout keys resume churn
  rollout keys resume churn --in-use primary"""
)
@click.argument("ref")
@_in_use_option
@changes
def resume(talk: Talk, ref: str, key: str, **asked: Any) -> None:  # noqa: ANN401
    """Let the rotation of REF go on after a question."""
    body = {name: value for name, value in asked.items() if value is not None}
    _ordered(talk, f"keys/{in_path(ref)}/resume", body, key)


def _ordered(talk: Talk, path: str, body: Mapping[str, Any], key: str) -> None:
    """Ask, and tell where the rotation stands now; exits 4 where a person is needed."""
    answer = talk.controller.change("POST", path, dict(body), key)
    view = talk.controller.parsed(RotationView, answer.body.get("rotation"))
    talk.answer(answer.body, lambda: _told(answer.body["decided"], view))
    if view.needs_person:
        raise click.exceptions.Exit(Exit.REFUSED)


def _told(decided: str, view: RotationView) -> str:
    told = f"{view.endpoint}: {decided}\n  id:    {view.id}\n"
    if view.needs_person:
        return f"{told}  asks:  {view.trouble}\n  do:    {view.remedy}"
    return f"{told}  waits: {view.waits_for}\n  next:  rollout keys status {view.endpoint}"
