"""What is wrong with a policy, in the words of the person who wrote it."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from rollout.core.frozen import Frozen
from rollout.core.yaml_lines import Path, Value, number, shown

ROUNDS_MAX = 100

Told = tuple[Path, str]
"""A place, and what is wrong there with its remedy."""

Schema = Mapping[str, Any]

_Document = TypeVar("_Document", bound=Frozen)

_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_ENTRY = re.compile(r"\[(?P<entry>\d+)\](?P<below>\S*): (?P<text>.*)", re.DOTALL)
"""A list's own rule, about one of its entries: `[2].canary.weight: 5 does not rise above 25`."""


def check_policy(
    value: dict[str, Value], kind: type[_Document]
) -> tuple[_Document | None, Sequence[Told]]:
    """The document of that kind, or all that is wrong with it."""
    document, errors = _validate(value, kind)
    root = _whole_schema(kind)
    return document, [*_answers(value, errors, root), *_entry_problems(value, errors, kind)]


def spoken(value: Value) -> str:
    """A value as one says it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return f"the text '{shown(value)}'"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a mapping"


def _validate(
    value: dict[str, Value], kind: type[_Document]
) -> tuple[_Document | None, Sequence[ErrorDetails]]:
    try:
        return kind.model_validate_json(to_json(value), strict=True), ()
    except ValidationError as error:
        return None, error.errors(include_url=False)


# -- one answer to each error ----------------------------------------------------------------


def _answers(
    value: dict[str, Value], errors: Sequence[ErrorDetails], root: Schema
) -> Iterator[Told]:
    places = [error["loc"] for error in errors]
    meant = {_meant(error["loc"], root) for error in errors if error["type"] in _UNKNOWN_KEY}
    for error in errors:
        place = error["loc"]
        follows = any(len(other) > len(place) and other[: len(place)] == place for other in places)
        if not follows and place not in meant and not _ENTRY.match(_own_words(error)):
            yield place, _answer(value, error, root)


def _answer(value: dict[str, Value], error: ErrorDetails, root: Schema) -> str:
    place, given = error["loc"], _at(value, error["loc"])
    if error["type"] in _UNKNOWN_KEY:
        return _unknown_key(place, root)
    if error["type"] == "missing":
        return f"missing; add it: {_wanted(_schema(place, root))}"
    if words := _own_words(error):
        return _nothing_below(given) or words
    schema = _schema(place, root)
    if given is None:
        return f"nothing is written here; write {_wanted(schema)}, or leave it out"
    return f"must be {_wanted(schema)}, not {spoken(given)}{_hint(schema, given)}"


def _own_words(error: ErrorDetails) -> str:
    """The sentence of one of our own rules; empty for a rule of pydantic's."""
    return str(error.get("ctx", {}).get("error", "")) if error["type"] == "value_error" else ""


def _nothing_below(given: Value) -> str | None:
    """`- bake:` and nothing more; it may be meant, but may as well be half a line."""
    if isinstance(given, dict) and list(given.values()) == [None]:
        kind = next(iter(given))
        return f"nothing is written below {kind}; write {kind}: {{}} if its defaults are meant"
    return None


def _unknown_key(place: Path, root: Schema) -> str:
    known = _schema(place[:-1], root).get("properties", {})
    meant = _meant(place, root)
    question = f" did you mean {meant[-1]}?" if meant else ""
    return f"unknown key;{question} known: {', '.join(known)}"


def _meant(place: Path, root: Schema) -> Path | None:
    """The place that an unknown key was probably written for."""
    close = _close(str(place[-1]), _schema(place[:-1], root).get("properties", {}))
    return (*place[:-1], close) if close else None


def _close(word: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word.lower()[:100], list(known), 1)), None)


def _at(value: Value, place: Path) -> Value:
    for part in place:
        match value, part:
            case dict(), str():
                value = value.get(part)
            case list(), int():
                value = value[part]
            case _:
                return None
    return value


