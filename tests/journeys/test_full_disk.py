"""The disk is full, really: only ways back go out, and all goes on when there is room again."""

import signal
from itertools import cycle

import pytest
import requests

from tests.journeys.conftest import StageMaker
from tests.journeys.crowded import LAUNCHER, LIMITED, OWN_DISK
from tests.journeys.policies import STEADY
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage, live

pytestmark = pytest.mark.journey

FEW = 10
FIRST, START = live(blue=80, green=20), live(blue=100)
TOLD = {OWN_DISK: "database or disk is full; make room", LIMITED: "see that the disk is there"}


def on_a_small_disk(a_stage: StageMaker) -> Stage:
    stage = a_stage(STEADY, up=False, launcher=LAUNCHER, green=BETTER)
    stage.controller.data.mkdir()
    (stage.controller.data / "token").write_text("kept beside the disk")
    (stage.controller.data / "token").chmod(0o600)
    stage.controller.start()
    return stage


def tell(stage: Stage, number: int) -> None:
    assert stage.controller.process
    stage.controller.process.send_signal(number)


def ask_while_full(stage: Stage) -> tuple[list[requests.Response], requests.Response]:
    """What is no way back, asked until the disk has taken the last that it could; then an abort."""
    tell(stage, signal.SIGUSR1)
    words = cycle(("pause", "resume"))
    stage.eventually(lambda: stage.order(next(words)).status_code == 503)
    refused = [stage.order("pause"), stage.order("skip"), stage.order("promote")]
    return refused, stage.order("abort", why="complaints")


def test_a_full_disk_lets_ways_back_out_and_nothing_else(a_stage: StageMaker) -> None:
    stage = on_a_small_disk(a_stage)

    with stage.visited(FEW) as users:
        assert stage.start("green").status_code == 201
        stage.eventually(lambda: stage.at("canary 20 %"))
        refused, aborted = ask_while_full(stage)
        sent, saved = stage.writes, stage.outcome()
        tell(stage, signal.SIGUSR2)
        stage.eventually(stage.outcome)
        again = stage.start("green", key="again")

    disk = stage.controller.log.splitlines()[0]
    assert [one.status_code for one in refused] == [503] * 3
    assert all(TOLD[disk] in one.json()["detail"] for one in refused), refused[0].text
    assert aborted.status_code == 200, aborted.text
    assert "the endpoint's tags tell who asked" in aborted.json()["decided"]
    assert (sent, saved) == ([FIRST, START], None)
    assert stage.outcome() == "aborted", stage.report()
    assert again.status_code == 202, again.text  # the endpoint is watched first
    assert stage.different_writes == [FIRST, START]
    stage.assert_whole()
    assert not users.failed
