"""The pushed policies and their attachments, each in a blob."""

from collections.abc import Sequence

from azure.storage.blob import BlobPrefix

from rollout.adapters.azure.storage.account import POLICIES, Account
from rollout.adapters.azure.storage.answers import explaining
from rollout.adapters.policy_places import too_large
from rollout.errors import Unknown


class PolicyContainer:
    """A place of policies in a container."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def names(self, folder: str = "") -> Sequence[str]:
        below = f"{folder}/" if folder else ""
        with explaining(self._account.asked(POLICIES)):
            found = self._account.container(POLICIES).walk_blobs(below, delimiter="/")
            return [
                blob.name.removeprefix(below) for blob in found if not isinstance(blob, BlobPrefix)
            ]

    def read(self, path: str, bytes_max: int) -> bytes | None:
        try:
            with explaining(self._account.asked(POLICIES)):
                download = self._account.container(POLICIES).download_blob(path)
                if download.size > bytes_max:
                    raise too_large(path, bytes_max)
                return download.readall()
        except Unknown:
            return None

    def write(self, path: str, content: bytes) -> None:
        with explaining(self._account.asked(POLICIES)):
            self._account.container(POLICIES).upload_blob(path, content, overwrite=True)

    def remove(self, name: str) -> None:
        try:
            with explaining(self._account.asked(POLICIES)):
                self._account.container(POLICIES).delete_blob(name)
        except Unknown:
            return
