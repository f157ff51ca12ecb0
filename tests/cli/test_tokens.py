"""Tokens of named callers on the command line: made once, kept as digests, revoked."""

import hashlib
import json
import re
import stat
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from rollout.adapters.azure import identity
from rollout.core.callers import parse_tokens
from tests.cli.canned import TOKEN, Canned
from tests.cli.conftest import Shell
from tests.cli.stories import a_view

NAMED = "rollout_" + "x" * 43


def test_a_token_is_shown_once_and_only_its_digest_is_kept(shell: Shell) -> None:
    done = shell.run("token", "new", "--name", "ci", "--role", "operator")

    token = done.stdout.strip()
    file = shell.folder / ".rollout" / "tokens"
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert re.fullmatch(r"rollout_[\w-]{43}", token)
    assert file.read_text() == f"ci:operator:{digest}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in done.stderr


def test_an_entry_for_a_setting_is_printed_and_nothing_is_kept(shell: Shell) -> None:
    done = shell.run("token", "new", "--name", "ci", "--role", "reader", "--for-setting", "--json")

    told = json.loads(done.stdout)
    (entry,) = parse_tokens(told["entry"])
    assert (entry.name, entry.role) == ("ci", "reader")
    assert entry.sha256 == hashlib.sha256(told["token"].encode()).hexdigest()
    assert not (shell.folder / ".rollout" / "tokens").exists()


def test_tokens_are_listed_and_revoked(shell: Shell) -> None:
    for name, role in (("ci", "operator"), ("anna@contoso.com", "approver")):
        shell.run("token", "new", "--name", name, "--role", role)

    listed = shell.run("token", "list")
    revoked = shell.run("token", "revoke", "ci")
    after = json.loads(shell.run("token", "list", "--json").stdout)

    assert listed.stdout.splitlines() == ["ci  operator", "anna@contoso.com  approver"]
    assert (revoked.exit_code, revoked.stdout) == (0, "revoked ci\n")
    assert after == {"tokens": [{"name": "anna@contoso.com", "role": "approver"}]}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("new", "--name", "ci", "--role", "reader"), "there is a token of ci already"),
        (("new", "--name", "a b", "--role", "reader"), "cannot be the name of a token"),
        (("new", "--name", "x:admin", "--role", "reader"), "cannot be the name of a token"),
        (("revoke", "dora"), "there is no token of dora; there are: ci"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_changes(
    shell: Shell, words: tuple[str, ...], told: str
) -> None:
    shell.run("token", "new", "--name", "ci", "--role", "operator")
    before = (shell.folder / ".rollout" / "tokens").read_text()

    done = shell.run("token", *words)

    assert (done.exit_code, told in done.stderr) == (4, True)
    assert (shell.folder / ".rollout" / "tokens").read_text() == before


def test_a_broken_file_of_tokens_is_not_written_over(shell: Shell) -> None:
    (shell.folder / ".rollout" / "tokens").write_text("what is this\n")

    done = shell.run("token", "new", "--name", "ci", "--role", "operator")

    assert done.exit_code == 4
    assert (shell.folder / ".rollout" / "tokens").read_text() == "what is this\n"


# -- who asks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "words", "who"),
    [
        (TOKEN, ("--as", "berta"), "berta"),
        (NAMED, (), None),
        (NAMED, ("--as", "berta"), "berta"),
    ],
)
def test_a_token_with_a_name_says_who_asks(
    shell: Shell, canned: Canned, token: str, words: tuple[str, ...], who: str | None
) -> None:
    canned.token = token
    (shell.folder / ".rollout" / "token").write_text(token)
    canned.says("POST", "rollouts/churn/pause", {"decided": "paused", "rollout": a_view()})

    done = shell.run("pause", "churn", *words)

    assert done.exit_code == 0, done.stderr
    assert canned.requests[0].body["who"] == who


class SignedIn:
    """Whoever has signed in on this machine; each token is another one."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> Any:
        self.asked.extend(scopes)
        return identity.EmulatorCredential().get_token()


def test_a_context_of_entra_shows_an_access_token_and_needs_no_name(
    shell: Shell, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = SignedIn()
    monkeypatch.setattr(identity, "developer", lambda: signed_in)
    canned.token = "emulator"
    canned.says("POST", "rollouts/churn/pause", {"decided": "paused", "rollout": a_view()})
    shell.run("context", "add", "team", canned.url, "--entra", "api://rollout", "--use")

    done = shell.run("pause", "churn")

    assert done.exit_code == 0, done.stderr
    assert signed_in.asked == ["api://rollout/.default"]
    assert canned.requests[0].body["who"] is None


def test_where_nobody_has_signed_in_the_remedy_is_to_sign_in(
    shell: Shell, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Nobody:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            raise ClientAuthenticationError("no token of anybody")

    monkeypatch.setattr(identity, "developer", Nobody)
    shell.run("context", "add", "team", canned.url, "--entra", "api://rollout", "--use")

    done = shell.run("list")

    assert done.exit_code == 4
    assert "az login --scope api://rollout/.default" in done.stderr


@pytest.mark.parametrize("given", [(), ("--entra", "a", "--token-env", "B")])
def test_a_context_has_one_way_to_a_token(shell: Shell, given: tuple[str, ...]) -> None:
    done = shell.run("context", "add", "team", "https://rollout.example.net", *given)

    assert done.exit_code == 4
    assert "one of them" in done.stderr


def test_a_role_that_is_missing_is_told_with_the_remedy(shell: Shell, canned: Canned) -> None:
    problem = {
        "type": "urn:rollout:problem:forbidden",
        "title": "The caller may not",
        "status": 403,
        "detail": "this needs the role approver; ci has: operator",
    }
    canned.says("POST", "rollouts/churn/approve", problem, status=403)

    done = shell.run("approve", "churn")

    assert done.exit_code == 4
    assert "this needs the role approver; ci has: operator" in done.stderr
    assert "ask whoever runs this controller for that role" in done.stderr
