"""The data collector's files: where they are, what a line says, and whose ids a copy has."""

import json
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from emulator.scoring.collector import Collector
from emulator.scoring.messages import Inbound, Outcome

if TYPE_CHECKING:
    from emulator.arm.resources import Endpoint

NOON = 1_767_268_830.0
ON = {"dataCollectionMode": "Enabled"}
ASKED = Inbound("POST", "/score", {}, b'{"n": 4}')


def written(folder: Path, told: object, outcome: Outcome) -> list[Path]:
    collector = Collector(folder, lambda: NOON, Random(1))
    blue = SimpleNamespace(name="blue", properties={"dataCollector": told})
    endpoint = SimpleNamespace(name="churn", deployments={"blue": blue})
    for _ in range(100):
        collector.write(cast("Endpoint", endpoint), ASKED, outcome, "r1")
    return sorted(folder.rglob("*.jsonl"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


GOOD = Outcome(200, b'{"label": 3}', deployment="blue")


def test_each_collection_has_its_file_by_the_hour(tmp_path: Path) -> None:
    told = {"collections": {"response": ON, "model_inputs": ON}}

    inputs, response = written(tmp_path, told, GOOD)

    assert response.parent == tmp_path / "churn/blue/response/2026/01/01/12"
    assert lines(response)[0]["data"] == {"label": 3}
    assert lines(inputs)[0]["data"] == [{"n": 4}]
    one = lines(response)[0]
    assert (one["time"], one["correlationid"], one["xrequestid"]) == (
        "2026-01-01T12:00:30Z",
        "r1",
        "r1",
    )


@pytest.mark.parametrize(
    ("rate", "folder"), [("Day", "2026/01/01"), ("Minute", "2026/01/01/12/00")]
)
def test_the_folders_roll_as_the_deployment_says(tmp_path: Path, rate: str, folder: str) -> None:
    told = {"collections": {"response": ON}, "rollingRate": rate}

    (path,) = written(tmp_path, told, GOOD)

    assert path.parent == tmp_path / "churn/blue/response" / folder


def test_a_part_is_taken_where_a_part_is_wanted(tmp_path: Path) -> None:
    told = {"collections": {"response": {**ON, "samplingRate": 0.3}}}

    (path,) = written(tmp_path, told, GOOD)

    assert 10 < len(lines(path)) < 60


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (None, GOOD),
        ({"collections": {"response": {"dataCollectionMode": "Disabled"}}}, GOOD),
        ({"collections": {"response": ON}}, Outcome(424, b"no", deployment="blue")),
        ({"collections": {"response": ON}}, Outcome(404, b"no", deployment="")),
    ],
)
def test_what_is_off_or_no_answer_is_not_written(
    tmp_path: Path, told: object, outcome: Outcome
) -> None:
    assert written(tmp_path, told, outcome) == []
