"""Waiting for the turn of a deployment that was queued behind a live rollout."""

from math import inf

import click

from rollout.cli.endings import Exit, Failure
from rollout.cli.follow import follow
from rollout.cli.talk import Talk
from rollout.views import RolloutView


def wait_for_turn(talk: Talk, behind: str, deployment: str, timeout: float | None) -> RolloutView:
    """The queued deployment's own rollout, once it has begun.

    Exits 3 when a newer deployment took its place, 4 when it could not start, 2 in the end.
    """
    last = _in_front(talk, behind, deployment, timeout)
    if last.canary == deployment and last.id != behind:
        return last
    for moment in follow(talk.controller, talk.session, last, timeout):
        last = moment.view
        if last.queued != deployment and not last.outcome:
            _replaced(last, deployment)
    if not last.outcome:
        _undecided(last, deployment)
    return _begun(talk, last, deployment, timeout)


def _in_front(talk: Talk, behind: str, deployment: str, timeout: float | None) -> RolloutView:
    """The rollout in front; behind a rotation of keys, on an endpoint without any, the first."""
    key, is_rotation, _ = behind.rpartition("-keys-")
    if not is_rotation:
        return talk.controller.rollout(behind)
    endpoint = key.rpartition("-")[0]
    deadline = talk.session.monotonic() + (timeout or 600)
    while talk.session.monotonic() < deadline:
        try:
            return talk.controller.rollout(endpoint)
        except Failure:  # nothing was rolled out there yet
            talk.session.sleep(1)
    click.echo(f"rollout: {deployment} still waits behind {behind}; it stays queued", err=True)
    raise click.exceptions.Exit(Exit.UNDECIDED)


def _begun(talk: Talk, before: RolloutView, deployment: str, timeout: float | None) -> RolloutView:
    """What the endpoint does after the rollout in front is over."""
    deadline = talk.session.monotonic() + (timeout or inf)  # a watch and a freeze have their time
    while talk.session.monotonic() < deadline:
        now = talk.controller.rollout(before.endpoint)
        if now.id != before.id:
            if now.canary != deployment:
                _replaced(now, deployment)
            return now
        if now.queued != deployment:
            raise Failure(
                f"{deployment} could not start after {before.id} was over",
                where=now.endpoint,
                remedy=f"read why: rollout explain {now.endpoint}",
            )
        talk.session.sleep(1)
    _undecided(before, deployment)
    return before


def _replaced(now: RolloutView, deployment: str) -> None:
    newer = now.queued or now.canary
    click.echo(f"rollout: {newer} is newer and took the place of {deployment}", err=True)
    raise click.exceptions.Exit(Exit.STOPPED)


def _undecided(last: RolloutView, deployment: str) -> None:
    click.echo(f"rollout: {deployment} still waits behind {last.id}; it stays queued", err=True)
    raise click.exceptions.Exit(Exit.UNDECIDED)
