"""The doors of those who watch: an alert is decided inside its request."""

from contextlib import suppress

from rollout import marks
from rollout.api.answers import Decided
from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.core.endpoint import EndpointId
from rollout.errors import Malformed, RolloutError, Unknown
from rollout.inbox import Alert, read_alert, read_alertmanager


def azure_monitor(parts: Parts, request: Request) -> Response:
    """Take an alert of Azure Monitor; what concerns nobody here is acknowledged and said."""
    return _decided(parts, read_alert(request.body))


def alertmanager(parts: Parts, request: Request) -> Response:
    """Take a group of alerts of Prometheus Alertmanager."""
    return _decided(parts, read_alertmanager(request.body, parts.settings.alert_labels))


def _decided(parts: Parts, heard: Alert) -> Response:
    told = list(heard.told)
    for name, notice in heard.notices:
        try:
            endpoint = parts.engine.recall(name)
        except (Unknown, Malformed) as stranger:
            told.append(str(stranger))
        else:
            told.append(parts.engine.handle(endpoint, notice).why)
    _leave_mark(parts, heard)
    return answer(Decided(decided="; ".join(told) or "no alert was in it"), 202)


def _leave_mark(parts: Parts, heard: Alert) -> None:
    """So that `rollout doctor` can tell when an alert last came; the alert needs it not."""
    about = ", ".join(_short(name) for name, _ in heard.notices)
    told = f"about {about}" if about else "; ".join(heard.told)
    with suppress(RolloutError):
        marks.note(parts.store, marks.ALERT, parts.clock.now(), told)


def _short(name: str) -> str:
    return str(EndpointId.parse(name)) if name.startswith("/") else name
