"""Azure for this room: recorded answers, and one Azurite a worker with an account for each test."""

from collections.abc import Iterator

import pytest

from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.azure.storage.account import Account
from rollout.adapters.azure.storage.store import TableStore
from tests.adapters.receiving import Receiver, Site, a_site
from tests.adapters.recorded import Recorded, TokenOfNobody, recorded
from tests.azurite.bad_line import BadLine, bad_line
from tests.azurite.running import Azurite, azurite


@pytest.fixture
def azure() -> Iterator[Recorded]:
    with recorded() as server:
        yield server


@pytest.fixture
def arm(azure: Recorded) -> Iterator[ArmClient]:
    client = ArmClient(azure.url, TokenOfNobody())
    yield client
    client.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """One server a worker, where what is sent out arrives."""
    with a_site() as known:
        yield known


@pytest.fixture
def receiver(site: Site) -> Receiver:
    """Nothing was sent to it yet."""
    return site.cleared()


@pytest.fixture(scope="session")
def storage() -> Iterator[Azurite]:
    with azurite() as running:
        yield running


@pytest.fixture
def connection(storage: Azurite) -> str:
    return storage.new_account()


@pytest.fixture
def account(connection: str) -> Iterator[Account]:
    opened = Account.in_azurite(connection, "test")
    yield opened
    opened.close()


@pytest.fixture
def line(storage: Azurite) -> Iterator[BadLine]:
    """A line to the tables that may be bad."""
    with bad_line(storage.tables) as opened:
        yield opened


@pytest.fixture
def watched(storage: Azurite, connection: str, account: Account, line: BadLine) -> TableStore:
    """Another worker's store in the same account, at the end of that line."""
    beyond = Account.in_azurite(connection.replace(storage.tables, line.url), "test")
    store = TableStore(beyond)
    store.history("nobody")  # opens the account
    line.told()
    return store
