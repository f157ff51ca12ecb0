"""Plans and replays: here without a controller, or with what the controller knows."""

import json
from pathlib import Path
from typing import Any

import pytest

from rollout.core.policy_text import parse_policy
from rollout.rehearsal.plan import foretell
from rollout.rehearsal.traffic import given
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.rehearsal.builders import a_recording, legs_of

POLICY = """\
schema: 1
match: {endpoint: "churn-*"}
stages:
  - canary: {weight: 5, shortest_minutes: 5}
  - canary: {weight: 50, shortest_minutes: 5}
  - bake: {shortest_minutes: 5}
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.0005}
"""
NUMBERS = ("--rps", "40", "--error-rate", "0.004")
GOOD = a_recording(legs_of((5, 8), (50, 8), (100, 8))).model_dump_json()
BAD = a_recording(legs_of((5, 8), (50, 8), rate=0.2)).model_dump_json()
SHORT = a_recording(legs_of((5, 3))).model_dump_json()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "churn.yaml").write_text(POLICY)
    return "churn.yaml"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "minutes.json"
    path.write_text(GOOD)
    return path


def a_plan() -> dict[str, Any]:
    plan = foretell(parse_policy(POLICY, "churn"), "policy", given(40, 0.004), "contoso/churn")
    counted = plan.traffic.model_copy(update={"baseline": "blue", "minutes": 120, "phi": 1.6})
    return plan.model_copy(update={"traffic": counted}).model_dump(mode="json")


# -- plan ------------------------------------------------------------------------------------------


def test_a_plan_of_a_file_and_numbers_needs_no_controller(
    file: str, canned: Canned, shell: Shell
) -> None:
    canned.stop()
    (shell.folder / ".rollout" / "url").unlink()

    done = shell.run("plan", file, *NUMBERS)

    assert done.exit_code == 0, done.stderr
    assert (
        "2,400 requests a minute, 0.4 % fail: as given; metrics two minutes behind" in done.stdout
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["canary", "5", "%", "minute", "0", "minute", "7", "to", "60", "840"] in rows
    assert ["fails", "every", "request", "100", "%", "3", "360", "requests"] in rows
    for title in ("At risk", "What it cannot see", "What to change"):
        assert f"\n{title}\n" in done.stdout


def test_a_plan_of_an_endpoint_sends_the_file(file: str, canned: Canned, shell: Shell) -> None:
    canned.says("POST", "plans", a_plan())

    done = shell.run("plan", file, "--endpoint", "churn")

    assert done.exit_code == 0
    assert canned.requests[-1].body == {"text": POLICY, "endpoint": "churn"}
    assert done.stdout.startswith(f"churn@{a_plan()['version']} on contoso/churn\n")
    assert "scattered 1.6 times as much as by chance: counted on blue over 120" in done.stdout


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (("--endpoint", "churn"), {"policy": "churn", "endpoint": "churn"}),
        (NUMBERS, {"policy": "churn", "rps": 40, "error_rate": 0.004}),
    ],
)
def test_a_plan_of_a_policy_the_controller_has(
    words: tuple[str, ...], sent: dict[str, Any], canned: Canned, shell: Shell
) -> None:
    canned.says("POST", "plans", a_plan())

    done = shell.run("plan", "churn", *words, "--json")

    assert canned.requests[-1].body == sent
    assert json.loads(done.stdout)["policy"] == "churn"


def test_a_plan_has_json_here_too(file: str, shell: Shell) -> None:
    done = shell.run("plan", file, *NUMBERS, "--json")

    assert json.loads(done.stdout)["sees"][-1]["detection"] == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 64, "give --endpoint, or both --rps and --error-rate"),
        (("--rps", "4"), 64, "give --endpoint, or both --rps and --error-rate"),
        (("--endpoint", "churn", "--rps", "4"), 64, "leave out --rps and --error-rate"),
        (("--rps", "many", "--error-rate", "0"), 64, "'many' is not a valid float"),
        (("--rps", "0", "--error-rate", "0.1"), 4, "rps: 0 is no traffic"),
        (("--rps", "4", "--error-rate", "5"), 4, "error_rate: 5 is not from 0 to 1"),
    ],
)
def test_a_plan_that_cannot_be_made(
    words: tuple[str, ...], code: int, told: str, file: str, shell: Shell
) -> None:
    done = shell.run("plan", file, *words)

    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr


def test_a_file_that_is_not_there_is_no_name(shell: Shell) -> None:
    done = shell.run("plan", "policies/churn.yaml", *NUMBERS)

    assert done.exit_code == 4
    assert "there is no file policies/churn.yaml" in done.stderr


