"""What goes wrong: the exit code, and what is wrong, where, and what to do."""

import pytest

from tests.cli.canned import TOKEN, Canned
from tests.cli.conftest import Shell
from tests.cli.stories import a_view


def test_a_refusal_gives_reason_place_and_remedy(canned: Canned, shell: Shell) -> None:
    canned.refuses("POST", "rollouts/churn/pause", 409, "pause means nothing while promoted")

    done = shell.run("pause", "churn")

    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr == (
        f"controller: local, {canned.url}\n"
        "rollout: pause means nothing while promoted\n"
        f"  where: POST {canned.url}/api/rollouts/churn/pause (context local)\n"
        "  do:    see where it stands: rollout get churn\n"
    )


@pytest.mark.parametrize(
    ("words", "asked", "status", "remedy"),
    [
        ("get contoso/x", "GET rollouts/contoso~x", 404, "see what there is: rollout list"),
        ("policy show x", "GET policies/x", 404, "see what there is: rollout policy list"),
        ("keys status x", "GET keys/x", 404, "see what there is: rollout keys status"),
        ("skip contoso/x", "POST rollouts/contoso~x/skip", 409, "stands: rollout get contoso/x"),
        ("keys abort x", "POST keys/x/abort", 409, "stands: rollout keys status x"),
        ("start x green", "POST rollouts", 409, "see where it stands: rollout list"),
        (
            "dead-letters resend steps m",
            "POST dead-letters/steps/m/resend",
            404,
            "see what there is: rollout dead-letters list",
        ),
    ],
)
def test_the_remedy_is_of_what_was_asked_for(
    words: str, asked: str, status: int, remedy: str, canned: Canned, shell: Shell
) -> None:
    method, _, path = asked.partition(" ")
    canned.refuses(method, path, status, "no")

    done = shell.run(*words.split())

    assert done.exit_code == 4
    assert done.stderr.endswith(f"{remedy}\n")


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_every_no_is_a_refusal(status: int, canned: Canned, shell: Shell) -> None:
    canned.refuses("POST", "rollouts", status, "green has live traffic; start with --adopt")

    done = shell.run("start", "churn", "green", "--wait")

    assert done.exit_code == 4
    assert "rollout: green has live traffic; start with --adopt\n" in done.stderr


def test_all_problems_of_a_refusal_are_told(canned: Canned, shell: Shell) -> None:
    canned.refuses("GET", "rollouts/churn", 422, "churn:3: gards: unknown\nchurn:9: empty")

    done = shell.run("get", "churn")

    assert done.stderr.startswith(
        "rollout: churn:3: gards: unknown\n         churn:9: empty\n  where: GET "
    )


def test_what_azure_refuses_is_refused_and_not_asked_again(canned: Canned, shell: Shell) -> None:
    problem = {"type": "urn:rollout:problem:refused", "detail": "403: no role on the workspace"}
    canned.says("POST", "rollouts", problem, status=502)

    done = shell.run("start", "churn", "green")

    assert done.exit_code == 4
    assert "rollout: 403: no role on the workspace\n" in done.stderr
    assert len(canned.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_controller_that_cannot_answer_now_is_unreachable(
    status: int, canned: Canned, shell: Shell
) -> None:
    canned.refuses("GET", "rollouts", status, "the store is away")

    done = shell.run("list")

    assert done.exit_code == 5
    assert "rollout: the controller cannot answer now: the store is away\n" in done.stderr


def test_a_wrong_token_says_where_it_came_from(shell: Shell) -> None:
    token = shell.folder / ".rollout" / "token"
    token.write_text("another-secret")

    done = shell.run("list")

    assert done.exit_code == 4
    assert done.stderr.startswith("rollout: the token is not right\n")
    assert f"do:    see that the token is this controller's; it came from {token}" in done.stderr
    assert "another-secret" not in done.output


@pytest.mark.parametrize(
    "words", [("list",), ("get", "churn"), ("watch", "churn"), ("pause", "churn")]
)
def test_no_controller_there_is_unreachable(
    words: tuple[str, ...], canned: Canned, shell: Shell
) -> None:
    canned.stop()

    done = shell.run(*words)

    assert (done.exit_code, done.stdout) == (5, "")
    assert done.stderr.endswith(
        "rollout: the controller does not answer: no connection\n"
        f"  where: local, {canned.url}\n"
        "  do:    see that `rollout up` is still running, or start it again\n"
    )


def test_a_folder_without_a_controller_says_how_to_start_one(shell: Shell) -> None:
    (shell.folder / ".rollout" / "url").unlink()

    done = shell.run("list")

    assert done.exit_code == 5
    assert "rollout: no controller runs from this folder\n" in done.stderr
    assert "do:    start one: rollout up; or name one elsewhere: rollout context add" in done.stderr


@pytest.mark.parametrize("body", ["text", [], {"rollouts": {}}, {"rollouts": [{"id": "x"}]}])
def test_an_answer_that_is_not_a_controllers_is_unusable(
    body: object, canned: Canned, shell: Shell
) -> None:
    canned.says("GET", "rollouts", body)

    done = shell.run("list")

    assert done.exit_code == 5
    assert "the answer is not one of a controller that this program knows" in done.stderr


def test_the_token_does_not_follow_a_redirect(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "rollouts/churn", {}, status=307)

    done = shell.run("get", "churn")

    assert done.exit_code == 5
    assert "it points to elsewhere" in done.stderr
    assert len(canned.requests) == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://rollout.example.net", "use https"),
        (
            "https://anna:secret@rollout.example.net",  # pragma: allowlist secret
            "holds a name or a password",
        ),  # pragma: allowlist secret
        ("ftp://host", "is not an address"),
    ],
)
def test_a_token_is_sent_only_where_it_is_safe(url: str, told: str, shell: Shell) -> None:
    shell.environment |= {"ROLLOUT_URL": url, "ROLLOUT_TOKEN": TOKEN}

    done = shell.run("list")

    assert done.exit_code == 4
    assert told in done.stderr
    assert "anna:secret" not in done.stderr


def test_netrc_does_not_overrule_the_token(
    canned: Canned, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shell.folder / "netrc").write_text("machine 127.0.0.1 login anna password other\n")
    monkeypatch.setenv("NETRC", str(shell.folder / "netrc"))
    canned.shows([a_view()])

    assert shell.run("get", "churn").exit_code == 0


def test_a_command_line_that_is_not_understood_has_a_code_of_its_own(shell: Shell) -> None:
    for words in (("watch",), ("wach", "churn"), ("--frob",), ("watch", "churn", "--timeout", "x")):
        assert shell.run(*words).exit_code == 64, words


def test_an_abort_without_a_controller_names_the_way_that_needs_none(
    canned: Canned, shell: Shell
) -> None:
    canned.stop()

    done = shell.run("abort", "churn")

    assert (done.exit_code, done.stdout) == (5, "")
    assert done.stderr.endswith("if it cannot wait: rollout abort --direct S/RG/W/ENDPOINT\n")