# -- the rules of whole lists ----------------------------------------------------------------


def _entry_problems(
    value: dict[str, Value], errors: Sequence[ErrorDetails], kind: type[Frozen]
) -> Iterator[Told]:
    """What the rules of a list say of its entries.

    They speak only of a list whose entries are sound, and of one entry at a time: so what is
    unsound is taken out, and so is each entry spoken of, until nothing more is said.
    """
    kept = {key: dict(enumerate(held)) for key, held in value.items() if isinstance(held, list)}
    unsound: Iterable[Path] = [error["loc"] for error in errors]
    for _ in range(ROUNDS_MAX if errors else 0):
        for place in unsound:
            _take_out(kept, place)
        said = list(_said_of_entries(value, kept, kind))
        if not said:
            return
        yield from said
        unsound = [place for place, _ in said]


def _take_out(kept: Mapping[str, dict[int, Value]], place: Path) -> None:
    match place:
        case (str(key), int(entry), *_) if key in kept:
            kept[key].pop(entry, None)


def _said_of_entries(
    value: dict[str, Value], kept: Mapping[str, dict[int, Value]], kind: type[Frozen]
) -> Iterator[Told]:
    sound: dict[str, Value] = {key: list(entries.values()) for key, entries in kept.items()}
    _, errors = _validate({**value, **sound}, kind)
    for error in errors:
        found = _ENTRY.match(_own_words(error))
        if found and error["loc"][0] in kept:
            key = str(error["loc"][0])
            entry = list(kept[key])[int(found["entry"])]
            yield (key, entry, *found["below"].split(".")[1:]), found["text"]


# -- what is wanted, and how to come by it ---------------------------------------------------


def _wanted(schema: Schema) -> str:
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    words = _KINDS.get(schema.get("type", ""), "something else")
    return words + "".join(say(schema[key]) for key, say in _LIMITS.items() if key in schema)


_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping of keys",
    "boolean": "true or false",
}
_LIMITS: Mapping[str, Callable[[Any], str]] = {
    "minimum": lambda least: f" from {least}",
    "maximum": lambda most: f" to {most}",
    "maxLength": lambda most: f" of 1 to {most} letters",
    "minItems": lambda least: f" of at least {least}",
    "maxItems": lambda most: f" and at most {most} entries",
    "properties": lambda keys: f" ({', '.join(keys)})",
}


def _hint(schema: Schema, given: Value) -> str:
    """How what was given becomes what is wanted, where one can guess it."""
    kind = "enum" if "enum" in schema else schema.get("type")
    match kind, given:
        case "string", bool() | int() | float():
            remedy = "put it in quotes"
        case "integer" | "number", str() if number(given) is not None:
            remedy = "leave out the quotes"
        case "integer" | "number", str() if number(given.rstrip("% ")) is not None:
            remedy = "leave out the %"
        case "enum", str() if close := _close(given, schema["enum"]):
            remedy = f"did you mean {close}?"
        case "array", str():
            remedy = f"write [{shown(given)}]"
        case "object", str() if given in schema.get("properties", {}):
            remedy = f"write {given}: {{}}"
        case _:
            return ""
    return f"; {remedy}"


def _schema(place: Path, root: Schema) -> Schema:
    """The JSON Schema of what may stand there; empty where nothing may."""
    schema = _followed(root, root)
    for part in place:
        below = schema.get("items") if isinstance(part, int) else None
        more = schema.get("additionalProperties") or {}
        schema = _followed(below or schema.get("properties", {}).get(part, more), root)
    return schema


def _followed(schema: Schema, root: Schema) -> Schema:
    """The schema behind a reference, or beside `null`."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _followed(choice, root)
    if "$ref" in schema:
        return _followed(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return schema


@cache
def _whole_schema(kind: type[Frozen]) -> Schema:
    return kind.model_json_schema(by_alias=True)
