"""The code about itself: its rooms, its words, its size, and what must never be in it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
LINES_MAX = 400
HOMELESS = frozenset({"utils", "util", "helpers", "common", "base", "manager", "misc"})
NOT_OURS = frozenset(
    {
        *("candidate", "experiment", "finalize", "kpi", "manager", "revert", "shadow"),
        *("slot", "soak", "strategy", "wave"),
    }
)
"""Words of other houses (style 4), of those that have no other honest use here."""


def _modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (HOUSE / room).rglob("*.py"))


def _named(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def test_the_layers_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    answer = subprocess.run(
        [str(lint), "--no-cache"], cwd=HOUSE, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("path", _modules("rollout", "emulator", "tests"), ids=_named)
def test_every_module_opens_with_one_sentence(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.name == "__init__.py" and not text.strip():
        return

    opening = (ast.get_docstring(_tree(path)) or "").split("\n\n")[0]

    assert re.fullmatch(r"[^\n].*[.?]", opening, re.DOTALL), opening


def test_nobody_is_homeless() -> None:
    rooms = {part for path in _modules("rollout", "emulator", "tests") for part in path.parts}

    assert not {room.removesuffix(".py") for room in rooms} & HOMELESS


@pytest.mark.parametrize("path", _modules("rollout", "emulator"), ids=_named)
def test_no_file_is_longer_than_can_be_read_at_once(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", _modules("rollout"), ids=_named)
def test_things_are_called_by_their_names(path: Path) -> None:
    words = {word for name in _given_names(_tree(path)) for word in _words(name)}

    assert not words & NOT_OURS


def _given_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def _words(name: str) -> list[str]:
    """`ShiftingTraffic` and `shifting_traffic` are both two words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


@pytest.mark.parametrize("path", _modules("rollout/core", "rollout/analysis"), ids=_named)
def test_the_pure_rooms_import_nothing_of_the_world(path: Path) -> None:
    worldly = {"asyncio", "azure", "json", "logging", "os", "random", "requests", "socket"}
    worldly |= {"sqlite3", "subprocess", "threading", "time", "uuid"}

    assert not set(_imported(_tree(path))) & worldly


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.split(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module.split(".")[0]


# -- the whole repository ----------------------------------------------------------------------

_MACHINE_PATHS = re.compile(
    r"(?<![\w.}-])/" r"(work|Users|home(?!/site/))/\w|[A-Z]:\\" r"Users\\", re.ASCII
)
_REGISTRIES = re.compile(
    r"(extra-)?index-"
    r"url|files\.python"
    r"hosted\.org|registry\."
    r"npmjs|artifact"
    r"ory|"
    r"goproxy\."
    r"\w"
)


def _files() -> list[Path]:
    """Everything that is, or is about to be, in the repository, but foreign recordings."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=HOUSE,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [HOUSE / name for name in listed.split("\0") if name and (HOUSE / name).is_file()]


@pytest.mark.parametrize("trace", [_MACHINE_PATHS, _REGISTRIES], ids=["paths", "registries"])
def test_no_file_tells_on_which_machine_it_was_written(trace: re.Pattern[str]) -> None:
    told = [
        f"{_named(path)}:{number}: {line.strip()[:100]}"
        for path in _files()
        for number, line in enumerate(path.read_text("utf-8", "ignore").splitlines(), 1)
        if trace.search(line)
    ]

    assert not told, "\n".join(told)
