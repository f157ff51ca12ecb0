"""A small reader of Bicep: what a template would deploy, as far as its text tells."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))
_DECLARED = {
    "parameter_declaration": "param",
    "variable_declaration": "var",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
}
_LITERALS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only a deployment knows; its expression, as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function of Bicep, with what it is given."""

    name: str
    given: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """One declaration of a file; `label` is a resource's type or a module's path."""

    kind: str
    name: str
    node: Node
    label: str = ""
    body: Node | None = None
    existing: bool = False
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """`body` is the resource's object, with all that its own text and its parameters tell."""

    file: str
    name: str
    type: str
    version: str
    body: Mapping[str, Any]
    existing: bool

    @property
    def properties(self) -> Mapping[str, Any]:
        found = self.body.get("properties", {})
        return found if isinstance(found, dict) else {}

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


@dataclass
class File:
    """One file, with what its parameters are given."""

    path: Path
    given: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def root(self) -> Node:
        return _PARSER.parse(self.path.read_bytes()).root_node

    @cached_property
    def declared(self) -> Mapping[str, Declared]:
        """By kind and name: an output may be called as a resource is."""
        return {f"{one.kind} {one.name}": one for one in _declarations(self.root)}

    def of(self, kind: str) -> list[Declared]:
        return [one for one in self.declared.values() if one.kind == kind]

    @property
    def errors(self) -> list[str]:
        wrong = [one for one in walk(self.root) if one.type == "ERROR" or one.is_missing]
        return [f"{self.path.name}:{one.start_point.row + 1}: {text(one)[:60]!r}" for one in wrong]

    def resources(self) -> Iterator[Resource]:
        for one in self.of("resource"):
            kind, _, version = one.label.partition("@")
            body = self.value(one.body) if one.body else {}
            yield Resource(self.path.name, one.name, kind, version, body, one.existing)

    def value(self, node: Node) -> Any:  # noqa: PLR0911 - one for each kind of node
        """What an expression is, as far as the text tells."""
        match node.type:
            case "string":
                return self._string(node)
            case "number":
                return int(text(node))
            case "boolean" | "null":
                return _LITERALS[text(node)]
            case "object":
                return {key: self.value(one) for key, one in _pairs(node)}
            case "array":
                return [self.value(one) for one in node.named_children if one.type != "comment"]
            case "identifier":
                return self._named(text(node))
            case "member_expression":
                return self._member(node)
            case "call_expression":
                return self._call(node)
            case _:
                return Unknown(text(node))

    def _string(self, node: Node) -> str:
        parts = []
        for one in node.named_children:
            if one.type == "interpolation":
                inner = self.value(one.named_children[0])
                parts.append(inner if isinstance(inner, str) else f"${{{_told(inner)}}}")
            else:
                parts.append(text(one).replace("\\'", "'"))
        return "".join(parts)

    def _named(self, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        for kind in ("param", "var"):
            found = self.declared.get(f"{kind} {name}")
            if found and found.body is not None:
                return self.value(found.body)
        return Unknown(name)

    def _member(self, node: Node) -> Any:
        owner, name = self.value(node.named_children[0]), text(node.named_children[-1])
        if isinstance(owner, dict) and name in owner:
            return owner[name]
        return Unknown(f"{_told(owner)}.{name}")

    def _call(self, node: Node) -> Call | Unknown:
        function, *rest = node.named_children
        if function.type != "identifier":
            return Unknown(text(node))
        given = rest[0].named_children if rest else []
        return Call(text(function), tuple(self.value(one) for one in given))


@dataclass(frozen=True)
class Template:
    """A main file and all that it deploys through its modules."""

    folder: Path

    @cached_property
    def main(self) -> File:
        return File(self.folder / "main.bicep")

    @cached_property
    def modules(self) -> Mapping[str, File]:
        """Each module's file with the parameters that the main file gives it."""
        return {
            one.name: File(self.folder / one.label, self.main.value(_body(one)).get("params", {}))
            for one in self.main.of("module")
            if (self.folder / one.label).is_file()
        }

    @cached_property
    def files(self) -> list[File]:
        return [self.main, *self.modules.values()]

    @cached_property
    def resources(self) -> list[Resource]:
        return [one for file in self.files for one in file.resources()]

    def of(self, kind: str) -> list[Resource]:
        return [one for one in self.resources if one.type == kind and not one.existing]

    def texts(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self.folder.rglob("*.bicep")):
            yield path.name, path.read_text()


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: Node) -> str:
    return (node.text or b"").decode()


def used(file: File) -> set[str]:
    """Every name that an expression of the file begins with, but its own declarations'."""
    names = set()
    for node in walk(file.root):
        if node.type == "identifier" and not _is_own_name(node):
            names.add(text(node))
    return names


def outputs_asked(file: File) -> set[tuple[str, str]]:
    """`(module, output)` for every `module.outputs.output`."""
    found = re.findall(r"\b(\w+)\.outputs\.(\w+)", text(file.root))
    return {(module, name) for module, name in found}


def _is_own_name(node: Node) -> bool:
    parent = node.parent
    assert parent is not None
    if parent.type in _DECLARED or parent.type == "object_property":
        return parent.named_children[0] == node
    return parent.type == "decorator"


def _declarations(root: Node) -> Iterator[Declared]:
    secure = False
    for node in root.named_children:
        if node.type == "decorators":
            secure = "@secure" in text(node)
            continue
        kind = _DECLARED.get(node.type)
        if kind:
            name, *rest = node.named_children
            label = text(rest[0]).strip("'") if kind in {"resource", "module"} else ""
            existing = any(one.type == "existing" for one in node.children)
            yield Declared(kind, text(name), node, label, _value_of(kind, rest), existing, secure)
        secure = False


def _value_of(kind: str, rest: list[Node]) -> Node | None:
    """The declared value: in a condition or a loop, its object."""
    values = [one for one in rest if one.type not in {"type", "comment"}]
    values = values[1:] if kind in {"resource", "module"} else values
    if not values:
        return None
    value = values[-1]
    if value.type in {"if_statement", "for_statement"}:
        return next(one for one in reversed(value.named_children) if one.type == "object")
    return value


def _body(one: Declared) -> Node:
    assert one.body is not None, one
    return one.body


def _pairs(node: Node) -> Iterator[tuple[str, Node]]:
    for one in node.named_children:
        if one.type == "object_property":
            key, *rest = [part for part in one.named_children if part.type != "comment"]
            yield text(key).strip("'"), rest[-1]


def _told(value: object) -> str:
    return value.text if isinstance(value, Unknown) else str(value)
