"""What the code asks of a deployment, read from the code itself."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rollout.adapters.sqlite.queue import DELIVERIES_MAX
from rollout.api import ROUTES
from rollout.api.rollouts import PREFIX

ROOT = Path(__file__).parents[2]
_ACTION = re.compile(r"(?:[A-Za-z.]+/)*(?:read|write|delete|action)")


@dataclass(frozen=True, slots=True)
class Bound:
    """Settings that bindings name: whole ones by %NAME%, and the prefixes of connections."""

    names: frozenset[str]
    connections: frozenset[str]


@cache
def _bindings() -> Mapping[str, list[dict[str, Any]]]:
    """Of each function, as the decorators of function_app.py write them."""
    tree = ast.parse((ROOT / "function_app.py").read_text())
    found: dict[str, list[dict[str, Any]]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
            found[node.name] = [_literals(call) for call in calls]
    return {name: bindings for name, bindings in found.items() if bindings}


def _literals(call: ast.Call) -> dict[str, Any]:
    named = ((one.arg, one.value) for one in call.keywords)
    return {str(name): one.value for name, one in named if isinstance(one, ast.Constant)}


def functions() -> frozenset[str]:
    return frozenset(_bindings())


def settings_of_bindings() -> Bound:
    told = [one for bindings in _bindings().values() for one in bindings]
    names = re.findall(r"%(\w+)%", json.dumps(told))
    connections = {str(one["connection"]) for one in told if "connection" in one}
    return Bound(frozenset(names), frozenset(connections))


def routes() -> frozenset[tuple[str, str]]:
    return frozenset((route.method, f"/{PREFIX}/{route.path}") for route in ROUTES)


def deliveries_max() -> int:
    return DELIVERIES_MAX


def queues() -> frozenset[str]:
    """Every constant of the controller that is called SOMETHING_QUEUE."""
    return frozenset(
        str(ast.literal_eval(node.value))
        for tree in _trees(ROOT / "rollout")
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and re.fullmatch("[A-Z]+_QUEUE", target.id)
    )


def arm_actions() -> frozenset[str]:
    """The permissions that the adapters say their requests need.

    Each module names them whole, or as endings of what it calls `_ACTIONS`. The table that the
    doctor compares with is no request.
    """
    found: set[str] = set()
    for path in sorted((ROOT / "rollout" / "adapters" / "azure").rglob("*.py")):
        if path.name == "permissions.py":
            continue
        tree = ast.parse(path.read_text())
        prefix = _constant(tree, "_ACTIONS")
        named = (text for text in _texts(tree) if _ACTION.fullmatch(text))
        found |= {_whole(prefix or "", text) for text in named if prefix or "/" in text}
    return frozenset(found)


def _whole(prefix: str, action: str) -> str:
    return action if action.startswith("Microsoft.") else prefix + action


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _constant(tree: ast.Module, name: str) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [name]:
            return str(ast.literal_eval(node.value))
    return None


@cache
def _trees(folder: Path) -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py")))
