"""Following one rollout: look, wait, look again, also while the controller is away for a while."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rollout.cli.controller import Controller
from rollout.cli.endings import Failure, Unreachable
from rollout.cli.session import Session
from rollout.core.head import HistoryEntry
from rollout.views import RolloutView

PAUSE_SECONDS = 2.0
PAUSE_SECONDS_FAST = 0.5
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known now; `news` are the entries since the moment before."""

    view: RolloutView
    entries: tuple[HistoryEntry, ...] = ()
    news: tuple[HistoryEntry, ...] = ()
    silence: float | None = field(default=None)


def follow(
    controller: Controller, session: Session, first: RolloutView, timeout: float | None = None
) -> Iterator[Moment]:
    """Every look at a rollout, until it is over or `timeout` seconds have passed.

    Raises Unreachable once the controller has been silent for longer than PATIENCE_SECONDS.
    """
    begun = heard = session.monotonic()
    moment = Moment(first)
    while True:
        try:
            moment = _look(controller, moment)
            heard = session.monotonic()
        except Unreachable as silent:
            silence = session.monotonic() - heard
            if silence > PATIENCE_SECONDS:
                raise _gave_up(silent, moment, silence) from silent
            moment = replace(moment, news=(), silence=silence)
        yield moment
        if moment.view.outcome and moment.silence is None:
            return
        pause = _pause(moment.view)
        if timeout is not None:
            left = begun + timeout - session.monotonic()
            if left <= 0:
                return
            pause = min(pause, left)
        session.sleep(pause)


def _look(controller: Controller, before: Moment) -> Moment:
    view = controller.rollout(before.view.id)
    after = before.entries[-1].number if before.entries else 0
    news = controller.history(view.id, after)
    return Moment(view, (*before.entries, *news), news)


def _pause(view: RolloutView) -> float:
    return PAUSE_SECONDS if view.minute_seconds >= 30 else PAUSE_SECONDS_FAST


def _gave_up(silent: Unreachable, moment: Moment, silence: float) -> Failure:
    return Unreachable(
        f"{silent.message}; it was silent for {silence:.0f} seconds."
        f" When last seen, {moment.view.endpoint} was {moment.view.phase}",
        where=silent.where,
        remedy=f"{silent.remedy}; then: rollout watch {moment.view.id}",
    )
