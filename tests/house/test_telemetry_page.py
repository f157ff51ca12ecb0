"""What documents say of the controller's metrics and spans is what the code emits."""

import ast
import re

from rollout.signals import SIGNALS, SPANS
from tests.emulator.running import ROOT


def test_the_how_to_names_metrics_that_there_are() -> None:
    page = (ROOT / "docs/howto/observe.md").read_text()
    named = set(re.findall(r"^\| `(rollout\.[\w.]+)`", page, re.MULTILINE))

    assert named
    assert named <= set(SIGNALS)


def test_every_span_of_the_code_is_in_the_table() -> None:
    found = set[str]()
    for path in ("rollout/watched.py", "rollout/api/__init__.py", "rollout/wiring/doors.py"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Call):
                found |= set(_names(node))

    assert found == {name.partition(".")[0] for name in SPANS}


def _names(call: ast.Call) -> list[str]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    place = {"span": 0, "_at": 0, "watched": 1}.get(name)
    if place is None or len(call.args) <= place:
        return []
    given = call.args[place]
    if isinstance(given, ast.JoinedStr):
        given = given.values[0]
    told = given.value if isinstance(given, ast.Constant) else None
    return [told.partition(".")[0]] if isinstance(told, str) and told else []
