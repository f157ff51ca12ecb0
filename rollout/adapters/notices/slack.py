"""A letter as blocks of a Slack incoming webhook."""

from typing import Any

from rollout.adapters.notices.posting import written
from rollout.core.letter import Letter, Link

_HEADER_MAX, _TEXT_MAX = 150, 3000


def message(letter: Letter) -> bytes:
    """Blocks, and the plain text that a notification shows."""
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": letter.title[:_HEADER_MAX]},
        },
        _section(letter.sentence),
    ]
    if letter.question:
        until = f" (until {letter.deadline:%Y-%m-%d %H:%M} UTC)" if letter.deadline else ""
        blocks.append(_section(f"{letter.question}{until}"))
    if letter.numbers:
        blocks.append(_section("\n".join(f"• {number}" for number in letter.numbers)))
    told = " · ".join([*(fact or "-" for fact in letter.facts.values()), letter.command])
    blocks.append({"type": "context", "elements": [_words(told)]})
    if letter.links:
        blocks.append({"type": "actions", "elements": [_button(one) for one in letter.links]})
    return written({"text": _escaped(f"{letter.title}: {letter.sentence}"), "blocks": blocks})


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _words(text)}


def _words(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": _escaped(text)[:_TEXT_MAX], "verbatim": True}


def _button(link: Link) -> dict[str, Any]:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": link.title[:75]},
        "url": link.url,
    }


def _escaped(text: str) -> str:
    """Slack's own three signs: so no reason that someone wrote can call a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
