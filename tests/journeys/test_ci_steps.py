"""The GitHub Action and the Azure DevOps template, by their own scripts, against a controller."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rollout.cli.markdown import plain
from tests.journeys.ci_steps import (
    Runner,
    Step,
    azure,
    azure_steps,
    cancel,
    github,
    github_steps,
)
from tests.journeys.conftest import StageMaker
from tests.journeys.policies import STEADY
from tests.journeys.scripts import BETTER
from tests.journeys.stage import Stage

pytestmark = pytest.mark.journey

FEW = 10
FAILS = BETTER.replace("n = json", 'raise ValueError("no")\n    n = json')
SMOKED = STEADY.replace("stages:", "stages:\n  - smoke: {requests: smoke/numbers.jsonl}")
SECRET_SHOWN = "the token stands in a log"  # pragma: allowlist secret
HOSTILE = "$(touch hacked) `touch hacked` \"; touch hacked; ' ##vso[task.complete] | <b>"

SYSTEMS = [(github, github_steps), (azure, azure_steps)]


def test_a_job_ends_as_its_rollout_ends(a_stage: StageMaker, tmp_path: Path) -> None:
    stage = a_stage(SMOKED, green=BETTER, bad=FAILS)
    (on_github, github_job), (on_azure, azure_job) = (
        (_runner(make, stage, tmp_path / make.__name__), steps()) for make, steps in SYSTEMS
    )

    with stage.visited(FEW):
        _assert_rolled_back(on_github, stage, *github_job)
        _assert_promoted(on_azure, stage, *azure_job)
        queued = partial(_assert_taken_from_the_queue, on_azure, stage, *azure_job)
        first = _assert_aborted(on_github, stage, *github_job, beside=queued)
        second = _assert_aborted(on_azure, stage, *azure_job)  # the same again, while watched

    assert first != second
    assert list(tmp_path.rglob("hacked")) == []
    token = (stage.controller.data / "token").read_text().strip()
    shown = [*on_github.said, *on_azure.said, *(one.read_text() for one in tmp_path.glob("*/log"))]
    assert all(token not in one for one in shown), SECRET_SHOWN


def _runner(make: Callable[..., Runner], stage: Stage, temp: Path) -> Runner:
    temp.mkdir()
    token = (stage.controller.data / "token").read_text().strip()
    where = {"endpoint": stage.name, "url": stage.controller.url, "token": token}
    return make(temp, deployment="bad", why=HOSTILE, **where)


def _assert_rolled_back(
    runner: Runner, stage: Stage, install: Step, start: Step, tell: Step, _: Step
) -> None:
    assert runner.run(install) == 0, runner.said
    assert runner.run(start) == 1, runner.said
    assert runner.run(tell) == 0
    assert_told(runner, stage, "rolled_back")


def _assert_promoted(
    runner: Runner, stage: Stage, install: Step, start: Step, tell: Step, _: Step
) -> None:
    assert runner.run(install) == 0, runner.said
    running = runner.rolling_out("green").begin(start)
    for here in ("canary 20 %", "bake 100 %"):
        stage.eventually(lambda wanted=here: stage.at(wanted))  # type: ignore[misc]
        assert stage.order("promote").status_code == 200
    assert running.wait(60) == 0, (runner.temp / "log").read_text()
    assert runner.run(tell) == 0
    assert_told(runner, stage, "promoted")


def _assert_aborted(
    runner: Runner,
    stage: Stage,
    _: Step,
    start: Step,
    tell: Step,
    abort: Step,
    *,
    beside: Callable[[], None] = lambda: None,
) -> str:
    _fresh(runner.temp)
    job = runner.rolling_out("blue")
    running = job.begin(start)
    stage.eventually(lambda: stage.at("canary 20 %"))
    beside()
    cancel(running)
    assert runner.run(tell) == 0
    assert_told(runner, stage, "interrupted", explained=False)
    assert job.run(abort) == 0, runner.said
    stage.eventually(lambda: stage.outcome() == "aborted")
    assert job.run(abort) == 0, runner.said  # what is over already is no mistake
    return str(stage.view["id"])


def _assert_taken_from_the_queue(
    runner: Runner, stage: Stage, _: Step, start: Step, tell: Step, abort: Step
) -> None:
    """A job that is cancelled while its start waits behind another's rollout, which goes on."""
    _fresh(runner.temp)
    job, goes_on = runner.rolling_out("bad"), stage.view["id"]
    running = job.begin(start)
    stage.eventually(lambda: stage.view["queued"] == "bad")
    cancel(running)
    assert runner.run(tell) == 0
    assert job.run(abort) == 0, runner.said
    assert "the start of bad is cancelled by anna" in runner.said[-1]
    assert (stage.view["queued"], stage.view["id"]) == (None, goes_on)
    assert stage.outcome() is None


def assert_told(runner: Runner, stage: Stage, outcome: str, *, explained: bool = True) -> None:
    """The outputs name the rollout and its outcome; the summary has plan and explanation."""
    rollout_id = stage.view["id"]
    summary = (
        next(iter(runner.temp.rglob("summary.md")), None) or runner.temp / "rollout/rollout.md"
    )
    page = summary.read_text()
    if "GITHUB_OUTPUT" in runner.variables:
        told = (runner.temp / "github_output").read_text().splitlines()
        assert sorted(told) == [f"outcome={outcome}", f"rollout-id={rollout_id}"]
    else:
        variable = "##vso[task.setvariable variable={};isOutput=true]{}"
        assert runner.said[-1].splitlines() == [
            variable.format("outcome", outcome),
            variable.format("rolloutId", rollout_id),
            f"##vso[task.uploadsummary]{summary}",
        ]
    assert "### Plan: numbers&#64;" in page or "There is no plan" in page
    if explained:
        assert f"Rollout {plain(rollout_id)}" in page
        assert "anna asked for the start" in page
        assert "<b>" not in page


def _fresh(temp: Path) -> None:
    """As the next job finds it."""
    for name in ("github_output", "summary.md", "rollout/outputs", "rollout/rollout.md"):
        (temp / name).unlink(missing_ok=True)
