"""Connections cut in the middle of an answer, and a stranger's certificate in Azure's place."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emulator.running import EmulatorHandle
from tests.journeys.controller import Controller
from tests.journeys.line import Line, a_line
from tests.journeys.policies import STEADY, write_policies
from tests.journeys.scripts import BETTER, GOOD
from tests.journeys.stage import Stage, live

pytestmark = pytest.mark.journey

FEW = 10


@pytest.fixture
def line_and_stage(azure: EmulatorHandle, tmp_path: Path) -> Iterator[tuple[Line, Stage]]:
    """A controller that reaches the emulator over a line of its own."""
    with a_line(azure.url, tmp_path / "line") as (line, trusted):
        write_policies(tmp_path / "policies", numbers=STEADY)
        controller = Controller(
            replace(azure, url=line.url),
            tmp_path / "data",
            tmp_path / "policies",
            variables={"REQUESTS_CA_BUNDLE": str(trusted)},
        )
        stage = Stage(azure, tmp_path, f"line-{tmp_path.name[-1]}", controller)
        stage.build(blue=GOOD, green=BETTER)
        controller.start()
        yield line, stage
        controller.stop()


def _cut(line: Line) -> None:
    line.becomes(cut=True)


def _stranger(line: Line) -> None:
    line.becomes(stranger=True)


@pytest.mark.parametrize(
    ("worsen", "told"),
    [(_cut, "the answer breaks off"), (_stranger, "certificate is not trusted")],
    ids=["cut in the middle of an answer", "a stranger's certificate"],
)
def test_a_bad_line_to_azure_is_named_and_costs_only_time(
    line_and_stage: tuple[Line, Stage], worsen: Callable[[Line], None], told: str
) -> None:
    line, stage = line_and_stage

    with stage.visited(FEW) as users:
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.at("canary 20 %"))
        worsen(line)
        trouble = stage.eventually(lambda: stage.view.get("trouble"))
        aborted = stage.order("abort")
        line.becomes()
        stage.eventually(stage.outcome)

    assert told in trouble, trouble
    assert aborted.status_code == 200, aborted.text
    assert line.answers_cut + line.refused
    assert stage.outcome() == "aborted", stage.report()
    assert stage.different_writes == [live(blue=80, green=20), live(blue=100)]
    assert stage.map == live(blue=100)
    assert not users.failed
    stage.assert_whole()
