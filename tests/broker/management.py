"""The nodes that are asked and answer: `$cbs` for tokens, `$management` for what links cannot."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from proton import UNDESCRIBED, Array, Data, Message, timestamp

from tests.broker import wire
from tests.broker.queues import BrokerQueue, Fate, Outcome, Refusal

_TERMS = {
    "completed": Fate.COMPLETE,
    "abandoned": Fate.ABANDON,
    "suspended": Fate.DEAD_LETTER,
}


def put_token(request: Message, *, refused: bool) -> bytes:
    """Take any token for any node, or none at all."""
    status = 401 if refused else 202
    said = "the token is not taken" if refused else "Accepted"
    return wire.reply(request, {"status-code": status, "status-description": said})


def manage(
    request: Any, queue: BrokerQueue, now: datetime, check_sending: Callable[[], None]
) -> bytes:
    """Answer one request about that queue; `check_sending` may refuse what would put one in."""
    operation = str((request.properties or {}).get("operation", "")).partition(":")[2]
    try:
        if operation == "schedule-message":
            check_sending()
        body = _operation(operation)(queue, request.body, now)
    except Refusal as no:
        about = {"statusCode": no.status, "statusDescription": str(no)}
        return wire.reply(request, {**about, "errorCondition": no.condition})
    status = 200 if body is not None else 204
    about = {"statusCode": status, "statusDescription": "OK"}
    return wire.reply(request, about, body if body is not None else {})


_Body = Mapping[str, Any]
_Operation = Callable[[BrokerQueue, _Body, datetime], Any]


def _operation(name: str) -> _Operation:
    known = _OPERATIONS.get(name)
    if known is None:
        raise Refusal("amqp:not-implemented", f"this broker cannot {name}", 501)
    return known


def _schedule(queue: BrokerQueue, body: _Body, now: datetime) -> Any:
    numbers = [queue.send(wire.read(bytes(one["message"])), now) for one in body["messages"]]
    return {"sequence-numbers": _array(Data.LONG, numbers)}


def _cancel(queue: BrokerQueue, body: _Body, now: datetime) -> Any:
    queue.tick(now)
    for number in _elements(body["sequence-numbers"]):
        queue.cancel(int(number))
    return {}


def _peek(queue: BrokerQueue, body: _Body, now: datetime) -> Any:
    queue.tick(now)
    there = queue.peek(int(body["from-sequence-number"]), int(body["message-count"]))
    return {"messages": [{"message": wire.written(one)} for one in there]} if there else None


def _renew(queue: BrokerQueue, body: _Body, now: datetime) -> Any:
    until = [queue.renew(UUID(str(token)), now) for token in _elements(body["lock-tokens"])]
    millis = [timestamp(wire.to_millis(at)) for at in until]
    return {"expirations": _array(Data.TIMESTAMP, millis)}


def _renew_session(queue: BrokerQueue, body: _Body, now: datetime) -> Any:
    until = queue.renew_session(str(body["session-id"]), now)
    return {"expiration": timestamp(wire.to_millis(until))}


def _settle(queue: BrokerQueue, body: _Body, now: datetime) -> Any:
    fate = _TERMS.get(str(body["disposition-status"]))
    if fate is None:
        raise Refusal("amqp:not-implemented", f"cannot do {body['disposition-status']}", 501)
    why = (body.get("deadletter-reason") or "", body.get("deadletter-description") or "")
    for token in _elements(body["lock-tokens"]):
        queue.settle(UUID(str(token)), Outcome(fate, *why), now)
    return {}


def _array(of: Any, elements: Any) -> Any:
    described: Any = UNDESCRIBED
    return Array(described, of, *elements)


def _elements(array: Any) -> Any:
    return array.elements if isinstance(array, Array) else array


_OPERATIONS: Mapping[str, _Operation] = {
    "schedule-message": _schedule,
    "cancel-scheduled-message": _cancel,
    "peek-message": _peek,
    "renew-lock": _renew,
    "renew-session-lock": _renew_session,
    "update-disposition": _settle,
}
