"""Long-running operations: begun by a write, polled by a signed URL, run in the background."""

import asyncio
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from emulator.arm import durations
from emulator.arm.names import PROVIDER
from emulator.arm.refusals import Refusal


@dataclass(slots=True)
class Operation:
    """`verb` is the status while it runs: Creating, Updating or Deleting."""

    id: str
    endpoint_id: str
    subscription: str
    location: str
    verb: str
    started_at: float
    lost: bool = False
    ended_at: float | None = None
    error: dict[str, str] | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def status(self) -> str:
        if self.ended_at is None:
            return self.verb
        return "Failed" if self.error else "Succeeded"

    def document(self) -> dict[str, Any]:
        """The status document, as polls of an operation get it."""
        begin = {"status": self.status, "startTime": durations.iso(self.started_at)}
        end = {} if self.ended_at is None else {"endTime": durations.iso(self.ended_at)}
        if self.error:
            return {"error": self.error, **begin, **end}
        percent = 0.0 if self.ended_at is None else 100.0
        return {"id": self.id, "name": self.id, **begin, **end, "percentComplete": percent}


class Operations:
    """Every operation of this emulator, and the signature of their URLs."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._secret = secrets.token_bytes(16)
        self._all: dict[str, Operation] = {}

    def begin(self, operation: Operation, work: Coroutine[Any, Any, None]) -> Operation:
        """Run `work`; it fails the operation by raising Refusal."""
        self._all[operation.id] = operation
        operation.task = asyncio.create_task(self._run(operation, work))
        return operation

    def running_on(self, endpoint_id: str) -> Operation | None:
        """An operation on this endpoint or one of its deployments that has not ended."""
        running = (one for one in self._all.values() if one.ended_at is None)
        return next((one for one in running if one.endpoint_id == endpoint_id), None)

    def find(self, operation_id: str) -> Operation | None:
        return self._all.get(operation_id)

    def url(self, base: str, kind: str, operation: Operation, api_version: str) -> str:
        """Where to poll; `kind` is mfeOperationsStatus or mfeOperationResults."""
        path = (
            f"/subscriptions/{operation.subscription}/providers/{PROVIDER}"
            f"/locations/{operation.location}/{kind}/{operation.id}"
        )
        signed = f"api-version={api_version}&t={int(operation.started_at)}&c=emulator"
        return f"{base}{path}?{signed}&s={self._signature(operation.id, signed)}&h=v1"

    def check_signature(self, operation_id: str, query: str) -> None:
        """Raise unless `query` is the one that was given out."""
        given = parse_qs(query).get("s", [""])[0]
        signed = query.partition("&s=")[0]
        if not hmac.compare_digest(given, self._signature(operation_id, signed)):
            raise Refusal(403, "AuthorizationFailed", "The operation URL's signature is invalid.")

    async def close(self) -> None:
        tasks = [one.task for one in self._all.values() if one.task and one.ended_at is None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, operation: Operation, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Refusal as refusal:
            operation.error = {"code": refusal.code, "message": refusal.message}
        except Exception as error:
            operation.error = {"code": "InternalServerError", "message": repr(error)}
            raise
        finally:
            operation.ended_at = self._now()

    def _signature(self, operation_id: str, signed: str) -> str:
        text = f"{operation_id.lower()}?{signed}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


def new_id(prefix: str) -> str:
    """Such as `oeidp:{guid}:{guid}`."""
    return f"{prefix}:{uuid.uuid4()}:{uuid.uuid4()}"
