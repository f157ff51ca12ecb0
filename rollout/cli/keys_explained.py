"""One rotation of keys in words and numbers: why each step was taken, and what it waits for."""

import re
from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.text import Text

from rollout.cli import markdown
from rollout.cli.controller import in_path
from rollout.cli.entries import entries_table, entry_told
from rollout.cli.talk import Talk
from rollout.cli.words import date_time
from rollout.core.head import HistoryEntry
from rollout.core.rotation.state import ROTATION_OVER
from rollout.core.rotation.words import numbers_told
from rollout.keys.views import KeysStatus, RotationView

ROTATION_IN = re.compile(r"-[0-9a-f]{10}-keys-[0-9]+$")
NONE_YET = "No key was rotated here yet."


def explain_keys(talk: Talk, ref: str, *, as_markdown: bool = False) -> None:
    """Retell the live or last rotation of an endpoint, or one by its id."""
    body = talk.controller.read(f"keys/{in_path(ref)}")
    view = talk.controller.parsed(KeysStatus, body).rotation
    wanted = ref if ROTATION_IN.search(ref) else view and view.id
    entries = _entries(talk, wanted) if wanted else []
    now = view if view and view.id == wanted else None
    data = {
        "rotation": body.get("rotation") if now else None,
        "entries": [entry.model_dump(mode="json") for entry in entries],
    }
    told = in_markdown if as_markdown else _retold
    talk.answer(data, lambda: told(entries, now) if entries else NONE_YET)


def _entries(talk: Talk, rotation_id: str) -> Sequence[HistoryEntry]:
    body = talk.controller.read(f"keys/{in_path(rotation_id)}/history", after=0)
    listed = talk.controller.items(body, "entries")
    return [talk.controller.parsed(HistoryEntry, one) for one in listed]


def _retold(entries: Sequence[HistoryEntry], now: RotationView | None) -> Group:
    title = Text.assemble(("The keys of ", ""), (now.endpoint, "bold")) if now else Text()
    about = f", under the policy {now.policy}\n" if now else ""
    title.append(about or f"{entries[0].rotation_id}\n", "" if now else "bold")
    last = [_now(now)] if now else []
    return Group(title, *(entry_told(one, _details) for one in entries), *last)


def in_markdown(entries: Sequence[HistoryEntry], now: RotationView | None) -> str:
    """The same for a page; what others wrote is only text there."""
    about = now.endpoint if now else entries[0].rotation_id
    policy = f", under the policy {now.policy}" if now else ""
    waits = _waiting(now) if now and now.phase not in ROTATION_OVER else ()
    return markdown.page(
        f"### The keys of {markdown.plain(about)}{markdown.plain(policy)}",
        f"Now: {markdown.plain(_phase(now))}" if now else "",
        markdown.bullets("It waits", (f"{label}: {line}" for label, line, _ in waits)),
        entries_table(entries, _details),
        f"Rotation {markdown.plain(entries[0].rotation_id)}",
    )


def _phase(now: RotationView) -> str:
    if now.phase in ROTATION_OVER:
        return f"over: {now.phase}"
    return f"{now.phase.value.replace('_', ' ')} since {date_time(now.phase_since)}"


def _details(entry: HistoryEntry) -> Iterator[tuple[str, str]]:
    for line in numbers_told(entry.numbers):
        yield "number", line
    for action in entry.actions:
        yield "did", action
    if entry.before != entry.after:
        moved = f"{entry.before} → {entry.after}".replace("_", " ")
        yield "phase", moved


def _now(view: RotationView) -> Text:
    if view.phase in ROTATION_OVER:
        return Text.assemble(("Now", "bold"), f"  over: {view.phase}")
    told = Text.assemble(("Now", "bold"), f"  {view.phase.value.replace('_', ' ')}")
    told.append(f" since {date_time(view.phase_since)}\n", "dim")
    for label, line, style in _waiting(view):
        told.append(f"    {label:<8}", "dim").append(f"{line}\n", style)
    return told


def _waiting(view: RotationView) -> Iterator[tuple[str, str, str]]:
    if not view.needs_person:
        yield "waits", view.waits_for, ""
    if view.waits_until:
        yield "until", date_time(view.waits_until), ""
    if view.then:
        yield "then", view.then, ""
    if view.trouble:
        yield "trouble", view.trouble, "bold yellow" if view.needs_person else "red"
    if view.remedy:
        yield "do", view.remedy, "bold"
