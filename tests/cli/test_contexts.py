"""Which controller is meant, and that its token stays where it is."""

import json
import stat

import pytest

from tests.cli.canned import TOKEN, Canned
from tests.cli.conftest import Shell

AWAY = "https://rollout.example.net"


@pytest.fixture
def token_file(shell: Shell) -> str:
    path = shell.folder / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return str(path)


def test_a_named_controller_is_talked_to(canned: Canned, shell: Shell, token_file: str) -> None:
    (shell.folder / ".rollout" / "url").unlink()
    canned.says("GET", "rollouts", {"rollouts": []})

    added = shell.run("context", "add", "prod", canned.url, "--token-file", token_file, "--use")

    assert added.stdout == f"added prod: {canned.url}, token from file {token_file}\n"
    assert shell.run("list").exit_code == 0


def test_the_file_is_its_owners_alone_and_holds_no_token(shell: Shell, token_file: str) -> None:
    shell.run("context", "add", "prod", AWAY, "--token-file", token_file)

    path = shell.folder / "config" / "contexts.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert TOKEN not in path.read_text()
    assert [one.name for one in path.parent.iterdir()] == ["contexts.json"]


def test_contexts_are_listed_used_and_removed(shell: Shell, token_file: str) -> None:
    shell.run("context", "add", "prod", f"{AWAY}/api/", "--token-file", token_file)
    shell.run("context", "add", "ci", AWAY, "--token-env", "CI_TOKEN", "--use")

    listed = shell.run("context", "list").stdout.splitlines()
    assert [" ".join(line.split()) for line in listed] == [
        "local what `rollout up` started in this folder",
        f"prod {AWAY} file {token_file}",
        f"→ ci {AWAY} variable CI_TOKEN",
    ]
    assert shell.run("context", "use", "prod").stdout == "using prod\n"
    assert json.loads(shell.run("context", "list", "--json").stdout)["current"] == "prod"
    assert shell.run("context", "remove", "prod").stdout == "removed prod\n"
    assert json.loads(shell.run("context", "list", "--json").stdout) == {
        "current": "local",
        "contexts": {"ci": {"url": AWAY, "token_env": "CI_TOKEN"}},
    }


def test_a_context_is_chosen_for_one_command(canned: Canned, shell: Shell) -> None:
    shell.run("context", "add", "ci", canned.url, "--token-env", "CI_TOKEN")
    shell.environment["CI_TOKEN"] = TOKEN
    canned.refuses("POST", "rollouts/churn/abort", 409, "no")

    done = shell.run("abort", "churn", "--context", "ci")

    assert done.stderr.startswith(f"controller: ci, {canned.url}\n")


def test_the_environment_goes_before_the_chosen_context(canned: Canned, shell: Shell) -> None:
    shell.run("context", "add", "ci", AWAY, "--token-env", "CI_TOKEN", "--use")
    shell.environment |= {"ROLLOUT_URL": canned.url, "ROLLOUT_TOKEN": TOKEN}
    canned.says("GET", "rollouts", {"rollouts": []})

    assert shell.run("list").exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("use", "nowhere"), "there is no context 'nowhere'; there are: local"),
        (("remove", "local"), "local is always there"),
        (("add", "local", AWAY, "--token-env", "X"), "local is always the controller on this"),
        (("add", "prod", AWAY), "where is its token?"),
        (("add", "prod", "http://example.net", "--token-env", "X"), "readable by all on the way"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], told: str, shell: Shell) -> None:
    done = shell.run("context", *words)

    assert done.exit_code == 4
    assert told in done.stderr


def test_an_unknown_context_names_the_known_ones(shell: Shell) -> None:
    done = shell.run("list", "--context", "nowhere")

    assert done.exit_code == 4
    assert "there is no context 'nowhere'; there are: local" in done.stderr


def test_a_context_without_its_variable_says_so(shell: Shell) -> None:
    shell.run("context", "add", "ci", AWAY, "--token-env", "CI_TOKEN", "--use")

    done = shell.run("list")

    assert done.exit_code == 4
    assert "context ci has no token: the variable CI_TOKEN is empty or not set" in done.stderr


def test_a_broken_file_of_contexts_says_where_it_is(shell: Shell) -> None:
    path = shell.folder / "config" / "contexts.json"
    path.parent.mkdir()
    path.write_text("{")

    done = shell.run("list")

    assert done.exit_code == 4
    assert f"where: {path}" in done.stderr


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_token_that_others_can_read_is_warned_of(mode: int, canned: Canned, shell: Shell) -> None:
    token = shell.folder / ".rollout" / "token"
    token.chmod(mode)
    canned.says("GET", "rollouts", {"rollouts": []})

    done = shell.run("list", "--json")

    assert done.stderr == f"warning: others can read {token}; run: chmod 600 {token}\n"
    assert json.loads(done.stdout) == {"rollouts": []}
