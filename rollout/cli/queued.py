"""Waiting for the turn of a deployment that was queued behind a live rollout."""

from dataclasses import dataclass
from math import inf

import click

from rollout.cli.endings import Exit, Failure, Unreachable
from rollout.cli.follow import PATIENCE_SECONDS, follow
from rollout.cli.talk import Talk
from rollout.views import RolloutView

FIRST_SECONDS = 600.0
"""So long a first rollout may take to begin behind a rotation of keys."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who waits behind what; `order` tells this start from every other one of that deployment."""

    deployment: str
    order: str
    behind: str


def wait_for_turn(talk: Talk, place: Place, timeout: float | None) -> RolloutView:
    """The rollout of this very start, once it has begun.

    Exits 3 when a newer deployment took its place, 4 when it could not start, 2 in the end.
    """
    begun = talk.session.monotonic()
    deadline = inf if timeout is None else begun + timeout
    last = _in_front(talk, place, min(deadline, begun + FIRST_SECONDS))
    if last.order == place.order:
        return last
    left = None if timeout is None else deadline - talk.session.monotonic()
    for moment in follow(talk.controller, talk.session, last, left):
        last = moment.view
        if last.queued_order != place.order and not last.outcome:
            _replaced(last, place)
    if not last.outcome:
        _undecided(last, place)
    return _begun(talk, last, place, deadline)


def _in_front(talk: Talk, place: Place, deadline: float) -> RolloutView:
    """The rollout in front; behind a rotation of keys, on an endpoint without any, the first."""
    key, is_rotation, _ = place.behind.rpartition("-keys-")
    if not is_rotation:
        return talk.controller.rollout(place.behind)
    endpoint = key.rpartition("-")[0]
    while talk.session.monotonic() < deadline:
        try:
            return talk.controller.rollout(endpoint)
        except Failure:  # nothing was rolled out there yet
            talk.session.sleep(1)
    _say_stays(place.deployment, place.behind)
    raise click.exceptions.Exit(Exit.UNDECIDED)


def _begun(talk: Talk, before: RolloutView, place: Place, deadline: float) -> RolloutView:
    """What the endpoint does after the rollout in front is over: a freeze has its time."""
    heard = talk.session.monotonic()
    while talk.session.monotonic() < deadline:
        try:
            now = talk.controller.rollout(before.endpoint)
        except Unreachable:
            if talk.session.monotonic() - heard > PATIENCE_SECONDS:
                raise
            talk.session.sleep(1)
            continue
        heard = talk.session.monotonic()
        if now.order == place.order:
            return now
        if now.id != before.id:
            _replaced(now, place)
        if now.queued_order != place.order:
            raise Failure(
                f"{place.deployment} could not start after {before.id} was over",
                where=now.endpoint,
                remedy=f"read why: rollout explain {now.endpoint}",
            )
        talk.session.sleep(1)
    _undecided(before, place)
    return before


def _replaced(now: RolloutView, place: Place) -> None:
    newer = now.queued or now.canary
    click.echo(f"rollout: {newer} is newer and took the place of {place.deployment}", err=True)
    raise click.exceptions.Exit(Exit.STOPPED)


def _undecided(last: RolloutView, place: Place) -> None:
    _say_stays(place.deployment, last.id)
    raise click.exceptions.Exit(Exit.UNDECIDED)


def _say_stays(deployment: str, behind: str) -> None:
    click.echo(f"rollout: {deployment} still waits behind {behind}; it stays queued", err=True)
