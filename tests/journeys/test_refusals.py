"""What cannot be is refused: what is wrong, where, what to do; and nothing is changed."""

from dataclasses import replace
from subprocess import CompletedProcess

import pytest
import requests

from tests.journeys.conftest import StageMaker
from tests.journeys.controller import free_port
from tests.journeys.policies import STEADY
from tests.journeys.scripts import BETTER, BROKEN, SLOW_TO_START
from tests.journeys.stage import Stage

pytestmark = pytest.mark.journey

PROBLEM = "application/problem+json"


def assert_refused(
    stage: Stage, answer: requests.Response, status: int, *told: str, writes: int = 0
) -> None:
    """It is a problem that tells all of that, and Azure was asked for nothing."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM), answer.text
    problem = answer.json()
    assert problem["status"] == status
    assert [one for one in told if one not in problem["detail"]] == []
    assert stage.emulator.own("requests")["writes"] == writes


def assert_exit(done: CompletedProcess[str], code: int, *told: str) -> None:
    """The command line says the same, says where, and ends with that code."""
    assert done.returncode == code, done.stdout + done.stderr
    assert [one for one in ("where:", *told) if one not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_does_not_exist(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY)
    elsewhere = replace(stage, name="nowhere")

    answer = elsewhere.start("green")
    done = stage.controller.cli("start", "nowhere", "green")

    assert_refused(stage, answer, 404, "nowhere")
    assert_exit(done, 4, "nowhere", "do:    see what there is: rollout list")


def test_a_deployment_that_does_not_exist(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY)

    answer = stage.start("gren")
    done = stage.controller.cli("start", stage.name, "gren")

    told = (f"{stage.name} has no deployment 'gren': it has blue", "create it first")
    assert_refused(stage, answer, 422, *told)
    assert_exit(done, 4, *told)


def test_a_deployment_that_has_failed(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY)
    assert stage.deploy("green", BROKEN) == "Failed"
    stage.forget_requests()

    answer = stage.start("green")
    done = stage.controller.cli("start", stage.name, "green", "--wait")

    assert_refused(stage, answer, 422, "green is Failed: create it again, then start")
    assert_exit(done, 4, "green is Failed: create it again, then start")


def test_a_deployment_that_never_gets_ready(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY)
    assert stage.begin_deploy("green", SLOW_TO_START).status_code == 201

    done = stage.controller.cli("start", stage.name, "green", "--wait")

    assert done.returncode == 4, done.stdout + done.stderr
    assert "green was not ready within 2 minutes: it is Creating" in done.stdout
    assert stage.outcome() == "refused"
    assert stage.writes == []


def test_two_live_deployments_and_no_baseline_named(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY, red=BETTER, green=BETTER)
    stage.set_by_hand(blue=60, red=40)
    stage.forget_requests()

    answer = stage.start("green")
    done = stage.controller.cli("start", stage.name, "green")

    told = ("more than one deployment is live (blue 60 %, red 40 %)", "baseline, in the policy")
    assert_refused(stage, answer, 422, *told)
    assert_exit(done, 4, *told)


def test_another_rollout_that_lets_no_newer_one_wait(a_stage: StageMaker) -> None:
    stage = a_stage(f"{STEADY}on_newer: refuse\n", red=BETTER, green=BETTER)
    assert stage.start("green").status_code == 201
    stage.eventually(lambda: stage.phase("measuring", "holding"))
    stage.forget_requests()

    answer = stage.start("red", key="another")
    done = stage.controller.cli("start", stage.name, "red")

    told = "is live and its policy refuses newer deployments"
    assert_refused(stage, answer, 409, told, stage.view["id"])
    assert_exit(done, 4, told, "do:    see where it stands: rollout list")
    assert stage.view["canary"] == "green"


def test_what_is_not_a_request_to_start(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY)

    wrong_key = stage.start("green", deplyment="green")
    no_object = stage.controller.ask("POST", "rollouts", ["green"])
    wrong_token = stage.controller.ask("GET", "rollouts", Authorization="Bearer wrong")
    no_policy = stage.start("green", policy="nobody")
    done = stage.controller.cli("list", ROLLOUT_URL=stage.controller.url, ROLLOUT_TOKEN="wrong")

    assert_refused(stage, wrong_key, 400, "deplyment: unknown key; did you mean deployment?")
    assert_refused(stage, no_object, 400, "the body must be a JSON object; known keys: endpoint")
    assert_refused(stage, wrong_token, 401, "send the header Authorization: Bearer TOKEN")
    assert_refused(stage, no_policy, 404, "nobody")
    assert_exit(done, 4, "token")


def test_a_broken_policy_disables_itself_only(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY, green=BETTER)
    broken = f"{STEADY}gards: []\n".replace('endpoint: "*"', f"endpoint: {stage.name}")
    (stage.controller.policies / "broken.yaml").write_text(broken)

    named = stage.start("green", policy="broken")
    listed = stage.controller.cli("policy", "list")

    assert_refused(stage, named, 422, "broken", "gards: unknown key", "guards")
    assert "gards: unknown key" in listed.stdout
    started = stage.start("green", key="another")
    assert (started.status_code, started.json()["policy"]) == (201, "numbers")


def test_an_azure_that_cannot_be_reached(a_stage: StageMaker) -> None:
    stage = a_stage(STEADY, up=False)
    nobody = f"http://127.0.0.1:{free_port()}"
    lost = replace(stage.controller, emulator=replace(stage.emulator, url=nobody))
    stage.controller = lost
    lost.start()

    answer = stage.start("green")
    done = lost.cli("start", stage.name, "green", seconds=60)
    lost.stop()
    silent = lost.cli("list", seconds=60)

    assert_refused(stage, answer, 503, nobody, "no answer")
    assert int(answer.headers["Retry-After"]) > 0
    assert_exit(done, 5, "no answer", "try again in a minute")
    assert silent.returncode == 5
    assert "rollout up" in silent.stderr
