"""The file of secrets: who may read it, and what a crash or a second writer does to it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from rollout.adapters.secret_file import VERSIONS_MAX, SecretFile
from rollout.errors import Refused, Unavailable
from tests.fakes import NOON, FakeClock

KEY = SecretStr("a-very-secret-key")
LATER = NOON + timedelta(days=90)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secrets.json"


@pytest.fixture
def secrets(path: Path) -> SecretFile:
    return SecretFile(path, FakeClock())


def test_only_its_owner_may_read_it_whatever_the_umask(path: Path, secrets: SecretFile) -> None:
    before = os.umask(0)
    try:
        secrets.publish("churn-key", KEY, LATER, {})
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
@pytest.mark.parametrize(
    "ask",
    [
        lambda secrets: secrets.current("churn-key"),
        lambda secrets: secrets.publish("churn-key", KEY, LATER, {}),
    ],
)
def test_a_file_that_others_can_touch_is_refused_with_the_remedy(
    path: Path, secrets: SecretFile, mode: int, ask: Callable[[SecretFile], object]
) -> None:
    secrets.publish("churn-key", KEY, LATER, {})
    path.chmod(mode)

    with pytest.raises(Refused, match="chmod 600"):
        ask(secrets)


def test_a_broken_file_is_refused_and_nothing_of_it_is_told(
    path: Path, secrets: SecretFile
) -> None:
    path.parent.mkdir()
    path.write_text('{"secrets": {"churn-key": [{"value": "a-very-secret-key"}]}}')
    path.chmod(0o600)

    with pytest.raises(Refused) as error:
        secrets.current("churn-key")

    assert "secrets.churn-key.0.id" in str(error.value)
    assert KEY.get_secret_value() not in str(error.value)
    assert error.value.__cause__ is None


def test_old_versions_are_forgotten_but_the_first_is_not(path: Path, secrets: SecretFile) -> None:
    secrets.once("churn-key", SecretStr("first"))
    for number in range(VERSIONS_MAX + 5):
        secrets.publish("churn-key", SecretStr(f"key-{number}"), LATER, {})

    assert path.read_text().count('"value"') == VERSIONS_MAX
    assert secrets.once("churn-key", KEY) == SecretStr("first")


def test_writers_at_once_lose_nothing_and_agree_on_the_first(path: Path) -> None:
    def write(number: int) -> SecretStr:
        own = SecretFile(path, FakeClock())
        own.publish(f"key-{number}", KEY, LATER, {})
        return own.once("installation", SecretStr(f"made by {number}"))

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(write, range(16)))

    assert len(set(made)) == 1
    found = SecretFile(path, FakeClock())
    assert all(found.current(f"key-{number}") for number in range(16))
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".secrets-")] == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")

    with pytest.raises(Unavailable, match="may read and write there"):
        SecretFile(tmp_path / "data" / "secrets.json", FakeClock()).publish("k", KEY, LATER, {})
