"""Retention over HTTP: what is older than a time is removed, or only told."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from rollout.api.exchange import Request, Response, answer
from rollout.api.parts import Parts
from rollout.errors import Conflict
from rollout.inbox import CommandBody, read_body
from rollout.inbox.alerts import Moment


class PruneBody(CommandBody):
    """Remove history and finished rollouts of before a time; live ones are left alone."""

    before: Annotated[Moment | None, Field(strict=False)] = Field(
        None, description="a time with its zone; none: as the setting keep_days says"
    )
    after: str = Field("", max_length=255, description="the `next` of the page before")
    dry_run: bool = Field(default=False, description="only tell what would be removed")


def pruned(parts: Parts, request: Request) -> Response:
    """Remove what is older than a time, of the next endpoints; an admin's."""
    body = read_body(request.body, PruneBody)
    who, _ = request.caller.signs(body.who, body.why)
    before = _before(parts, body.before)
    return answer(parts.retention.page(before, body.after, who, dry=body.dry_run))


def _before(parts: Parts, asked: datetime | None) -> datetime:
    now, days = parts.clock.now(), parts.settings.keep_days
    if asked is None and days is None:
        raise Conflict("nothing says what is old: give `before`, or set ROLLOUT_KEEP_DAYS")
    before = asked or now - timedelta(days=days or 0)
    if before > now:
        raise Conflict(f"before: {before.isoformat()} is still to come; give a time that is past")
    return before
