"""Large numbers of a history entry, each in a blob that is named by its content."""

import hashlib
import logging
from contextlib import suppress
from typing import Any

from azure.core.exceptions import ResourceExistsError
from pydantic_core import from_json

from rollout.adapters.azure.storage.account import EVIDENCE, Account
from rollout.adapters.azure.storage.answers import explaining
from rollout.errors import RolloutError, Unknown

_log = logging.getLogger(__name__)


class Evidence:
    """Written before the row that names it, never changed; what no row names does no harm."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def keep(self, content: bytes) -> str | None:
        """Its name; None where it cannot be kept now, and the row must carry it itself."""
        name = f"{hashlib.sha256(content).hexdigest()}.json"
        try:
            with explaining(self._account.asked(EVIDENCE)):
                self._upload(name, content)
        except RolloutError as error:  # nothing may stand between a decision and its row
            _log.warning("evidence stays in its row: %s", error)
            return None
        return name

    def _upload(self, name: str, content: bytes) -> None:
        try:
            self._account.container(EVIDENCE).upload_blob(name, content)
        except ResourceExistsError:
            return

    def numbers(self, name: str) -> dict[str, Any]:
        """What was kept; where it is gone, that is told in its place."""
        try:
            with explaining(self._account.asked(EVIDENCE)):
                content = self._account.container(EVIDENCE).download_blob(name).readall()
        except Unknown:
            _log.warning("evidence %s is gone", name)
            return {"gone": name}
        found: dict[str, Any] = from_json(content)
        return found

    def forget(self, name: str) -> None:
        """Remove it; what is gone already is no fault."""
        with suppress(Unknown), explaining(self._account.asked(EVIDENCE)):
            self._account.container(EVIDENCE).delete_blob(name)
