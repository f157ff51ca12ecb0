"""The doors of CI and of Event Grid: what they announce starts what the policies say."""

from datetime import timedelta

from rollout.api.answers import Decided, EventsTaken
from rollout.api.callers import is_handshake
from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.api.rollouts import started
from rollout.core.news import News
from rollout.errors import Malformed
from rollout.inbox import Handshake, Unread, read_azure_devops, read_events, read_github

ORIGIN_HEADER = "webhook-request-origin"
EVENTS_PER_MINUTE = "120"
SKEW_MAX = timedelta(minutes=5)
TOO_OLD = "too old or of the future"
"""Under this name refused announcements are counted with those that mean nothing here."""


def github(parts: Parts, request: Request) -> Response:
    """Take a webhook of GitHub: start what a policy says, or say why nothing starts."""
    event = request.headers.get("x-github-event", "")
    delivery = request.headers.get("x-github-delivery", "")
    news = read_github(event, delivery, request.body)
    return _begun(parts, news)


def azure_devops(parts: Parts, request: Request) -> Response:
    """Take a service hook of Azure DevOps: start what a policy says, or say why nothing starts."""
    return _begun(parts, read_azure_devops(request.body))


def _begun(parts: Parts, news: News | str) -> Response:
    if isinstance(news, str):
        return answer(Decided(decided=news), 202)
    if why := _late(parts, news):
        parts.arrivals.count(TOO_OLD)
        raise Malformed(why)
    begun = parts.arrivals.begin(news)
    if begun.order is None or begun.decision is None:
        return answer(Decided(decided=begun.why), 202)
    return started(parts, news.id, begun.decision)


def _late(parts: Parts, news: object) -> str | None:
    """Why it comes at a wrong time. Neither a signature nor a secret has an end of its own.

    What was recorded and is sent again sooner is known by its id, or too old to be known.
    """
    now, hours = parts.clock.now(), parts.settings.hook_age_hours
    at = news.at if isinstance(news, News) else None
    if at is None or -SKEW_MAX <= now - at <= timedelta(hours=hours):
        return None
    return (
        f"it happened at {at.isoformat()}, and now it is {now.isoformat()}: it is taken for"
        f" {hours} hours (ROLLOUT_HOOK_AGE_HOURS); if it is meant, let it happen again"
    )


def event_grid(parts: Parts, request: Request) -> Response:
    """Take events of Event Grid; its handshake is answered with the code that it brings."""
    events = read_events(request.body)
    codes = [one.code for one in events if isinstance(one, Handshake)]
    if is_handshake(request) or codes:
        if len(codes) != 1 or len(events) != 1:
            raise Malformed("a handshake is one event with data.validationCode, and nothing else")
        return answer(EventsTaken(validationResponse=codes[0]))
    timely = [Unread(TOO_OLD, why) if (why := _late(parts, one)) else one for one in events]
    return answer(EventsTaken(decided=parts.arrivals.take(timely)))


def event_grid_origin(_parts: Parts, request: Request) -> Response:
    """Answer the handshake of CloudEvents: Event Grid may send here."""
    origin = request.headers.get(ORIGIN_HEADER, "")
    if not origin.lower().startswith("eventgrid.") or not origin.isascii() or len(origin) > 100:
        raise Malformed("WebHook-Request-Origin: missing, or not Event Grid's")
    allowed = {
        "WebHook-Allowed-Origin": origin,
        "WebHook-Allowed-Rate": EVENTS_PER_MINUTE,
        "Allow": "POST, OPTIONS",
    }
    return Response(200, b"", allowed)
