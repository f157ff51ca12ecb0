"""A letter as an adaptive card, as the workflow "when a webhook request is received" takes it."""

from typing import Any

from rollout.adapters.notices.posting import written
from rollout.core.letter import Letter

_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


def card(letter: Letter) -> bytes:
    """At most a few KiB, far below the 28 KiB that Teams takes."""
    content = {
        "$schema": _SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _text(letter.title, weight="Bolder", size="Medium", color=_color(letter)),
            _text(letter.sentence),
            *([_text(letter.question, weight="Bolder")] if letter.question else []),
            {"type": "FactSet", "facts": _facts(letter)},
            *(_text(f"• {number}", spacing="Small") for number in letter.numbers),
            _text(letter.command, fontType="Monospace", isSubtle=True),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": link.title, "url": link.url}
            for link in letter.links
        ],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": content}
    return written({"type": "message", "attachments": [attachment]})


def _text(text: str, **style: str | bool) -> dict[str, Any]:
    return {"type": "TextBlock", "text": _plain(text), "wrap": True, **style}


def _plain(text: str) -> str:
    """Teams reads Markdown in cards: a link that someone wrote into a reason is only text."""
    return text.replace("[", "(").replace("]", ")")


def _facts(letter: Letter) -> list[dict[str, str]]:
    facts = {
        **letter.facts,
        "who": letter.who,
        "deadline": f"{letter.deadline:%Y-%m-%d %H:%M} UTC" if letter.deadline else "",
    }
    return [{"title": name, "value": _plain(value)} for name, value in facts.items() if value]


def _color(letter: Letter) -> str:
    return "Good" if letter.is_good else "Attention" if letter.is_bad else "Default"
