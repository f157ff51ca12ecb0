"""The reference says what the code has."""

import re
from pathlib import Path

from emulator.options import _parser
from emulator.switches import FIELDS
from tests.emulator.running import ROOT

PAGE = (ROOT / "docs" / "reference" / "emulator.md").read_text()


def table(page: str, heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table after `heading`, without its head."""
    lines = page[page.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    return rows


def test_the_switch_table_is_the_codes() -> None:
    written = [
        (f"`{name}`", _shown(f.default), f.metadata["unit"], f.metadata["means"])
        for name, f in FIELDS.items()
    ]

    assert table(PAGE, "## Switches") == written


def test_every_flag_is_written_down() -> None:
    flags = {one.option_strings[-1] for one in _parser()._actions} - {"--help"}

    assert {re.split(r"[ `]", row[0].strip("`"))[0] for row in table(PAGE, "## Start")} == flags


def test_every_module_opens_with_one_sentence() -> None:
    for module in Path(ROOT / "emulator").rglob("*.py"):
        assert module.read_text().startswith('"""'), module


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return str(default) or "none"
