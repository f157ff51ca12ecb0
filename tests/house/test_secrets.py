"""Secrets are compared in one time: nowhere by `==`, `!=` or `in`, which tell what was right."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
SECRET = re.compile(r"(^|_)(secrets?|password|signature|digest|sha256|hmac|bearer)(_|$)")
TOKEN = re.compile(r"(^|_)(api_token|shown|token)$")
MODULES = sorted((HOUSE / "rollout").rglob("*.py"))


def _comparisons(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Comparisons by content with something whose name says that it is secret."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(one, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for one in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        names = [name for side in sides for name in _names(side)]
        if "name" in names:  # a secret's name is none
            continue
        for name in names:
            if SECRET.search(name) or TOKEN.search(name):
                yield node.lineno, name


def _names(node: ast.expr) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id.lower()
        elif isinstance(inner, ast.Attribute):
            yield inner.attr.lower()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_no_secret_is_compared_by_its_content(path: Path) -> None:
    assert not list(_comparisons(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize(
    "code",
    [
        "shown == known",
        "if digest(shown) != one.sha256: pass",
        "settings.api_token in given",
        "signature == f'sha256={x}'",
        "given.get_secret_value() == secret",
    ],
)
def test_the_test_itself_finds_such_a_comparison(code: str) -> None:
    assert list(_comparisons(ast.parse(code)))
