"""The history entries of all endpoints in the order in which they were saved."""

import sqlite3

_END = "SELECT COALESCE(MAX(sequence), 0) FROM feed"
_TOLD = """
    SELECT feed.sequence, feed.key, feed.number, history.body
    FROM feed JOIN history ON history.key = feed.key AND history.number = feed.number
    WHERE feed.sequence > ? AND feed.sequence <= ? ORDER BY feed.sequence LIMIT ?
"""
_TOLD_OF = _TOLD.replace("WHERE", "WHERE feed.key = ? AND")

Row = tuple[int, str, int, str]


def read_feed(
    connection: sqlite3.Connection, after: int | None, limit: int, key: str | None
) -> tuple[list[Row], int]:
    """The rows, and the place up to which there are no others."""
    end: int = connection.execute(_END).fetchone()[0]
    begin = end if after is None else min(after, end)
    if key is None:
        rows: list[Row] = connection.execute(_TOLD, (begin, end, limit)).fetchall()
    else:
        rows = connection.execute(_TOLD_OF, (key, begin, end, limit)).fetchall()
    return rows, rows[-1][0] if rows and len(rows) == limit else end
