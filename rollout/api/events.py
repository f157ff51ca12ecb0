"""All endpoints' events over HTTP, as server-sent events that a client opens again and again.

An answer on Azure Functions is whole before it is sent: a stream without an end would never come.
So each answer tells what is new, waits a little where nothing is, ends, and says when to come back.
"""

import re
from collections.abc import Sequence

from rollout.api.exchange import Request, Response
from rollout.api.openapi import EVENT_STREAM
from rollout.api.parts import Parts
from rollout.core.frozen import Frozen
from rollout.core.head import HistoryEntry
from rollout.errors import Malformed
from rollout.feed_ports import Page, Told
from rollout.inbox import endpoint_name

ID_HEADER = "last-event-id"
PAGE = 200
LAST_MAX = 1000
WAIT_SECONDS, WAIT_SECONDS_MAX = 5, 20
LOOK_SECONDS = 1.0
BACK_SOON, BACK_LATER = 200, 5000
"""Milliseconds until a client comes back: at once for more, later where there was no room."""

_PLACE = re.compile(r"[0-9]{1,12}")


class EventTold(Frozen):
    """The data of one server-sent event; its id is its place among those of all endpoints."""

    endpoint: str
    entry: HistoryEntry


def stream(parts: Parts, request: Request) -> Response:
    """Tell what was decided on all endpoints, as server-sent events; open it again to go on."""
    wait = request.number("wait", WAIT_SECONDS, 0, WAIT_SECONDS_MAX)
    key = _key(parts, request)
    page = parts.feed.feed(_place(parts, request), PAGE, key)
    back = BACK_SOON
    if wait and not page.entries:
        page, back = _wait(parts, page, key, wait)
    body = _written(parts, page, back)
    return Response(200, body.encode(), {"Content-Type": EVENT_STREAM})


def _key(parts: Parts, request: Request) -> str | None:
    name = request.query.get("endpoint")
    return parts.engine.recall(endpoint_name(name)).key if name is not None else None


def _place(parts: Parts, request: Request) -> int:
    """Where the client stands: where it was, or so many events before the end."""
    last = request.number("last", 0, 0, LAST_MAX)
    told = (request.headers.get(ID_HEADER), request.query.get("after"))
    places = [_checked(text) for text in told if text is not None]
    return places[0] if places else max(0, parts.feed.feed(None, 0).until - last)


def _checked(text: str) -> int:
    if not _PLACE.fullmatch(text):
        raise Malformed(f"Last-Event-ID, after: {text[:50]!r} is no id of this stream")
    return int(text)


def _wait(parts: Parts, page: Page, key: str | None, seconds: int) -> tuple[Page, int]:
    """Look again until something is new. Few may wait at once: other requests need the threads."""
    if not parts.waiting.acquire(blocking=False):
        return page, BACK_LATER
    try:
        for _ in range(round(seconds / LOOK_SECONDS)):
            parts.sleep(LOOK_SECONDS)
            page = parts.feed.feed(page.until, PAGE, key)
            if page.entries:
                break
    finally:
        parts.waiting.release()
    return page, BACK_SOON


def _written(parts: Parts, page: Page, back: int) -> str:
    """As the HTML standard writes it; the last block has only an id, and is no event."""
    blocks = [f"retry: {back}\n\n", *_events(parts, page.entries)]
    if not page.entries:
        blocks.append(f": nothing new at {parts.clock.now().isoformat(timespec='seconds')}\n\n")
    blocks.append(f"id: {page.until}\n\n")
    return "".join(blocks)


def _events(parts: Parts, entries: Sequence[Told]) -> list[str]:
    keys = dict.fromkeys(one.key for one in entries)
    names = {key: str(parts.store.load_key(key).head.endpoint) for key in keys}
    return [
        f"id: {one.sequence}\n"
        f"data: {EventTold(endpoint=names[one.key], entry=one.entry).model_dump_json()}\n\n"
        for one in entries
    ]
