"""Whoever does not answer is not waited for: a canary that is smoked, an abort meanwhile."""

import time
from threading import Thread

import pytest

from tests.journeys.conftest import StageMaker
from tests.journeys.policies import CAREFUL
from tests.journeys.scripts import SILENT
from tests.journeys.stage import live
from tests.journeys.test_killed_at_random import LAUNCHER

pytestmark = pytest.mark.journey

FEW = 10
SECONDS_MAX = 3.0
PATIENT = {"requestSettings": {"requestTimeout": "PT90S", "maxConcurrentRequestsPerInstance": 200}}


def test_an_abort_does_not_wait_for_a_smoke_request(a_stage: StageMaker) -> None:
    stage = a_stage(CAREFUL, launcher=LAUNCHER, properties=PATIENT, green=SILENT)

    with stage.visited(FEW) as users:
        Thread(target=stage.start, args=("green",), daemon=True).start()
        stage.eventually(lambda: stage.phase("smoking"))
        begun = time.monotonic()
        aborted = stage.order("abort")
        took = time.monotonic() - begun
        stage.eventually(stage.outcome)
    outcome, found = stage.outcome(), stage.map
    stage.assert_whole()
    stage.controller.kill()  # asked to stop it waits for the answer

    assert aborted.status_code == 200, aborted.text
    assert (outcome, found) == ("aborted", live(blue=100))
    assert took < SECONDS_MAX
    assert not users.failed
