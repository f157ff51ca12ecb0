"""What importing the function app costs and touches: nothing is opened, nothing heavy is loaded."""

import ast
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from rollout.once import Once
from tests.functions.deployment import ROOT
from tests.functions.runtime import functions_python

HEAVY = (
    *("azure.core", "azure.data", "azure.identity", "azure.keyvault", "azure.monitor"),
    *("azure.servicebus", "azure.storage", "cryptography", "jwt", "msal", "requests", "sqlite3"),
    *("pydantic", "rollout.adapters", "rollout.analysis", "rollout.api", "rollout.core"),
    *("rollout.engine", "rollout.inbox", "rollout.settings"),
)
"""Modules that one door or another needs, each imported by what needs it."""

WATCHED = """
import json, sys

opened = []
told = ("socket.", "subprocess.", "sqlite3.", "tempfile.", "os.mkdir", "os.putenv")

def watch(event, args):
    writes = event == "open" and args[1] and set(args[1]) & set("wax+")
    if event.startswith(told) or writes:
        opened.append(f"{event} {args}")

sys.addaudithook(watch)
import function_app
import threading
print(json.dumps({"modules": sorted(sys.modules), "opened": opened,
                  "threads": threading.active_count()}))
"""


@cache
def imported() -> dict[str, Any]:
    """What an import leaves behind, in a fresh interpreter without a setting of ours."""
    done = subprocess.run(
        [str(functions_python()), "-B", "-c", WATCHED],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("heavy", HEAVY)
def test_what_is_heavy_waits_until_it_is_used(heavy: str) -> None:
    loaded = [one for one in imported()["modules"] if f"{one}.".startswith(f"{heavy}.")]

    assert not loaded


def test_nothing_is_opened_and_no_setting_is_needed() -> None:
    assert imported()["opened"] == []
    assert imported()["threads"] == 1


def test_what_threads_ask_for_at_once_is_made_once() -> None:
    """Two first messages must not open two clients."""
    made, second = list[object](), Event()

    def make() -> object:
        if made:
            second.set()
        made.append(object())
        second.wait(0.2)  # so long a second maker could come in
        return made[0]

    part = Once(make)
    with ThreadPoolExecutor(8) as threads:
        given = [asked.result() for asked in [threads.submit(part) for _ in range(8)]]

    assert len(made) == 1
    assert set(given) == set(made)


def test_every_part_of_the_wiring_is_made_once() -> None:
    rooms = [one for one in (ROOT / "rollout/wiring").glob("*.py") if one.stem != "alone"]
    lines = [node for one in rooms for node in ast.parse(one.read_text()).body]
    parts = [node for node in lines if isinstance(node, ast.FunctionDef)]
    plain = [
        part.name
        for part in parts
        if not any(isinstance(one, ast.Name) and one.id == "Once" for one in part.decorator_list)
    ]

    assert plain == ["_database"]


# -- nothing blocks a loop that others share ---------------------------------------------------


def deployed_modules() -> list[Path]:
    rooms = (path for path in (ROOT / "rollout").rglob("*.py"))
    here = ("rollout/host/", "rollout/cli/")
    kept = [one for one in rooms if not one.relative_to(ROOT).as_posix().startswith(here)]
    return sorted([ROOT / "function_app.py", *kept])


@pytest.mark.parametrize("path", deployed_modules(), ids=lambda path: path.stem)
def test_no_function_of_the_app_is_async(path: Path) -> None:
    """A plain function has a thread of its own; a coroutine that blocks stops its whole process."""
    tree = ast.parse(path.read_text())

    assert not [
        node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]
