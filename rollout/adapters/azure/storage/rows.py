"""How a value becomes the properties of one row, and a row the value again."""

import logging
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from rollout.core.frozen import Frozen
from rollout.errors import Refused, Unavailable

SCHEMA = 1
"""Grows when older versions can no longer read a row."""

PROPERTY_CHARACTERS_MAX = 15_000
"""A property holds 64 KiB of UTF-16, in which a character takes at most four bytes."""

ROW_BYTES_MAX = 960 * 1024
"""A row holds 1 MiB, names and keys included."""

ROW_BYTES_WANTED = 32 * 1024
"""The size of JSON that a head row stays under; above it, it is said, and saved nevertheless."""

_log = logging.getLogger(__name__)

Row = Any
"""The SDK's entity: a mapping with its etag in `metadata`."""

Value = TypeVar("Value", bound=Frozen)


class Unreadable(Unavailable):
    """A row that this version cannot read; in a list it does not stop the others."""


def escaped(text: str) -> str:
    """The text as a part of a key, where `/`, `#` and others may not stand; no two become one."""
    return quote(text, safe="").replace("%", "=")


def packed(partition: str, row: str, body: str) -> dict[str, Any]:
    """A row with that JSON; raises Refused for one that Azure would not take."""
    size = len(body.encode("utf-16-le"))
    if size > ROW_BYTES_MAX:
        raise Refused(
            f"the row {row} of {partition} would take {size // 1024} KiB, and Azure Tables takes"
            f" {ROW_BYTES_MAX // 1024}; it was not saved: shorten what it holds (a policy's guards,"
            " stages and reasons)"
        )
    if row == "head" and (size := len(body.encode())) > ROW_BYTES_WANTED:
        _log.warning("%s: its row has grown to %d KiB", partition, size // 1024)
    parts = range(0, len(body), PROPERTY_CHARACTERS_MAX)
    return {
        "PartitionKey": partition,
        "RowKey": row,
        "schema": SCHEMA,
        **{
            f"body{number}": body[start : start + PROPERTY_CHARACTERS_MAX]
            for number, start in enumerate(parts)
        },
    }


def unpacked(kind: type[Value], row: Mapping[str, Any], **instead: object) -> Value:
    """The value, with some fields replaced; raises Unreadable where this version cannot read."""
    name = f"{kind.__name__} of {row['PartitionKey']} {row['RowKey']}"
    if row["schema"] > SCHEMA:
        raise Unreadable(
            f"the {name} cannot be read: written by a newer version of rollout (schema"
            f" {row['schema']}, this one knows {SCHEMA}); install the newer version"
        )
    parts = sorted((int(key[4:]), text) for key, text in row.items() if key.startswith("body"))
    try:
        value = kind.model_validate_json("".join(text for _, text in parts))
        return value.model_copy(update=instead)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Unreadable(
            f"the {name} cannot be read ({place}: {first['msg']});"
            " if a newer version of rollout wrote it, install that"
        ) from error
