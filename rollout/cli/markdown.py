"""Markdown that shows foreign words as they are: a cell ends no table, a name makes no link."""

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>()#|~!&@]")
_BROKEN = re.compile(r"\s*[\r\n\u2028\u2029]+\s*")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: object) -> str:
    """One line of text that Markdown does not read anything into."""
    line = _UNSEEN.sub("", _BROKEN.sub(" ", str(text)))
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [_row(titles), _row(["---"] * len(titles)), *(_row(map(plain, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def bullets(title: str, sentences: Iterable[object]) -> str:
    """A heading and its list; nothing where the list is empty."""
    items = "".join(f"- {plain(one)}\n" for one in sentences)
    return f"**{title}**\n\n{items}" if items else ""


def page(*parts: str) -> str:
    """The parts that say something, one blank line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
