"""YAML as plain values, with the line of everything, and nothing that surprises."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

DEPTH_MAX = 20
NODES_MAX = 10_000
TEXT_MAX = 256 * 1024

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
Path = tuple[str | int, ...]

_WORDS: Mapping[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "false": False,
}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(
    r"[-+]?((0|[1-9][0-9]{0,17})(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?"
)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong in one place, and how it is mended; lines count from 1."""

    line: int
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.line}: {self.place}{': ' if self.place else ''}{self.text}"


def place(path: Path) -> str:
    """A path as people write it: `guards[0].metric`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def shown(text: str) -> str:
    """One line of a text, not too long."""
    line = "".join(sign if sign.isprintable() else "?" for sign in text[:61])
    return line if len(line) <= 60 else f"{line[:57]}..."


@dataclass(slots=True)
class Written:
    """What a text says: its value, the line on which each path stands, and what is wrong."""

    value: Value = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of the path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: Path, text: str) -> Problem:
        return Problem(self.line(path), place(path), text)


def read_yaml(text: str) -> Written:
    """Read one document of plain mappings, lists and scalars; JSON is such a document too.

    Numbers, `true`, `false` and `null` are those of YAML 1.2, so that `no` and `12:30` are texts.
    Aliases, tags, repeated keys and what is too large or too deep are problems.
    """
    written = Written()
    if len(text) > TEXT_MAX:
        size = f"larger than {TEXT_MAX // 1024} KiB; make it smaller"
        written.problems.append(Problem(1, "", size))
        return written
    try:
        node = _Loader(_without_tabs(text)).get_single_node()
    except yaml.MarkedYAMLError as error:
        written.problems.append(_unreadable(error))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        sign = f"the character U+{ord(text[error.position]):04X} is not taken; remove it"
        written.problems.append(Problem(line, "", sign))
    except (ValueError, OverflowError) as error:
        sign = f"not readable as YAML: {shown(str(error))}; remove the number or character"
        written.problems.append(Problem(1, "", sign))
    else:
        written.value = _value(node, (), written) if node else None
    return written


def _without_tabs(text: str) -> str:
    """JSON may be indented with tabs, which YAML does not take; its strings hold none."""
    return text.replace("\t", " ") if text.lstrip().startswith("{") else text


class _Loader(yaml.SafeLoader):
    """Composes plain nodes only: what could grow, hide or run is refused where it stands."""

    _depth = 0
    _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        self._nodes += 1
        is_key = isinstance(parent, yaml.MappingNode) and index is None
        refusal = self._refusal(event, is_key)
        if refusal:
            mark: Any = event.start_mark
            raise yaml.composer.ComposerError(problem=refusal, problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refusal(self, event: yaml.Event, is_key: bool) -> str | None:
        if isinstance(event, yaml.AliasEvent):
            return (
                f"*{shown(event.anchor or '')} is an alias, and aliases are not taken;"
                ' put a pattern in quotes, such as "*"; write a repeated value again'
            )
        if tag := getattr(event, "tag", None):
            return f"the tag {shown(tag)} is not taken; write the value without it"
        if is_key and not isinstance(event, yaml.ScalarEvent):
            return "a key is one word; put the value in quotes if the braces belong to it"
        if self._depth > DEPTH_MAX:
            return "nested too deeply; a policy has no more than a few levels"
        if self._nodes > NODES_MAX:
            return "too many entries; a policy has no more than a few dozen"
        return None


_PLAIN_WORDS = {
    "'\\t'": "a tab; indent with spaces",
    "mapping values are not allowed here": (
        "a second ': ' on this line, or a line indented too far; put a text with ':' in quotes"
    ),
    "sequence entries are not allowed here": (
        "a list cannot begin here; put '- ' on a line of its own, or write [a, b]"
    ),
    "could not find expected ':'": "a key without ': '; write key: value",
    "but found another document": "a second document begins here; one file holds one policy",
    "cannot start any token": "this sign cannot begin a value; put the text in quotes",
    "expected '<document start>'": (
        "this does not belong to what stands above; see the indentation"
    ),
    "but got '<stream end>'": "this bracket is not closed; close it",
    "but found '<stream end>'": "this bracket is not closed; close it",
    "expected ',' or": "a ',' or the closing bracket is missing before this; add it",
    "found unexpected end of stream": "this quote is not closed; close it",
    "expected <block end>": (
        "the indentation does not fit the lines above, or a quote ends too early;"
        " align the line, or write '' for a quote within quotes"
    ),
    "unknown escape character": "a \\ in double quotes; use single quotes",
}
_OPENED = ("this bracket", "this quote")


def _unreadable(error: yaml.MarkedYAMLError) -> Problem:
    said = str(error.problem or error.context or "not YAML")
    told = next((plain for sign, plain in _PLAIN_WORDS.items() if sign in said), None)
    if error.context and "alias" in error.context:
        told = 'a * begins an alias; put a pattern in quotes, such as "*"'
    elif isinstance(error, yaml.composer.ComposerError) and not error.context:
        told = said
    opened = told and told.startswith(_OPENED)
    mark = (opened and error.context_mark) or error.problem_mark
    told = told or f"not readable as YAML: {shown(said)}; see the indentation and the quotes here"
    return Problem(mark.line + 1 if mark else 1, "", told)


def _value(node: yaml.Node, path: Path, written: Written) -> Value:
    written.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, written)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, place), written) for place, item in enumerate(node.value)]
    quoted = isinstance(node, yaml.ScalarNode) and node.style
    return _text(node.value, path, written) if quoted else _plain(node.value)


def _mapping(node: yaml.MappingNode, path: Path, written: Written) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = _text(key.value, path, written)
        here = (*path, name)
        if name in found:
            text = f"given twice, first on line {written.lines[here]}; remove one"
            written.problems.append(Problem(line, place(here), text))
            continue
        written.lines[here] = line
        found[name] = _value(value, here, written)
    return found


def _text(text: str, path: Path, written: Written) -> str:
    """The text, with the two halves of a character that JSON escapes joined to one."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        written.problems.append(written.problem(path, "holds half a character; write the whole"))
        return shown(text)


def _plain(text: str) -> Value:
    """What an unquoted word means."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return number(text) if number(text) is not None else text


def number(text: str) -> int | float | None:
    """The number that a text spells, if it does."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return None
