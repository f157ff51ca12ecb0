"""What comes again is answered as it was answered: a yes by its id alone, a no with its reason."""

from datetime import datetime

from rollout.core.events import Beginning, Command, Event, Reply
from rollout.core.head import HEARD_MAX, REFUSAL_TEXT_MAX, Head, Heard, Refusal
from rollout.core.machine.decision import Decision
from rollout.core.rotation.events import KeyCommand, KeyEvent

ANEW = "what is asked again needs a new id"
AGAIN = f"; this was the answer at {{at:%H:%M:%S}} UTC, and {ANEW}"


def answered(head: Head, event_id: str) -> Decision | None:
    """The answer that was given to that id; None: nothing is known of it."""
    heard = next((one for one in head.heard if one.id == event_id), None)
    if event_id in head.seen or (heard and heard.taken):
        return Decision(head, "it is decided already", repeated=True)
    for no in reversed(head.refused):
        if no.id == event_id:
            why = f"{no.why}{AGAIN.format(at=no.at)}"
            return Decision(head, why, taken=False, repeated=True, refused_live=no.live)
    if heard:
        return Decision(head, f"it was refused before, and {ANEW}", taken=False, repeated=True)
    return None


def forgotten(head: Head, event: Event) -> str | None:
    """Why an announcement is refused that may have been decided: so old that no id is known.

    Of those that are known the oldest goes first, so that whatever went happened before it.
    """
    at = event.announced_at if isinstance(event, Beginning) else None
    if at is None or len(head.heard) < HEARD_MAX or at > head.heard[0].at:
        return None
    return (
        f"it happened at {at:%Y-%m-%d %H:%M:%S} UTC, before the latest {HEARD_MAX} announcements"
        f" for {head.endpoint}: whether it was decided is not known any more; if it is meant, let"
        " it happen again"
    )


def is_for_good(event: Event | KeyEvent) -> bool:
    """Whether a no to it is an answer, which holds also when things have changed.

    What a look or our own request brings is not asked again under its id. A link answers its one
    question alone, and stays good until somebody who may has answered; a calendar asks for its day
    under one id, until that is answered by a rotation.
    """
    if isinstance(event, Reply) and event.question_since is not None:
        return False
    if isinstance(event, KeyCommand):
        return not event.standing
    return isinstance(event, Command | Beginning)


def refusing(head: Head, event: Event | KeyEvent, why: str, now: datetime) -> Head:
    """The row that knows the no; nothing else of it changes, and no look is put off."""
    told = why if len(why) <= REFUSAL_TEXT_MAX else f"{why[: REFUSAL_TEXT_MAX - 1]}…"
    row = head.refusing(Refusal(id=event.id, why=told, at=now, live=head.live))
    return _hearing(row, event, taken=False) or row


def remembering(head: Head, event: Event) -> Head:
    """The row that knows the yes."""
    return _hearing(head, event, taken=True) or head.remembering(event.id)


def _hearing(head: Head, event: Event | KeyEvent, *, taken: bool) -> Head | None:
    """Alerts and commands push out no announcement: of those it is known which are forgotten."""
    at = event.announced_at if isinstance(event, Beginning) else None
    return head.hearing(Heard(id=event.id, at=at, taken=taken)) if at else None
