"""Messages as AMQP 1.0 writes them, with the annotations by which Service Bus speaks of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from proton import Message, int32, symbol, timestamp

from tests.broker.queues import Sent, Stored

_SCHEDULED = symbol("x-opt-scheduled-enqueue-time")
_SEQUENCE = symbol("x-opt-sequence-number")
_ENQUEUED = symbol("x-opt-enqueued-time")
_LOCKED_UNTIL = symbol("x-opt-locked-until")
_NO_HEADER = b"\x00\x53\x70\x45"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = datetime(1, 1, 1, tzinfo=UTC)


def read(payload: bytes) -> Sent:
    message: Any = decoded(payload)
    due_at = (message.annotations or {}).get(_SCHEDULED)
    return Sent(
        payload=payload,
        id=None if message.id is None else str(message.id),
        session=message.group_id or None,
        due_at=None if due_at is None else from_millis(due_at),
    )


def written(one: Stored) -> bytes:
    """The message as a receiver gets it."""
    message: Any = decoded(one.sent.payload)
    about: dict[Any, Any] = {
        **(message.annotations or {}),
        _SEQUENCE: one.sequence,
        _ENQUEUED: timestamp(to_millis(one.at)),
    }
    if one.lock:
        about[_LOCKED_UNTIL] = timestamp(to_millis(one.lock.until))
    message.annotations = about
    message.ttl, message.durable, message.delivery_count = 0, False, 0
    if one.reason:
        message.properties = {
            **(message.properties or {}),
            "DeadLetterReason": one.reason,
            "DeadLetterErrorDescription": one.description,
        }
    return _header(one.deliveries) + bytes(message.encode()).removeprefix(_NO_HEADER)


def _header(deliveries: int) -> bytes:
    """The section that proton would leave out for its defaults: the SDK needs the count, also 0."""
    fields = b"\x41\x50\x04\x40\x42\x52" + bytes([deliveries])  # durable, priority, …, count
    return b"\x00\x53\x70\xc0" + bytes([len(fields) + 1, 5]) + fields


def decoded(payload: bytes) -> Message:
    message = Message()
    message.decode(payload)
    return message


def reply(request: Message, about: Mapping[str, Any], body: Any = None) -> bytes:
    """An answer to a request; its properties say how it went."""
    answer: Any = Message(body=body, correlation_id=request.id)
    answer.properties = {name: _whole(value) for name, value in about.items()}
    return bytes(answer.encode())


def _whole(value: Any) -> Any:
    return int32(value) if isinstance(value, int) else value


def to_millis(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(millis))


def to_ticks(at: datetime) -> int:
    """The same in tenths of microseconds since the year 1, as .NET counts."""
    return (at - _FIRST_DAY) // timedelta(microseconds=1) * 10
