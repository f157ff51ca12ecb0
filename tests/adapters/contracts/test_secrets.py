"""What every place of secrets promises, on each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from rollout.adapters.azure.key_vault import KeyVaultSecrets
from rollout.adapters.secret_file import SecretFile
from rollout.key_ports import Secrets
from tests.adapters.recorded import TokenOfNobody
from tests.adapters.vault import a_vault
from tests.fakes import FakeClock, FakeSecrets

EXPIRES = datetime(2031, 5, 6, 7, tzinfo=UTC)
TAGS = {"endpoint": "ml/churn", "key": "primary"}
ONE, TWO = SecretStr("first-key"), SecretStr("second-key")


def _in_memory(_: Path, __: ExitStack) -> Secrets:
    return FakeSecrets(FakeClock())


def _in_a_file(folder: Path, _: ExitStack) -> Secrets:
    return SecretFile(folder / "secrets.json", FakeClock())


def _in_key_vault(folder: Path, stack: ExitStack) -> Secrets:
    vault = stack.enter_context(a_vault(folder))
    secrets = KeyVaultSecrets(vault.url, TokenOfNobody(), transport=vault.transport)
    stack.callback(secrets.close)
    return secrets


@pytest.fixture(params=[_in_memory, _in_a_file, _in_key_vault])
def secrets(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Secrets]:
    make: Callable[[Path, ExitStack], Secrets] = request.param
    with ExitStack() as stack:
        yield make(tmp_path, stack)


def test_where_nothing_is_there_is_no_version(secrets: Secrets) -> None:
    assert secrets.current("churn-key") is None


def test_what_is_published_is_the_current_version_with_all_that_goes_with_it(
    secrets: Secrets,
) -> None:
    written = secrets.publish("churn-key", ONE, EXPIRES, TAGS)
    found = secrets.current("churn-key")

    assert found == written
    assert found is not None
    assert (found.value, found.expires_at, found.tags) == (ONE, EXPIRES, TAGS)
    assert found.created_at.utcoffset() == timedelta(0)


def test_a_newer_version_takes_the_place_of_the_older(secrets: Secrets) -> None:
    first = secrets.publish("churn-key", ONE, EXPIRES, {})
    second = secrets.publish("churn-key", TWO, EXPIRES, {})
    found = secrets.current("churn-key")

    assert found == second
    assert first.id != second.id
    assert first.created_at <= second.created_at


def test_one_secret_is_not_another(secrets: Secrets) -> None:
    secrets.publish("churn-key", ONE, EXPIRES, {})

    assert secrets.current("fraud-key") is None


def test_what_is_written_once_stays(secrets: Secrets) -> None:
    first = secrets.once("installation", ONE)
    again = secrets.once("installation", TWO)

    assert (first, again) == (ONE, ONE)


def test_once_is_the_first_version_however_many_follow(secrets: Secrets) -> None:
    secrets.once("installation", ONE)
    for number in range(4):
        secrets.publish("installation", SecretStr(f"later-{number}"), EXPIRES, {})

    assert secrets.once("installation", TWO) == ONE


def test_no_text_shows_a_value(secrets: Secrets) -> None:
    written = secrets.publish("churn-key", ONE, EXPIRES, {})

    assert ONE.get_secret_value() not in f"{written!r} {written} {secrets!r}"
