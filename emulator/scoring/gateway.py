"""The scoring front end: choose, ask, answer, count, and copy."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from emulator.arm import keys
from emulator.arm.resources import Endpoint
from emulator.monitor.answers import Answer
from emulator.monitor.ledger import Ledger
from emulator.scoring.collector import Collector
from emulator.scoring.messages import Inbound, Outcome
from emulator.scoring.mirror import Mirror
from emulator.scoring.routing import Router
from emulator.switches import Switchboard

OVERRIDE = "azureml-model-deployment"
_REQUEST_ID = "x-request-id"
_CLIENT_ID = "x-ms-client-request-id"
_NOT_FORWARDED = frozenset(
    {"authorization", "connection", "content-length", "host", "transfer-encoding", "expect"}
)
_AUTH_TYPES = {"key": "Key", "amltoken": "AMLToken", "aadtoken": "AADToken"}


@dataclass(slots=True)
class Gateway:
    """One for all endpoints; each endpoint has a mirror of its own."""

    board: Switchboard
    ledger: Ledger
    router: Router
    coin: Random
    now: Callable[[], float]
    collector: Collector
    mirrors: dict[str, Mirror] = field(default_factory=dict)

    async def score(self, endpoint: Endpoint, inbound: Inbound) -> Outcome:
        """Answer a caller, note the answer, and queue a copy if the coin says so."""
        started = time.perf_counter()
        headers = {name.lower(): value for name, value in inbound.headers.items()}
        target = self._copy_target(endpoint, headers)
        request_id = str(uuid.uuid4())
        outcome = await self._answer(endpoint, _named(inbound, request_id), headers)
        total_ms = (time.perf_counter() - started) * 1000
        named = {**headers, _REQUEST_ID: request_id}
        self._record(endpoint, self._noted(endpoint, inbound, named, outcome, total_ms))
        self.collector.write(endpoint, inbound, outcome, request_id)
        if target and outcome.deployment:
            self._copy(endpoint, target, _named(inbound, request_id), outcome)
        return replace(outcome, headers=_front_headers(outcome, headers, request_id))

    def tallies(self) -> dict[str, Any]:
        """What became of copies, by endpoint id."""
        return {name: mirror.tally for name, mirror in self.mirrors.items()}

    async def close(self) -> None:
        for mirror in self.mirrors.values():
            await mirror.close()

    async def _answer(
        self, endpoint: Endpoint, inbound: Inbound, headers: Mapping[str, str]
    ) -> Outcome:
        shown = headers.get("authorization", "")
        if why := keys.refusal(endpoint, shown, self.now(), self.board.set):
            return _own(401, why)
        name = headers.get(OVERRIDE, "").lower() or self._drawn(endpoint)
        deployment = endpoint.deployments.get(name)
        if deployment is None:
            return _own(404, _nowhere(name))
        return await deployment.fleet.answer(_forwarded(inbound))

    def _drawn(self, endpoint: Endpoint) -> str:
        weights = endpoint.traffic.weights()
        return self.router.choose(weights) if weights else ""

    def _copy_target(self, endpoint: Endpoint, headers: Mapping[str, str]) -> str:
        """The coin is thrown first; addressed requests are never copied."""
        copies = endpoint.traffic.copies()
        if not copies or OVERRIDE in headers:
            return ""
        ((target, share),) = copies.items()
        return target if self.coin.random() * 100 < share else ""

    def _copy(self, endpoint: Endpoint, target: str, inbound: Inbound, live: Outcome) -> None:
        mirror = self.mirrors.get(endpoint.id)
        if mirror is None:
            mirror = self.mirrors[endpoint.id] = Mirror(self._sender(endpoint))
        switches = self.board.set
        mirror.offer(
            target,
            inbound,
            live,
            copies_max=switches.mirror_queue_max,
            bytes_max=switches.mirror_bytes_max,
        )

    def _sender(self, endpoint: Endpoint) -> Callable[[str, Inbound], Awaitable[Outcome | None]]:
        async def send(target: str, inbound: Inbound) -> Outcome | None:
            deployment = endpoint.deployments.get(target)
            if deployment is None:
                return None
            started = time.perf_counter()
            same = self.board.set.mirror_same_request_id
            named = inbound if same else _named(inbound, str(uuid.uuid4()))
            outcome = await deployment.fleet.answer(_forwarded(named))
            total_ms = (time.perf_counter() - started) * 1000
            headers = {name.lower(): value for name, value in named.headers.items()}
            ids = {_REQUEST_ID, _CLIENT_ID} if same else {_REQUEST_ID}
            kept = {name: value for name, value in headers.items() if name in ids}
            answer = self._noted(endpoint, named, kept, outcome, total_ms)
            switches = self.board.set
            self._record(
                endpoint, answer, metrics=switches.mirror_in_metrics, logs=switches.mirror_in_logs
            )
            self.collector.write(endpoint, named, outcome, headers[_REQUEST_ID])
            return outcome

        return send

    def _noted(
        self,
        endpoint: Endpoint,
        inbound: Inbound,
        headers: Mapping[str, str],
        outcome: Outcome,
        total_ms: float,
    ) -> Answer:
        return Answer(
            at=self.now(),
            endpoint_id=endpoint.id,
            deployment=outcome.deployment,
            status=outcome.status,
            model_status=outcome.model_status,
            reason=outcome.reason,
            total_ms=total_ms,
            model_ms=outcome.model_ms,
            method=inbound.method,
            path=inbound.target.partition("?")[0],
            request_bytes=len(inbound.body),
            response_bytes=len(outcome.body),
            user_agent=headers.get("user-agent", "")[:70],
            auth_type=_AUTH_TYPES[endpoint.auth_mode],
            request_id=headers[_REQUEST_ID],
            client_request_id=headers.get(_CLIENT_ID, ""),
        )

    def _record(
        self, endpoint: Endpoint, answer: Answer, *, metrics: bool = True, logs: bool = True
    ) -> None:
        if not endpoint.kubernetes:  # no platform metrics for them
            self.ledger.record(answer, metrics=metrics, logs=logs)


def _own(status: int, why: str) -> Outcome:
    return Outcome(status, why.encode(), {"Content-Type": "text/plain"}, reason=why)


def _nowhere(name: str) -> str:
    if name:
        return f"Specified deployment {name} could not be found."
    return "There is no valid deployment with positive weight."


def _named(inbound: Inbound, request_id: str) -> Inbound:
    """With the front end's own id, whatever the caller called it."""
    kept = {n: v for n, v in inbound.headers.items() if n.lower() != _REQUEST_ID}
    return replace(inbound, headers={**kept, _REQUEST_ID: request_id})


def _forwarded(inbound: Inbound) -> Inbound:
    kept = {n: v for n, v in inbound.headers.items() if n.lower() not in _NOT_FORWARDED}
    return replace(inbound, headers=kept)


def _front_headers(outcome: Outcome, asked: Mapping[str, str], request_id: str) -> dict[str, str]:
    replaced = {_REQUEST_ID, _CLIENT_ID}
    headers = {n: v for n, v in outcome.headers.items() if n.lower() not in replaced}
    headers[_REQUEST_ID] = request_id
    if _CLIENT_ID in asked:
        headers[_CLIENT_ID] = asked[_CLIENT_ID]
    if outcome.deployment:
        headers[OVERRIDE] = outcome.deployment
    return headers
