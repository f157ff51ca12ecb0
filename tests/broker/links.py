"""What a link and a delivery say of themselves, in the broker's own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from proton import Condition, Delivery, Disposition, Link, Sender, symbol

from tests.broker.queues import BrokerQueue, Fate, Outcome, Refusal

SESSION_FILTER = symbol("com.microsoft:session-filter")


@dataclass(eq=False)
class Outlet:
    """A link on which messages go out, and the session that it holds where its queue has any."""

    link: Sender
    queue: BrokerQueue
    session: str | None = None
    waits: bool = False
    until: float = 0.0
    out: list[tuple[Delivery, UUID]] = field(default_factory=list)


def outcome_of(delivery: Delivery) -> Outcome:
    """What the receiver wants done; raises Refusal for what this broker cannot do."""
    said = delivery.remote
    if delivery.remote_state == Disposition.ACCEPTED:
        return Outcome(Fate.COMPLETE)
    if delivery.remote_state == Disposition.RELEASED:
        return Outcome(Fate.RELEASE)
    if delivery.remote_state == Disposition.MODIFIED:
        if said.undeliverable:
            raise Refusal("amqp:not-implemented", "this broker cannot defer")
        return Outcome(Fate.ABANDON)
    info: Any = (said.condition.info if said.condition else None) or {}
    reason = info.get("DeadLetterReason")
    description = info.get("DeadLetterErrorDescription")
    return Outcome(Fate.DEAD_LETTER, str(reason or ""), str(description or ""))


def reject(delivery: Delivery, no: Refusal) -> None:
    """Without a non-empty map the SDK's own callback fails, and the send hangs."""
    delivery.local.condition = Condition(no.condition, str(no), {symbol("why"): str(no)})
    delivery.update(Disposition.REJECTED)


def address_of(link: Link) -> str:
    end = link.remote_source if link.is_sender else link.remote_target
    return urlsplit(end.address or "").path.strip("/")


def filter_of(link: Sender) -> Mapping[Any, Any]:
    data = link.remote_source.filter
    data.rewind()
    found = data.get_object() if data.next() else None
    return found if isinstance(found, dict) else {}
