"""Azure at its worst: busy, stale, throttled, with lost operations; rollouts still end right."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import STEADY, UNMIRRORED
from tests.journeys.scripts import BAD, BETTER
from tests.journeys.stage import Stage, live

pytestmark = pytest.mark.journey

FAULTS: dict[str, object] = {
    "operation_seconds": 1.5,
    "stale_read_seconds": 2,
    "throttle_rate": 0.1,
    "lost_operation_status": True,
}
FEW = 10
NO_FAULTS: dict[str, object] = {
    "operation_seconds": 0.3,
    "stale_read_seconds": 0,
    "throttle_rate": 0,
    "lost_operation_status": False,
}


@contextmanager
def trouble(stage: Stage) -> Iterator[None]:
    stage.emulator.switch(**FAULTS)
    try:
        yield
    finally:
        stage.emulator.switch(**NO_FAULTS)


def started(stage: Stage) -> bool:
    """Ask until it is heard: the answer to a start may be that Azure is throttling."""
    answer = stage.start("green")
    assert answer.status_code in {201, 503}, answer.text
    return answer.ok


def test_a_good_canary_is_promoted_in_spite_of_azure(a_stage: StageMaker) -> None:
    stage = a_stage(UNMIRRORED, green=BETTER)

    with stage.visited() as users, trouble(stage):
        stage.eventually(lambda: started(stage))
        stage.eventually(stage.outcome, seconds=150)

    assert stage.outcome() == "promoted", stage.report()
    assert stage.different_writes == [
        live(blue=70, green=30),
        live(blue=40, green=60),
        live(green=100),
    ]
    assert not users.failed


def test_a_bad_canary_is_rolled_back_in_spite_of_azure(a_stage: StageMaker) -> None:
    stage = a_stage(UNMIRRORED, green=BAD)

    with stage.visited(bad={"green"}), trouble(stage):
        stage.eventually(lambda: started(stage))
        stage.eventually(stage.outcome, seconds=120)

    assert stage.outcome() == "rolled_back", stage.report()
    assert stage.different_writes == [live(blue=70, green=30), live(blue=100)]
    assert stage.map == live(blue=100)


def test_a_rollback_gets_through_while_azure_is_busy_with_someone_else(
    a_stage: StageMaker,
) -> None:
    stage = a_stage(
        UNMIRRORED.replace("shortest_minutes: 1,", "shortest_minutes: 25,"), green=BETTER
    )

    with stage.visited():
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.at("canary 30 %"))
        stage.emulator.switch(slow_patch_seconds=5)
        tags = {"tags": {"seen": "yes"}}
        stage.emulator.arm("PATCH", f"/onlineEndpoints/{stage.name}", tags)
        assert stage.order("abort").status_code == 200
        stage.eventually(stage.outcome)
    stage.emulator.switch(slow_patch_seconds=0)

    refused = stage.emulator.own("requests")["by_status"].get("409", 0)
    assert refused >= 2
    assert stage.outcome() == "aborted"
    assert stage.writes == [live(blue=70, green=30), live(blue=100)]
    assert stage.map == live(blue=100)


def test_an_azure_that_is_away_for_a_while_is_waited_for(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY, green=BETTER)

    with stage.visited(FEW) as users:
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.at("canary 20 %"))
        stage.emulator.switch(arm_down=True)
        trouble = stage.eventually(lambda: stage.view["trouble"])
        stage.emulator.switch(arm_down=False, metrics_down=True)
        stage.eventually(lambda: stage.phase("holding"))
        held = stage.view["waits_for"]
        stage.emulator.switch(metrics_down=False)
        stage.eventually(lambda: stage.at("canary 20 %"))

    assert "503" in trouble
    assert held.startswith("no metrics for ")
    assert stage.writes == [live(blue=80, green=20)]
    assert not users.failed
