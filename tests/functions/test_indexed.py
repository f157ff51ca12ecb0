"""What Microsoft's own runtime tells the platform of the app, as it would be deployed."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.functions.conftest import settings
from tests.functions.deployment import IGNORED, ROOT
from tests.functions.doors import ANSWER, ASKED, DRIVEN, TRIGGERS
from tests.functions.runtime import IndexingFailed, Runtime, functions_python, running_runtime

KEPT = ("LICENSE", "policies", "rollout")
BROKEN = {
    "a missing import": ("import rollouts\n", "No module named 'rollouts'"),
    "two functions of one name": (
        '@app.route("other")\ndef health(req: func.HttpRequest) -> func.HttpResponse: ...\n',
        "health",
    ),
    "a door without a trigger": (
        '@app.function_name("lost")\ndef lost() -> None: ...\n',
        "lost",
    ),
    "a second app": ("other = func.FunctionApp()\n", "More than one FunctionApp"),
}


def test_every_door_is_indexed_and_nothing_else_is(runtime: Runtime) -> None:
    assert set(runtime.functions) == set(TRIGGERS)


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_door_is_bound_to_its_trigger_and_to_nothing_more(runtime: Runtime, name: str) -> None:
    answers = [ANSWER] if name in ASKED else []

    assert runtime.functions[name].bindings == [TRIGGERS[name], *answers]


@pytest.mark.parametrize("name", TRIGGERS)
def test_no_door_is_retried_by_the_platform(runtime: Runtime, name: str) -> None:
    """A retry policy would multiply with the queue's own redelivery."""
    assert not runtime.functions[name].retries


@pytest.mark.parametrize("name", DRIVEN)
def test_a_door_without_a_caller_takes_one_thing_at_a_time(runtime: Runtime, name: str) -> None:
    trigger = runtime.functions[name].trigger

    assert str(trigger.get("cardinality", "one")).lower() == "one"
    assert trigger.get("autoCompleteMessages", True) is True
    assert not trigger.get("runOnStartup")


@pytest.mark.parametrize("fault", BROKEN)
def test_an_app_that_cannot_be_indexed_is_no_empty_app(
    package: Path, tmp_path: Path, fault: str
) -> None:
    """On Azure such a deployment succeeds and has no function; here it is told, with the place."""
    added, told = BROKEN[fault]
    text = (package / "function_app.py").read_text()
    (tmp_path / "function_app.py").write_text(text + "\n\n" + added)
    (tmp_path / "rollout").symlink_to(package / "rollout")

    with (
        pytest.raises(IndexingFailed, match=told),
        running_runtime(tmp_path, tmp_path / "worker.log", **settings(tmp_path)) as broken,
    ):
        assert broken.functions


# -- what is deployed ------------------------------------------------------------------------------


def test_the_package_has_the_controller_and_nothing_of_its_surroundings(package: Path) -> None:
    top = {path.name for path in package.iterdir()}
    rooms = {path.name for path in (package / "rollout").iterdir()}

    assert top == {*("function_app.py", "host.json", "requirements.txt"), *KEPT}
    assert {"api", "core", "analysis", "adapters", "wiring"} <= rooms
    assert not rooms & {"cli", "host", "__main__.py", "__pycache__"}


def test_packages_that_were_installed_for_azure_are_deployed() -> None:
    assert not IGNORED.match_file(".python_packages/lib/site-packages/yaml/__init__.py")


def test_the_runtime_under_test_is_the_one_that_azure_is_told_to_run() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    [pinned] = [line for line in lines if line.startswith("azure-functions-runtime")]

    packages = functions_python().parents[1].glob("lib/python*/site-packages/*.dist-info")

    name, _, wanted = pinned.partition("==")
    assert f"{name.replace('-', '_')}-{wanted}.dist-info" in {path.name for path in packages}


def test_what_azure_installs_is_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {*project["dependencies"], *project["optional-dependencies"]["azure"]}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    installed = {line for line in lines if line and not line.startswith("#")}

    assert {one for one in installed if not one.startswith("azure-functions-runtime")} <= declared
    assert version("azure-functions")
