"""The doors of CI and of Event Grid: what they announce starts what the policies say."""

from datetime import datetime, timedelta

from rollout.api.answers import Decided, EventsTaken
from rollout.api.callers import is_handshake
from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.api.rollouts import started
from rollout.core.news import News
from rollout.errors import Malformed
from rollout.inbox import Handshake, read_azure_devops, read_events, read_github

ORIGIN_HEADER = "webhook-request-origin"
EVENTS_PER_MINUTE = "120"
AGE_MAX = timedelta(days=3)
"""So long GitHub lets people send a delivery again."""
SKEW_MAX = timedelta(minutes=5)


def github(parts: Parts, request: Request) -> Response:
    """Take a webhook of GitHub: start what a policy says, or say why nothing starts."""
    event = request.headers.get("x-github-event", "")
    delivery = request.headers.get("x-github-delivery", "")
    news = read_github(event, delivery, request.body)
    if isinstance(news, News) and news.at:
        _check_age(news.at, parts.clock.now())
    return _begun(parts, news)


def _check_age(at: datetime, now: datetime) -> None:
    """A signature has no end of its own: raises Malformed for what was signed too long ago."""
    if not -SKEW_MAX <= now - at <= AGE_MAX:
        raise Malformed(
            f"it happened at {at.isoformat()}, and now it is {now.isoformat()}: a delivery is taken"
            f" for {AGE_MAX.days} days; run the workflow again"
        )


def azure_devops(parts: Parts, request: Request) -> Response:
    """Take a service hook of Azure DevOps: start what a policy says, or say why nothing starts."""
    return _begun(parts, read_azure_devops(request.body))


def _begun(parts: Parts, news: News | str) -> Response:
    if isinstance(news, str):
        return answer(Decided(decided=news), 202)
    begun = parts.arrivals.begin(news)
    if begun.order is None or begun.decision is None:
        return answer(Decided(decided=begun.why), 202)
    return started(parts, news.id, begun.decision)


def event_grid(parts: Parts, request: Request) -> Response:
    """Take events of Event Grid; its handshake is answered with the code that it brings."""
    events = read_events(request.body)
    codes = [one.code for one in events if isinstance(one, Handshake)]
    if is_handshake(request) or codes:
        if len(codes) != 1 or len(events) != 1:
            raise Malformed("a handshake is one event with data.validationCode, and nothing else")
        return answer(EventsTaken(validationResponse=codes[0]))
    return answer(EventsTaken(decided=parts.arrivals.take(events)))


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
