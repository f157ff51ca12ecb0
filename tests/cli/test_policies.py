"""Policies: checked here, pushed with what they name, and compared."""

import json
from pathlib import Path
from typing import Any

import pytest

from rollout.core.policy import Policy
from tests.cli.canned import Canned
from tests.cli.conftest import Shell

GOOD = """\
schema: 1
match: {endpoint: "churn-*"}
stages:
  - smoke: {requests: smoke/churn.jsonl}
  - canary: {weight: 50}
"""
CREATING = """\
start_on:
  - model_registered: {model: churn}
    create: {template: churn-deployment.txt}
    deployment: "churn-v{model_version}"
    endpoint: churn
"""
SMOKE = '{"body": {"x": 1}}\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies" / "smoke").mkdir(parents=True)
    (tmp_path / "policies" / "smoke" / "churn.jsonl").write_text(SMOKE)
    path = tmp_path / "policies" / "churn.yaml"
    path.write_text(GOOD)
    return path


def shown(**changes: Any) -> dict[str, Any]:
    told = {"name": "churn", "pushed": True, "text": GOOD, "normalised": {}, "version": "abc"}
    return {**told, "error": None, "warnings": ["ends at 50 %"], **changes}


def test_check_needs_no_controller(file: Path, canned: Canned, shell: Shell) -> None:
    canned.stop()

    done = shell.run("policy", "check", str(file))

    assert done.exit_code == 0
    assert done.stdout.startswith(f"{file}: ok, version ")


def test_check_tells_all_problems_with_their_place(file: Path, shell: Shell) -> None:
    file.write_text(GOOD.replace("weight: 50", "wait: 50") + "gards: []\n")

    done = shell.run("policy", "check", str(file))

    assert (done.exit_code, done.stdout) == (4, "")
    assert "gards" in done.stderr
    assert "wait" in done.stderr
    assert all(line.startswith(f"{file}:") for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("smoke", "told"), [(None, "there is no file"), ("{}\n", "churn.jsonl:1"), ("", "no smoke")]
)
def test_check_reads_the_smoke_requests_too(
    smoke: str | None, told: str, file: Path, shell: Shell
) -> None:
    beside = file.parent / "smoke" / "churn.jsonl"
    beside.unlink()
    if smoke is not None:
        beside.write_text(smoke)

    done = shell.run("policy", "check", str(file))

    assert done.exit_code == 4
    assert told in done.stderr


def test_check_has_json_for_good_and_bad(file: Path, shell: Shell) -> None:
    bad = file.parent / "bad.yaml"
    bad.write_text("stages: []\n")

    done = shell.run("policy", "check", str(file), str(bad), "--json")

    told = json.loads(done.stdout)["files"]
    assert done.exit_code == 4
    assert [(one["path"], one["ok"]) for one in told] == [(str(file), True), (str(bad), False)]


def test_schema_is_the_one_of_a_policy(canned: Canned, shell: Shell) -> None:
    canned.stop()

    done = shell.run("policy", "schema")

    assert json.loads(done.stdout) == Policy.model_json_schema(by_alias=True)


def test_push_sends_the_smoke_requests_along(file: Path, canned: Canned, shell: Shell) -> None:
    canned.says("PUT", "policies/churn", shown())
    (file.parent / "more.txt").write_text("more")

    done = shell.run("policy", "push", str(file), "--attach", str(file.parent / "more.txt"))

    assert canned.requests[0].body == {
        "text": GOOD,
        "attachments": {"smoke/churn.jsonl": SMOKE, "more.txt": "more"},
    }
    assert done.stdout == (
        "churn: pushed, version abc, with smoke/churn.jsonl, more.txt\n  warning: ends at 50 %\n"
    )
    assert done.stderr == f"controller: local, {canned.url}\n"


def test_push_sends_the_templates_of_deployments_along(
    file: Path, canned: Canned, shell: Shell
) -> None:
    canned.says("PUT", "policies/churn", shown())
    text = f"{GOOD}{CREATING}"
    file.write_text(text)
    (file.parent / "churn-deployment.txt").write_text("model: azureml:churn:{model_version}")

    shell.run("policy", "push", str(file))

    assert sorted(canned.requests[0].body["attachments"]) == [
        "churn-deployment.txt",
        "smoke/churn.jsonl",
    ]


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (None, "start_on: create: there is no file"),
        ("model: azureml:churn:{version}", "nothing brings {version}"),
        ("model: azureml:churn:{model_version}", "ok"),
    ],
)
def test_check_reads_the_templates_of_deployments(
    template: str | None, told: str, file: Path, shell: Shell
) -> None:
    file.write_text(f"{GOOD}{CREATING}")
    if template:
        (file.parent / "churn-deployment.txt").write_text(template)

    done = shell.run("policy", "check", str(file))

    assert told in done.stdout + done.stderr
    assert (done.exit_code == 0) == (told == "ok")


