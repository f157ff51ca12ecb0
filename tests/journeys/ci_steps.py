"""The steps of action.yml and of the Azure DevOps template, run as their own files write them."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tests.emulator.running import ROOT
from tests.journeys.controller import environment

ACTION, TEMPLATE = ROOT / "action.yml", ROOT / "ci/azure-pipelines.yml"
STEP_SECONDS = 120
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_MACRO = re.compile(r"\$\(([\w.]+)\)")

Values = Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """One script, and what it is given by its environment."""

    title: str
    script: str
    env: Mapping[str, str]
    when: str


@dataclass
class Runner:
    """What a CI system knows, and runs steps with."""

    temp: Path
    known: Values
    """Values of expressions and macros by their names."""
    variables: Values
    """What the system puts into every step's environment."""
    said: list[str] = field(default_factory=list)

    def rolling_out(self, deployment: str) -> "Runner":
        """The same with another deployment, in another run."""
        named = {name: deployment for name in self.known if name.endswith(".deployment")}
        return replace(self, known={**self.known, **named}, said=self.said)

    def command(self, step: Step) -> tuple[list[str], dict[str, str]]:
        path = self.temp / "step.sh"
        path.write_text(step.script)
        given = {name: self._filled(value) for name, value in step.env.items()}
        # The packages that are installed here stand in for those that pip would fetch.
        offline = {
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # which says that there is to be none
            "PIP_IGNORE_INSTALLED": "1",
        }
        every = environment(**offline, **self.variables, **given)
        return ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(path)], every

    def run(self, step: Step) -> int:
        words, given = self.command(step)
        done = subprocess.run(
            words, env=given, cwd=self.temp, timeout=STEP_SECONDS, capture_output=True, check=False
        )
        self.said.append((done.stdout + done.stderr).decode())
        return done.returncode

    def begin(self, step: Step) -> subprocess.Popen[bytes]:
        """Run it beside, in a group of its own."""
        words, given = self.command(step)
        log = (self.temp / "log").open("wb")
        return subprocess.Popen(
            words, env=given, cwd=self.temp, stdout=log, stderr=log, start_new_session=True
        )

    def _filled(self, text: str) -> str:
        whole = _EXPRESSION.sub(lambda found: self._value(found[1].strip()), text)
        return _MACRO.sub(lambda found: self.known[found[1]], whole)

    def _value(self, expression: str) -> str:
        """`a || b` is the first that is not empty."""
        names = [one.strip() for one in expression.split("||")]
        return next((self.known[name] for name in names if self.known[name]), "")


def cancel(process: subprocess.Popen[bytes]) -> None:
    """End a step as a CI system does that has lost its patience."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def github(temp: Path, **inputs: str) -> Runner:
    declared = yaml.safe_load(ACTION.read_text())["inputs"]
    assert inputs.keys() <= declared.keys() | {name.replace("-", "_") for name in declared}
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    values = {name: given.get(name, one.get("default", "")) for name, one in declared.items()}
    known = {f"inputs.{name}": value for name, value in values.items()}
    known |= {"github.action_path": str(ROOT), "github.actor": "anna", "runner.temp": str(temp)}
    variables = {
        "GITHUB_RUN_ID": "41",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_OUTPUT": str(temp / "github_output"),
        "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
    }
    known["inputs.python"] = sys.executable
    return Runner(temp, known, variables)


def github_steps() -> list[Step]:
    return [
        Step(one["name"], one["run"], one.get("env", {}), one.get("if", "success()"))
        for one in yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    ]


def azure(temp: Path, **parameters: str) -> Runner:
    declared = {one["name"]: one for one in yaml.safe_load(TEMPLATE.read_text())["parameters"]}
    assert parameters.keys() <= declared.keys()
    known = {
        f"parameters.{name}": str(parameters.get(name, one.get("default", "")))
        for name, one in declared.items()
    }
    known |= {
        "Agent.TempDirectory": str(temp),
        "Build.RequestedFor": "anna",
        "parameters.python": sys.executable,
        "parameters.source": str(ROOT),
    }
    return Runner(temp, known, {"BUILD_BUILDID": "42", "SYSTEM_JOBATTEMPT": "1"})


def azure_steps() -> list[Step]:
    return [
        Step(one["displayName"], one["bash"], one["env"], one.get("condition", "succeeded()"))
        for one in _unfolded(yaml.safe_load(TEMPLATE.read_text())["steps"])
    ]


def _unfolded(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Conditional insertions as if their conditions held."""
    for step in steps:
        if "bash" in step:
            yield step
        else:
            for kept in step.values():
                yield from kept
