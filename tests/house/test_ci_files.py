"""The CI steps' files: what others may write goes through the environment, never into a script."""

import re
from typing import Any

import pytest
import yaml

from rollout.cli.app import rollout
from tests.emulator.running import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
TEMPLATE: dict[str, Any] = yaml.safe_load((ROOT / "ci/azure-pipelines.yml").read_text())
ACTION_STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]


def _template_steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = TEMPLATE["steps"]
    return [
        one for step in steps for one in ([step] if "bash" in step else next(iter(step.values())))
    ]


SCRIPTS = [one["run"] for one in ACTION_STEPS] + [one["bash"] for one in _template_steps()]


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_no_script_is_written_by_a_value(script: str) -> None:
    assert "${{" not in script
    assert re.findall(r"\$\([A-Za-z]+\.[\w.]+\)", script) == []  # a macro of Azure DevOps


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_every_variable_is_quoted(script: str) -> None:
    inner = re.sub(r"\$\{\w+:\+(\"[^\"]*\")\}", r"\1", script)
    inner = re.sub(r"\"\$\(([^()]*)\)\"", r"\1", inner)
    bare = re.sub(r'"[^"]*"|\'[^\']*\'', "", inner)

    assert re.findall(r"\$\w+|\$\{\w+", bare) == []


def test_every_step_names_its_shell_and_every_input_is_used() -> None:
    whole = (ROOT / "action.yml").read_text()

    assert [one["shell"] for one in ACTION_STEPS] == ["bash"] * 4
    assert ACTION["runs"]["using"] == "composite"
    used = set(re.findall(r"inputs\.([\w-]+)", whole))
    assert used == set(ACTION["inputs"])
    required = {name for name, one in ACTION["inputs"].items() if one.get("required")}
    assert required == {"endpoint", "deployment", "url", "token"}
    assert all(one["description"] for one in ACTION["inputs"].values())


def test_every_parameter_of_the_template_is_used() -> None:
    declared = {one["name"] for one in TEMPLATE["parameters"]}

    assert set(re.findall(r"parameters\.(\w+)", (ROOT / "ci/azure-pipelines.yml").read_text())) == (
        declared
    )


def test_the_outputs_are_those_that_a_step_tells() -> None:
    told = {one["id"]: one["run"] for one in ACTION_STEPS if "id" in one}

    assert ACTION["outputs"].keys() == {"rollout-id", "outcome"}
    for name, output in ACTION["outputs"].items():
        step, key = re.fullmatch(
            r"\$\{\{ steps\.(\w+)\.outputs\.([\w-]+) \}\}", output["value"]
        ).groups()  # type: ignore[union-attr]
        assert key == name
        assert f"{key}=" in told[step]


def test_the_options_of_the_scripts_exist() -> None:
    for script in SCRIPTS:
        for name, words in re.findall(r'bin/rollout" (\w+)((?:.|\\\n)*?) -- ', script):
            known = {option for one in rollout.commands[name].params for option in one.opts}
            asked = set(re.findall(r"--[a-z][\w-]*", words))
            assert asked
            assert asked <= known
