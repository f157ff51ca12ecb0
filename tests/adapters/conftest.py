"""Azure Storage for this room: one Azurite for each worker, a fresh account for each test."""

from collections.abc import Iterator

import pytest

from rollout.adapters.azure.storage.account import Account
from tests.azurite.running import Azurite, azurite


@pytest.fixture(scope="session")
def storage() -> Iterator[Azurite]:
    with azurite() as running:
        yield running


@pytest.fixture
def account(storage: Azurite) -> Iterator[Account]:
    opened = Account.in_azurite(storage.new_account(), "test")
    yield opened
    opened.close()
