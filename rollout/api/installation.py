"""The installation over HTTP: that it lives, what it is, and what it could not deliver."""

from rollout.api.answers import About, DeadLetterList, DeadLetterView, Health
from rollout.api.exchange import NOTHING, Request, Response, answer
from rollout.api.parts import Parts
from rollout.ports import DeadLetter

VERSION = "0.1.0"


def health(_parts: Parts, _request: Request) -> Response:
    """Whether the controller answers."""
    return answer(Health())


def about(parts: Parts, _request: Request) -> Response:
    """Tell which controller this is, and how fast its clock runs."""
    told = About(
        installation=parts.settings.installation,
        version=VERSION,
        clock_speed=parts.settings.clock_speed,
        minute_seconds=parts.clock.minute.total_seconds(),
        arm_url=parts.settings.arm_url,
        workspaces=tuple(one.arm_id for one in parts.settings.workspaces),
        now=parts.clock.now(),
        unknown_events=parts.arrivals.unknown,
    )
    return answer(told)


def doctor(parts: Parts, _request: Request) -> Response:
    """Tell whether each part of this installation is well, and what to do where it is not."""
    return answer(parts.doctor.examine())


def dead_letters(parts: Parts, _request: Request) -> Response:
    """List the messages that were delivered too often without being done."""
    letters = tuple(_letter(one) for one in parts.queue.dead_letters())
    return answer(DeadLetterList(dead_letters=letters))


def _letter(one: DeadLetter) -> DeadLetterView:
    return DeadLetterView(
        queue=one.message.queue,
        id=one.message.id,
        reason=one.reason,
        deliveries=one.deliveries,
        at=one.at,
    )


def resend(parts: Parts, request: Request) -> Response:
    """Send a dead letter again, at once."""
    parts.queue.resend(request.path["queue"], request.path["id"])
    return NOTHING
