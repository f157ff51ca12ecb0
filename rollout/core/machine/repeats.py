"""What comes again is answered as it was answered: a yes by its id alone, a no with its reason."""

from datetime import datetime

from rollout.core.events import Beginning, Command, Event, Reply
from rollout.core.head import REFUSAL_TEXT_MAX, Head, Refusal
from rollout.core.machine.decision import Decision
from rollout.core.rotation.events import KeyCommand, KeyEvent

AGAIN = "; this was the answer at {at:%H:%M:%S} UTC, and what is asked again needs a new id"


def answered(head: Head, event_id: str) -> Decision | None:
    """The answer that was given to that id; None: nothing is known of it."""
    if event_id in head.seen:
        return Decision(head, "it is decided already", repeated=True)
    for no in reversed(head.refused):
        if no.id == event_id:
            why = f"{no.why}{AGAIN.format(at=no.at)}"
            return Decision(head, why, taken=False, repeated=True, refused_live=no.live)
    return None


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
    return head.refusing(Refusal(id=event.id, why=told, at=now, live=head.live))