@pytest.mark.parametrize(
    "words", [("plan", *NUMBERS), ("plan", "--endpoint", "churn"), ("replay", "--rollout", "churn")]
)
def test_a_broken_file_is_told_with_all_its_mistakes(
    words: tuple[str, ...], file: str, canned: Canned, shell: Shell
) -> None:
    Path(file).write_text(POLICY.replace("weight: 5,", "wait: 5,") + "gards: []\n")

    done = shell.run(words[0], file, *words[1:])

    assert done.exit_code == 4
    assert "churn.yaml:9: gards" in done.stderr
    assert "wait" in done.stderr
    assert canned.requests == []


def test_what_the_controller_refuses_is_told(file: str, canned: Canned, shell: Shell) -> None:
    silent = "contoso/churn: blue has answered no request in the last 120 minutes"
    canned.refuses("POST", "plans", 422, silent)

    done = shell.run("plan", file, "--endpoint", "churn")

    assert done.exit_code == 4
    assert silent in done.stderr


# -- replay ----------------------------------------------------------------------------------------


def test_a_replay_of_files_needs_no_controller(
    file: str, history: Path, canned: Canned, shell: Shell
) -> None:
    canned.stop()
    (shell.folder / ".rollout" / "url").unlink()

    done = shell.run("replay", file, "--history", str(history))

    assert done.exit_code == 0, done.stderr
    assert "12:07:00  7       passed  canary 5 %" in done.stdout
    assert "\nWould have been promoted in minute 23\n" in done.stdout
    assert "is not invented" in done.stdout


@pytest.mark.parametrize(("text", "code"), [(GOOD, 0), (BAD, 1), (SHORT, 2)])
def test_a_replay_ends_as_the_rollout_would_have(
    text: str, code: int, file: str, history: Path, shell: Shell
) -> None:
    history.write_text(text)

    done = shell.run("replay", file, "--history", str(history), "--json")

    assert done.exit_code == code
    assert json.loads(done.stdout)["moments"] == [] or code != 2


def test_a_record_that_does_not_tell_its_kind_is_told_it(
    file: str, history: Path, shell: Shell
) -> None:
    """502 and 504 are failures on a Kubernetes endpoint alone."""
    history.write_text(BAD.replace('"424"', '"502"'))

    managed = shell.run("replay", file, "--history", str(history))
    kubernetes = shell.run("replay", file, "--history", str(history), "--kubernetes")

    assert managed.exit_code == 0
    assert kubernetes.exit_code == 1, kubernetes.stderr


def test_a_replay_of_a_rollout_asks_the_controller(file: str, canned: Canned, shell: Shell) -> None:
    canned.says("GET", "rollouts/contoso~churn/minutes", json.loads(BAD))

    done = shell.run("replay", file, "--rollout", "contoso/churn")

    assert done.exit_code == 1
    assert "Would have been rolled back in minute 3" in done.stdout


def test_a_replay_of_a_policy_the_controller_has(
    history: Path, canned: Canned, shell: Shell
) -> None:
    canned.says("GET", "policies/churn", {"name": "churn", "text": POLICY})

    assert shell.run("replay", "churn", "--history", str(history)).exit_code == 0


def test_the_minutes_are_written_as_they_are_read(
    file: str, history: Path, canned: Canned, shell: Shell
) -> None:
    canned.says("GET", "rollouts/churn/minutes", json.loads(GOOD))

    history.write_text(shell.run("minutes", "churn").stdout)

    assert shell.run("replay", file, "--history", str(history)).exit_code == 0


@pytest.mark.parametrize("words", [(), ("--history", "minutes.json", "--rollout", "churn")])
def test_a_replay_has_one_record(
    words: tuple[str, ...], file: str, history: Path, shell: Shell
) -> None:
    assert history.exists()

    done = shell.run("replay", file, *words)

    assert done.exit_code == 64
    assert "give either --history FILE or --rollout REF" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "not JSON"),
        ("{}", "not a recording"),
        (GOOD.replace('"424":1', '"424":-1', 1), "-1 answers under 424: a count is 0 or more"),
        (a_recording(()).model_dump_json(), "no minute in which the canary had a share"),
    ],
)
def test_a_record_that_cannot_be_read(
    text: str, told: str, file: str, history: Path, shell: Shell
) -> None:
    history.write_text(text)

    done = shell.run("replay", file, "--history", str(history))

    assert (done.exit_code, done.stdout) == (4, "")
    assert told in done.stderr


def test_a_strange_answer_is_no_record(file: str, canned: Canned, shell: Shell) -> None:
    canned.says("GET", "rollouts/churn/minutes", {"minutes": "none"})

    assert shell.run("replay", file, "--rollout", "churn").exit_code == 5
