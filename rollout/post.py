"""Brings the notices of an outbox to people: each at least once, under one id, never in the way."""

import logging
from typing import Protocol

from rollout.core import outbox
from rollout.core.endpoint import EndpointId
from rollout.core.head import Head, HistoryEntry
from rollout.core.letter import Letter, Link, letter
from rollout.core.notify import Notice
from rollout.core.rollout import Rollout
from rollout.core.rotation.letter import key_letter
from rollout.errors import Conflict, Refused, Unavailable
from rollout.notice_ports import Notices
from rollout.ports import Clock, Store

log = logging.getLogger(__name__)


class Links(Protocol):
    """Where a letter leads."""

    def links(self, notice: Notice, rollout: Rollout) -> tuple[Link, ...]: ...

    def key_links(self, endpoint: EndpointId) -> tuple[Link, ...]: ...


class Post:
    """Sends what is owed to people; a place that fails holds back its own notices alone."""

    def __init__(self, store: Store, clock: Clock, notices: Notices, links: Links) -> None:
        self._store = store
        self._clock = clock
        self._notices = notices
        self._links = links

    def deliver(self, endpoint: EndpointId) -> Head:
        """Send the first notice of each place whose time has come; the head as it is then."""
        head = self._store.load(endpoint).head
        for notice in outbox.in_turn(head, self._clock.now()):
            head = self._try(endpoint, notice)
        return head

    def _try(self, endpoint: EndpointId, notice: Notice) -> Head:
        written = self._written(endpoint, notice)
        if written is None:
            gone = "the history entry that it tells is not kept any more"
            return self._settle(endpoint, notice, given_up=gone)
        try:
            self._notices.send(notice.target, written)
        except Unavailable as later:
            if outbox.is_last_try(notice):
                return self._settle(endpoint, notice, given_up=str(later))
            return self._settle(endpoint, notice, later=str(later))
        except Refused as no:
            return self._settle(endpoint, notice, given_up=str(no))
        return self._settle(endpoint, notice)

    def _written(self, endpoint: EndpointId, notice: Notice) -> Letter | None:
        """None where nothing is left to tell; raises what the store raises."""
        found = self._store.history(endpoint.key, notice.entry - 1, 1)
        entry = found[0] if found and found[0].number == notice.entry else None
        if entry is not None and notice.of_keys:
            return key_letter(notice, entry, endpoint, self._links.key_links(endpoint))
        rollout_id = entry.rollout_id if entry else None
        rollout = self._store.rollout(endpoint.key, rollout_id) if rollout_id else None
        if entry is None or rollout is None:
            return None
        return letter(notice, entry, rollout, self._links.links(notice, rollout))

    def _settle(
        self, endpoint: EndpointId, notice: Notice, *, later: str = "", given_up: str = ""
    ) -> Head:
        """Save what came of it; whoever decided meanwhile comes first, and is kept."""
        while True:
            held = self._store.load(endpoint)
            known = [one for one in held.head.outbox if one.id == notice.id]
            if known != [notice]:
                return held.head
            now = self._clock.now()
            entry: HistoryEntry | None = None
            if given_up:
                log.error("%s: a notice to %s is given up: %s", endpoint, notice.target, given_up)
                head, entry = outbox.given_up(held.head, notice, given_up, now)
            elif later:
                log.warning("%s: a notice to %s waits: %s", endpoint, notice.target, later)
                head = outbox.postponed(held.head, notice, later, now)
            else:
                head = outbox.sent(held.head, notice)
            try:
                return self._store.save(held, head, entry).head
            except Conflict:
                continue
