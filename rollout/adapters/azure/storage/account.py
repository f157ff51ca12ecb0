"""One storage account, opened at the first question: its tables, its containers, its owner."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableServiceClient
from azure.storage.blob import BlobServiceClient, ContainerClient, LinearRetry

from rollout.adapters.azure.storage.answers import (
    BLOB_ROLE,
    TABLE_ROLE,
    Asked,
    explaining,
    is_not_made,
    not_before_its_time,
)
from rollout.errors import Refused, Unavailable

STATE, HINTS = "rollout", "rollouthints"
SAMPLES, POLICIES, EVIDENCE = "rollout-samples", "rollout-policies", "rollout-evidence"
TABLES = (STATE, HINTS)
CONTAINERS = (SAMPLES, POLICIES, EVIDENCE)

LAYOUT = 1
"""Grows when older versions can no longer read what newer ones write."""

_OWNER = {"PartitionKey": "owner", "RowKey": "owner"}
_ONE_TRY: Mapping[str, Any] = {"connection_timeout": 5, "read_timeout": 15}
_TABLE_RETRIES = {"retry_total": 2, "retry_backoff_factor": 0.3}


class Account:
    """The tables and containers of one installation in one account.

    The first installation that opens an account owns it; another one is refused. On Azure nothing
    is ever created here; in Azurite everything that is missing is. Raises Refused or Unavailable.
    """

    def __init__(
        self, name: str, installation: str, tables: TableServiceClient, blobs: BlobServiceClient
    ) -> None:
        self._name = name
        self._installation = installation
        self._tables = tables
        self._blobs = blobs
        self._to_be_made = set[str]()
        self._opened = False
        self._lock = Lock()

    @classmethod
    def on_azure(
        cls, name: str, suffix: str, credential: TokenCredential, installation: str
    ) -> "Account":
        """The account of that name, opened by that identity; no shared keys."""
        options: dict[str, Any] = {"credential": credential, **_ONE_TRY}
        return cls(
            name,
            installation,
            _tables(TableServiceClient, f"https://{name}.table.{suffix}", options),
            BlobServiceClient(
                f"https://{name}.blob.{suffix}", retry_policy=blob_retries(), **options
            ),
        )

    @classmethod
    def in_azurite(cls, connection: str, installation: str) -> "Account":
        """The account that Azurite plays on this machine."""
        account = cls(
            "of Azurite",
            installation,
            _tables(TableServiceClient.from_connection_string, connection, dict(_ONE_TRY)),
            BlobServiceClient.from_connection_string(
                connection, retry_policy=blob_retries(), **_ONE_TRY
            ),
        )
        account._to_be_made = {*TABLES, *CONTAINERS}
        return account

    def close(self) -> None:
        self._tables.close()
        self._blobs.close()

    def asked(self, what: str) -> Asked:
        role = TABLE_ROLE if what in TABLES else BLOB_ROLE
        kind = "table" if what in TABLES else "container"
        return Asked(self._name, f"{kind} {what}", role)

    def table(self, name: str) -> TableClient:
        self._open()
        table = self._tables.get_table_client(name)
        self._make(name, table.create_table)
        return table

    def container(self, name: str) -> ContainerClient:
        self._open()
        container = self._blobs.get_container_client(name)
        self._make(name, container.create_container)
        return container

    def _open(self) -> None:
        """See once whose account it is; asked again after a failure."""
        with self._lock:
            if self._opened:
                return
            self._make(HINTS, self._tables.get_table_client(HINTS).create_table)
            with explaining(self.asked(HINTS)):
                self._check_owner(self._owner())
            self._opened = True

    def _owner(self) -> Any:  # noqa: ANN401 - an entity
        hints = self._tables.get_table_client(HINTS)
        try:
            return hints.get_entity(_OWNER["PartitionKey"], _OWNER["RowKey"])
        except ResourceNotFoundError as error:
            if is_not_made(error):
                raise
        ours = {**_OWNER, "installation": self._installation, "layout": LAYOUT}
        try:
            hints.create_entity(ours)
        except ResourceExistsError:  # another worker was faster
            return hints.get_entity(_OWNER["PartitionKey"], _OWNER["RowKey"])
        return ours

    def _check_owner(self, owner: Any) -> None:  # noqa: ANN401 - an entity
        if owner["installation"] != self._installation:
            raise Refused(
                f"storage account {self._name}: holds the state of the installation"
                f" {owner['installation']!r}, this one is {self._installation!r}; give it an"
                " account of its own, or mend ROLLOUT_INSTALLATION"
            )
        if owner["layout"] > LAYOUT:
            raise Unavailable(
                f"storage account {self._name}: written by a newer version of rollout (layout"
                f" {owner['layout']}, this one knows {LAYOUT}); install the newer version"
            )

    def _make(self, name: str, create: Callable[[], object]) -> None:
        """Create it, if that is for us to do and was not done yet."""
        if name not in self._to_be_made:
            return
        with explaining(self.asked(name)), suppress(ResourceExistsError):
            create()
        self._to_be_made.discard(name)


def blob_retries() -> LinearRetry:
    """One for each client: a policy knows what comes after it, the credential among it."""
    return LinearRetry(backoff=1, retry_total=2, random_jitter_range=0)


def _tables(make: Any, place: str, options: dict[str, Any]) -> TableServiceClient:  # noqa: ANN401
    client: TableServiceClient = make(
        place, raw_response_hook=not_before_its_time, **options, **_TABLE_RETRIES
    )
    return client
