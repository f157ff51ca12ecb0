"""A query's text as tokens."""

import re
from dataclasses import dataclass

_PATTERNS = (
    ("space", r"\s+|//[^\n]*"),
    ("moment", r"datetime\(\s*[^)]*\)"),
    ("timespan", r"\d+(?:\.\d+)?(?:ms|d|h|m|s)\b"),
    ("number", r"\d+(?:\.\d+)?"),
    ("text", r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"),
    ("sign", r"=~|!~|==|!=|<=|>=|\.\.|[|,()<>=+\-*/]"),
    ("word", r"[A-Za-z_]\w*"),
)
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS))
END = "end of query"


class QueryError(Exception):
    """The query is not one that is understood here."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str


def tokens(query: str) -> list[Token]:
    """Without spaces and comments, and with a last token of kind `end`."""
    found, at = [], 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None:
            raise QueryError(f"unexpected character {query[at]!r} at {at}")
        at = match.end()
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup or "", match.group()))
    return [*found, Token("end", END)]
