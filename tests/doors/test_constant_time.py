"""A secret is compared in one time, whatever of it was guessed, and wherever it stands."""

import hmac
from collections.abc import Callable, Mapping

import pytest
from pydantic import SecretStr

from rollout.api import callers
from rollout.api.callers import Check, Locks
from rollout.api.exchange import Request
from rollout.core.callers import LocalToken, Role
from rollout.errors import Denied
from rollout.settings import Settings
from tests.simulation.world import CHURN

SECRETS = ("the-first-of-the-secrets", "another-one-that-is-longer-than-the-first")
DIGEST_LENGTH = 64

SHOWN: Mapping[str, tuple[Check, Callable[[str], dict[str, str]]]] = {
    "token": (callers.token, lambda guess: {"authorization": f"Bearer {guess}"}),
    "event_grid": (callers.event_grid, lambda guess: {"x-rollout-token": guess}),
    "github": (callers.github, lambda guess: {"x-hub-signature-256": f"sha256={guess}"}),
    "azure_devops": (callers.azure_devops, lambda guess: {"x-rollout-secret": guess}),
}


def _locks() -> Locks:
    first, second = map(SecretStr, SECRETS)
    settings = Settings(
        api_token=first,
        workspaces=(CHURN.in_workspace,),
        github_secret=first,
        github_secret_next=second,
        azure_devops_secret=first,
        azure_devops_secret_next=second,
        tokens=(LocalToken.of("anna", Role.READER, SECRETS[1]),),
    )
    return Locks(settings)


def _compared(
    monkeypatch: pytest.MonkeyPatch, check: Check, headers: dict[str, str]
) -> list[tuple[int, int]]:
    """The lengths of all that was compared, for that guess."""
    lengths = list[tuple[int, int]]()
    compare = hmac.compare_digest

    def noted(one: str, other: str) -> bool:
        lengths.append((len(one), len(other)))
        return compare(one, other)

    with monkeypatch.context() as patched:
        patched.setattr(hmac, "compare_digest", noted)
        with pytest.raises(Denied):
            check(_locks(), Request("POST", headers=headers, body=b"{}"))
    return lengths


@pytest.mark.parametrize("door", SHOWN)
def test_every_guess_is_compared_whole_with_every_secret(
    monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    check, header = SHOWN[door]
    guesses = ("x", SECRETS[0][:-1], SECRETS[0] + "x", "y" * 5000)

    found = [_compared(monkeypatch, check, header(guess)) for guess in guesses]

    assert found == [[(DIGEST_LENGTH, DIGEST_LENGTH)] * 2] * len(guesses)
