"""Audits over HTTP: whether an endpoint's history is whole, and the history itself to keep."""

from collections.abc import Iterator

from rollout.api.answers import AuditPage, AuditView
from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.core.chain import examine
from rollout.core.head import Head, HistoryEntry
from rollout.errors import Unknown
from rollout.inbox import endpoint_name

PAGE = 200
_WHOLE_PAGE = 1000
_TRIES = 3


def audited(parts: Parts, request: Request) -> Response:
    """Examine the history of an endpoint: what was changed, taken out or cut off since."""
    head = _head(parts, request)
    for _ in range(_TRIES):  # what is decided meanwhile is no fault
        entries = tuple(_all(parts, head))
        now = parts.store.load(head.endpoint).head
        if now.entries == head.entries:
            break
        head = now
    found = examine(head.endpoint.key, head.entries, head.last_link, entries, head.pruned)
    return answer(
        AuditView(
            endpoint=str(head.endpoint),
            key=head.endpoint.key,
            written=head.entries,
            last=head.last_link,
            pruned=head.pruned,
            entries=found.entries,
            unchained=found.unchained,
            faults=found.faults,
        )
    )


def page(parts: Parts, request: Request) -> Response:
    """List the history entries of an endpoint, over all its rollouts, in order."""
    after = request.number("after", 0, 0, 999_999_999)
    head = _head(parts, request)
    return answer(
        AuditPage(
            endpoint=str(head.endpoint),
            key=head.endpoint.key,
            written=head.entries,
            last=head.last_link,
            pruned=head.pruned,
            entries=tuple(parts.store.history(head.endpoint.key, max(after, _gone(head)), PAGE)),
        )
    )


def _head(parts: Parts, request: Request) -> Head:
    name = endpoint_name(request.path["ref"].replace("~", "/"))
    endpoint = parts.engine.recall(name)
    head = parts.store.load(endpoint).head
    if not head.entries:
        raise Unknown(f"nothing was rolled out on {endpoint} yet")
    return head


def _all(parts: Parts, head: Head) -> Iterator[HistoryEntry]:
    after = _gone(head)
    while found := parts.store.history(head.endpoint.key, after, _WHOLE_PAGE):
        yield from found
        after = found[-1].number


def _gone(head: Head) -> int:
    return head.pruned.through if head.pruned else 0
