"""No storm breaks a promise; with STORMS=500 also everything that can occur has to occur."""

import os
from pathlib import Path

import pytest

from tests.simulation.cells import CELLS
from tests.simulation.census import Census
from tests.simulation.ledger import kept_storms
from tests.simulation.many import ENOUGH, Result, storms
from tests.simulation.report import told
from tests.simulation.storm import COUNTED, Storm, weather
from tools.mutations.planted import PLANTED, Planted
from tools.mutations.trial import ROOT, plant

SEEDS = range(int(os.environ.get("STORMS", "60")))


@pytest.fixture(scope="module")
def result() -> Result:
    return storms(SEEDS)


def test_no_promise_is_broken_in_any_storm(result: Result) -> None:
    assert not result.broken, told(result)


@pytest.mark.skipif(len(SEEDS) < ENOUGH, reason="too few storms for every transition")
def test_every_fault_phase_and_transition_has_occurred(result: Result) -> None:
    """Each cell of the table once in fair weather too: what strikes may keep a storm from it."""
    calm = [weather(Storm(0, cell, ())) for cell in CELLS]
    census = Census()
    census.add(result.census)
    for one in calm:
        census.add(one.census)

    assert [one.broken for one in calm if one.broken] == []
    assert census.never(sorted(COUNTED)) == []


def test_a_long_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    first = kept_storms(range(100, 103), path, 0)
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept + '{"code": "cut o', encoding="utf-8")

    again = kept_storms(range(100, 103), path, 0)

    assert again == first
    assert (first.seeds, first.broken) == (3, [])
    assert first.census == storms(range(100, 103), 0).census
    assert path.read_text(encoding="utf-8").startswith(kept)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_fault_still_finds_its_place(planted: Planted, tmp_path: Path) -> None:
    copy = tmp_path / planted.file
    copy.parent.mkdir(parents=True)
    before = (ROOT / planted.file).read_text(encoding="utf-8")
    copy.write_text(before, encoding="utf-8")

    plant(planted, tmp_path)

    after = copy.read_text(encoding="utf-8")
    assert after != before
    compile(after, planted.file, "exec")