def test_push_refuses_a_file_that_is_not_beside(file: Path, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    file.write_text(GOOD.replace("smoke/churn.jsonl", "../secret"))

    done = shell.run("policy", "push", str(file))

    assert done.exit_code == 4
    assert "is not below the folder of churn.yaml" in done.stderr


def test_push_says_which_file_is_missing(file: Path, canned: Canned, shell: Shell) -> None:
    (file.parent / "smoke" / "churn.jsonl").unlink()

    done = shell.run("policy", "push", str(file))

    assert done.exit_code == 4
    assert f"where: {file.parent / 'smoke' / 'churn.jsonl'}" in done.stderr
    assert canned.requests == []


@pytest.mark.parametrize(
    "text", ["stages: [", "[]", "stages: {smoke: 1}", "stages: [1, {smoke: 2}]"]
)
def test_push_lets_the_controller_say_what_is_wrong(
    text: str, file: Path, canned: Canned, shell: Shell
) -> None:
    file.write_text(text)
    canned.refuses("PUT", "policies/churn", 422, "churn:1: broken")

    done = shell.run("policy", "push", str(file))

    assert done.exit_code == 4
    assert "rollout: churn:1: broken" in done.stderr


def test_list_shows_the_broken_ones_with_their_error(canned: Canned, shell: Shell) -> None:
    good = {"name": "churn", "pushed": True, "version": "abc", "match": "churn-*"}
    broken = {"name": "odd", "pushed": False, "version": None, "match": None, "error": "odd:1: no"}
    body = {"policies": [{**good, "error": None, "warnings": []}, {**broken, "warnings": []}]}
    canned.says("GET", "policies", body)

    done = shell.run("policy", "list")

    assert done.stdout == (
        "name   for      version  from\n"
        "churn  churn-*  abc      pushed\n"
        "odd                      deployed  broken, and left out: odd:1: no\n"
    )
    assert json.loads(shell.run("policy", "list", "--json").stdout) == body


def test_show_prints_the_text(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "policies/churn", shown())

    assert shell.run("policy", "show", "churn").stdout == GOOD
    assert json.loads(shell.run("policy", "show", "churn", "--json").stdout) == shown()


def test_diff_exits_0_where_nothing_differs(file: Path, canned: Canned, shell: Shell) -> None:
    canned.says("GET", "policies/churn", shown())

    done = shell.run("policy", "diff", "churn")

    assert (done.exit_code, done.stdout) == (0, "the same\n")


def test_diff_exits_1_and_shows_what_differs(file: Path, canned: Canned, shell: Shell) -> None:
    canned.says("GET", "policies/churn", shown(text=GOOD.replace("50", "10")))

    done = shell.run("policy", "diff", "churn", str(file))

    assert done.exit_code == 1
    assert done.stdout.startswith(f"--- churn (local)\n+++ {file}\n@@ ")
    assert "-  - canary: {weight: 10}\n+  - canary: {weight: 50}\n" in done.stdout
    assert json.loads(shell.run("policy", "diff", "churn", "--json").stdout)["differs"] is True


def test_check_names_places_that_are_not_in_the_setting_where_there_is_one(
    file: Path, shell: Shell
) -> None:
    file.write_text(file.read_text() + "\nhooks: [{confirm: gate}]\n")

    unsaid = shell.run("policy", "check", str(file))
    shell.environment["ROLLOUT_NOTIFY"] = "{}"
    told = shell.run("policy", "check", str(file))
    shell.environment["ROLLOUT_NOTIFY"] = "{"
    broken = shell.run("policy", "check", str(file))

    assert "gate" not in unsaid.output
    assert told.exit_code == 0
    assert "warning: hooks[0].confirm: the settings know no webhook place 'gate'" in told.stderr
    assert broken.exit_code == 4
    assert "where: ROLLOUT_NOTIFY" in broken.stderr
