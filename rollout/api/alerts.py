"""The doors of those who watch: an alert is decided inside its request."""

import logging
from contextlib import suppress

from rollout import marks
from rollout.api.answers import Decided
from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.core.endpoint import EndpointId
from rollout.core.events import AlertNotice
from rollout.errors import Malformed, RolloutError, Unknown
from rollout.inbox import Alert, read_alert, read_alertmanager

log = logging.getLogger(__name__)


def azure_monitor(parts: Parts, request: Request) -> Response:
    """Take an alert of Azure Monitor; what concerns nobody here is acknowledged and said."""
    return _decided(parts, read_alert(request.body))


def alertmanager(parts: Parts, request: Request) -> Response:
    """Take a group of alerts of Prometheus Alertmanager."""
    return _decided(parts, read_alertmanager(request.body, parts.settings.alert_labels))


def _decided(parts: Parts, heard: Alert) -> Response:
    """One that fails keeps no other waiting; its error is the answer, so that all come again."""
    told = list(heard.told)
    failed: RolloutError | None = None
    for name, notice in heard.notices:
        try:
            told.append(_decided_of(parts, name, notice))
        except RolloutError as error:
            log.warning("%s: alert %s waits: %s", name, notice.rule, error)
            failed = failed or error
    _leave_mark(parts, heard)
    if failed:
        raise failed
    return answer(Decided(decided="; ".join(told) or "no alert was in it"), 202)


def _decided_of(parts: Parts, name: str, notice: AlertNotice) -> str:
    try:
        endpoint = parts.engine.recall(name)
    except (Unknown, Malformed) as stranger:
        return str(stranger)
    return parts.engine.handle(endpoint, notice).why


def _leave_mark(parts: Parts, heard: Alert) -> None:
    """So that `rollout doctor` can tell when an alert last came; the alert needs it not."""
    about = ", ".join(_short(name) for name, _ in heard.notices)
    told = f"about {about}" if about else "; ".join(heard.told)
    with suppress(RolloutError):
        marks.note(parts.store, marks.ALERT, parts.clock.now(), told)


def _short(name: str) -> str:
    return str(EndpointId.parse(name)) if name.startswith("/") else name
