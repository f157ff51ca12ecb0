"""Key Vault by Microsoft's own client: the challenge, and what each refusal means."""

import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from rollout.adapters.azure.key_vault import KeyVaultSecrets
from rollout.errors import Refused, RolloutError, Unavailable
from tests.adapters.recorded import TOKEN, TokenOfNobody
from tests.adapters.vault import Vault, a_vault

KEY = SecretStr("a-very-secret-key")
EXPIRES = datetime(2031, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with a_vault(tmp_path) as stand_in:
        yield stand_in


@pytest.fixture
def secrets(vault: Vault) -> Iterator[KeyVaultSecrets]:
    adapter = KeyVaultSecrets(vault.url, TokenOfNobody(), transport=vault.transport)
    yield adapter
    adapter.close()


def test_the_value_is_sent_only_after_the_challenge(vault: Vault, secrets: KeyVaultSecrets) -> None:
    secrets.publish("churn-key", KEY, EXPIRES, {"key": "primary"})

    assert vault.challenged == 1
    assert vault.asked == ["PUT /secrets/churn-key"]
    kept = vault.secrets["churn-key"][0]
    assert kept["attributes"]["exp"] == int(EXPIRES.timestamp())
    assert kept["tags"] == {"key": "primary"}


def test_a_vault_that_names_another_resource_is_given_no_token(tmp_path: Path) -> None:
    with a_vault(tmp_path) as vault:
        elsewhere = vault.url.replace("vault.test", "vault.example")
        secrets = KeyVaultSecrets(elsewhere, TokenOfNobody(), transport=vault.transport)

        with pytest.raises(Refused, match="no vault of that address answers"):
            secrets.current("churn-key")

    assert vault.asked == []


@pytest.mark.parametrize(
    ("status", "code", "reaction", "told"),
    [
        (403, "Forbidden", Refused, "Key Vault Secrets Officer"),
        (400, "BadParameter", Refused, "400 BadParameter"),
        (429, "Throttled", Unavailable, "429 Throttled"),
        (503, "Busy", Unavailable, "503 Busy"),
    ],
)
def test_a_refusal_has_its_reaction_and_shows_no_secret(
    vault: Vault,
    secrets: KeyVaultSecrets,
    status: int,
    code: str,
    reaction: type[RolloutError],
    told: str,
) -> None:
    vault.refuse = (status, code, {"Retry-After": "7"})

    with pytest.raises(reaction) as error:
        secrets.publish("churn-key", KEY, EXPIRES, {})

    text = str(error.value)
    assert told in text
    assert KEY.get_secret_value() not in text
    assert TOKEN not in "".join(traceback.format_exception(error.value))
    if isinstance(error.value, Unavailable):
        assert error.value.after == timedelta(seconds=7)


@pytest.mark.parametrize(("headers", "writes", "reads"), [({}, 1, 3), ({"Retry-After": "1"}, 1, 1)])
def test_a_write_is_sent_once_and_no_named_time_is_slept_away(
    vault: Vault, secrets: KeyVaultSecrets, headers: dict[str, str], writes: int, reads: int
) -> None:
    vault.refuse = (503, "Busy", headers)

    with pytest.raises(Unavailable):
        secrets.publish("churn-key", KEY, EXPIRES, {})
    written = vault.refused
    with pytest.raises(Unavailable):
        secrets.current("churn-key")

    assert (written, vault.refused - written) == (writes, reads)
