"""The container that Azure's data collector writes to."""

from collections.abc import Sequence
from typing import Any

from azure.core.credentials import TokenCredential
from azure.storage.blob import ContainerClient

from rollout.adapters.azure.storage.account import blob_retries
from rollout.adapters.azure.storage.answers import Asked, explaining
from rollout.adapters.collected import ENDING, File
from rollout.errors import Unknown

ROLE = "Storage Blob Data Reader"

_ONE_TRY: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15}


class CollectedBlobs:
    """A place in a container, below a path; nothing is ever written there."""

    def __init__(self, container: ContainerClient, path: str = "") -> None:
        self._container = container
        self._below = f"{path.strip('/')}/" if path.strip("/") else ""

    @classmethod
    def at(cls, url: str, credential: TokenCredential) -> "CollectedBlobs":
        """`https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH`, opened by that identity."""
        scheme, _, rest = url.partition("://")
        host, container, path = (*rest.split("/", 2), "", "")[:3]
        opened = ContainerClient(
            f"{scheme}://{host}", container, credential, retry_policy=blob_retries(), **_ONE_TRY
        )
        return cls(opened, path)

    def files(self, below: str) -> Sequence[File]:
        with self._explaining():
            found = self._container.list_blobs(name_starts_with=self._below + below)
            return [
                File(blob.name.removeprefix(self._below), blob.size or 0)
                for blob in found
                if blob.name.endswith(ENDING)
            ]

    def tail(self, file: File, size: int) -> bytes:
        """It may have grown since it was listed: never more than was there then."""
        offset = max(0, file.size - size)
        try:
            with explaining(self._asked):
                name = self._below + file.name
                return self._container.download_blob(name, offset, file.size - offset).readall()
        except Unknown:
            return b""

    @property
    def _asked(self) -> Asked:
        account = str(self._container.account_name)
        return Asked(account, f"container {self._container.container_name}", ROLE)

    def _explaining(self) -> Any:  # noqa: ANN401 - a context manager
        return explaining(self._asked)
