"""Pairs of answers that the platform writes down, and copies that it does not count."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.running import EmulatorHandle, running_emulator
from tests.journeys.conftest import StageMaker
from tests.journeys.controller import SPEED
from tests.journeys.policies import CAREFUL
from tests.journeys.scripts import BAD, BETTER, GOOD
from tests.journeys.stage import Stage, live, mirrored

pytestmark = pytest.mark.journey

MISLABELS = BETTER.replace('"twice": 2 * n', '"twice": 2 * n + (n % 4 == 0)')
"""Fast, without a failure, and wrong on every fourth number."""
COLLECTED = {"dataCollector": {"collections": {"response": {"dataCollectionMode": "Enabled"}}}}
ON_MIRROR = [mirrored(50, "green", blue=100), live(blue=100)]


def compared(source: str, more: str = "") -> str:
    """The careful policy with agreement, short enough where nothing can be measured."""
    agreement = f"""
agreement:
  source: {source}
  requests: samples/numbers.jsonl
  collection: {{name: response}}
  compare: {{label: {{path: twice}}}}
  keep_answers: true
"""
    guard = "  - {metric: disagreement_rate, at_most: 0.05}\n"
    return CAREFUL + guard + agreement + more


UNAGREED = CAREFUL + "source: metrics\non_not_measured: roll_back\n"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("azure")


@pytest.fixture(scope="module")
def azure(collected: Path) -> Iterator[EmulatorHandle]:
    """One that keeps what data collectors write."""
    flags = ("--grain-seconds", str(60 / SPEED), "--routing", "blocks", "--seed", "1")
    with running_emulator(*flags, "--data", str(collected)) as handle:
        yield handle


@pytest.fixture(autouse=True)
def as_usual(azure: EmulatorHandle) -> Iterator[None]:
    yield
    azure.switch(mirror_in_metrics=True, mirror_in_logs=True, mirror_same_request_id=True)


def with_samples(stage: Stage) -> Stage:
    """Recorded requests beside the policies, for the prober."""
    folder = stage.controller.policies / "samples"
    folder.mkdir()
    lines = [json.dumps({"id": f"n{n}", "body": {"n": n}}) for n in range(900)]
    (folder / "numbers.jsonl").write_text("\n".join(lines))
    stage.controller.start()
    return stage


def ended(stage: Stage) -> str:
    """What `explain` says when it is over, in one line."""
    with stage.visited() as users:
        done = stage.controller.cli("start", stage.name, "green", "--wait", "--as", "anna")
    assert done.returncode in {0, 1}, done.stdout + done.stderr + stage.report()
    assert not users.failed
    return " ".join(stage.controller.cli("explain", stage.name).stdout.split())


def test_what_the_collector_wrote_of_copies_stops_a_canary_that_is_wrong(
    a_stage: StageMaker, collected: Path
) -> None:
    settings = {"ROLLOUT_COLLECTOR": str(collected / "modelDataCollector")}
    made = a_stage(
        compared("auto"), up=False, settings=settings, properties=COLLECTED, green=MISLABELS
    )
    stage = with_samples(made)

    told = ended(stage)

    assert stage.writes == ON_MIRROR
    assert "pairs of answers from the data collector" in told
    assert "answers differ" in told
    kept = stage.controller.cli("disagreements", stage.name).stdout
    assert "to live requests and their copies, by the data collector" in kept
    rows = kept.splitlines()[2:]
    assert rows
    assert all(int(line.split()[1]) % 2 for line in rows)


def test_rows_of_the_log_are_joined_by_their_ids(
    a_stage: StageMaker, azure: EmulatorHandle
) -> None:
    logs = {
        "ROLLOUT_LOGS_WORKSPACE": "any",
        "ROLLOUT_LOGS_URL": azure.url,
        "ROLLOUT_LOGS_LAG_MINUTES": "1",
    }
    guard = "  - {metric: disagreement_rate, at_most: 0.05}\n"
    agreement = "agreement: {source: logs, compare: {status: {}}, keep_answers: true}\n"
    careful = CAREFUL.replace("{metric: error_rate, worse_by_ratio: 1.25,", "{metric: error_rate,")
    watched = careful.replace("worse_by_points: 0.01, severity: fail", "at_most: 0.9")
    stage = a_stage(watched + guard + agreement, settings=logs, green=BAD)

    told = ended(stage)

    assert stage.writes == ON_MIRROR
    assert "pairs of answers from the traffic log" in told
    kept = stage.controller.cli("disagreements", stage.name).stdout
    assert "status 424" in kept
    assert "status 200" in kept


def test_copies_that_are_not_counted_and_do_not_join_leave_it_to_the_prober(
    a_stage: StageMaker, azure: EmulatorHandle, collected: Path
) -> None:
    azure.switch(mirror_in_metrics=False, mirror_in_logs=False, mirror_same_request_id=False)
    settings = {"ROLLOUT_COLLECTOR": str(collected / "modelDataCollector")}
    text = "\n".join(
        line
        for line in compared("auto", "source: metrics\n").splitlines()
        if "- canary" not in line
    )
    made = a_stage(text, up=False, settings=settings, properties=COLLECTED, green=BETTER)
    stage = with_samples(made)

    told = ended(stage)

    assert stage.outcome() == "promoted", stage.report()
    assert "pairs of answers from the prober" in told
    assert "none joins" in told
    assert "mirrored requests do not appear in metrics here" in told
    assert "(by recorded requests)" in told


def test_copies_that_nobody_counts_are_not_measured_and_never_pass(
    a_stage: StageMaker, azure: EmulatorHandle
) -> None:
    azure.switch(mirror_in_metrics=False, mirror_in_logs=False)
    stage = a_stage(UNAGREED.replace("longest_minutes: 30", "longest_minutes: 6", 1), green=GOOD)

    told = ended(stage)

    assert stage.writes == ON_MIRROR
    assert "mirrored requests do not appear in metrics here" in told
    assert "not measured" in told
