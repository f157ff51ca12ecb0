"""`rollout cancel`: a start taken back, from the queue or, where it is meant, from its rollout."""

import click

from rollout.cli.controller import in_path
from rollout.cli.endings import Failure
from rollout.cli.glance import told_of
from rollout.cli.talk import Talk, changes
from rollout.views import RolloutView

_NOT_THERE = frozenset({404, 409})
NOTHING = "nothing waits or goes on from that start"


@click.command(
    epilog="""\b
Examples:
  rollout cancel churn
  rollout cancel churn --why "wrong model"
  rollout cancel churn --start-key "$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT"  # CI"""
)
@click.argument("ref")
@click.option(
    "--start-key",
    metavar="KEY",
    help="Only the start with that --idempotency-key; where it has begun, it is aborted.",
)
@changes
def cancel(
    talk: Talk, ref: str, start_key: str | None, who: str | None, why: str, key: str
) -> None:
    """Take back the start that waits for its turn on REF.

    With --start-key whatever became of that one start: out of the queue, or all traffic back. What
    others have started is left alone, and a start that is over, or never came, is no mistake.
    """
    body = {"who": who, "why": why}
    if start_key is None:
        _ask(talk, ref, f"rollouts/{in_path(ref)}/cancel", body, key)
        return
    order = f"start:{start_key}"
    try:
        _ask(talk, ref, f"rollouts/{in_path(ref)}/cancel", {**body, "order": order}, key)
    except Failure as no:
        if no.status not in _NOT_THERE:
            raise
        _abort(talk, ref, order, body, key)


def _abort(talk: Talk, ref: str, order: str, body: dict[str, str | None], key: str) -> None:
    """What does not wait in the queue may have begun; it never goes back there."""
    begun = _begun(talk, ref, order)
    if begun is None:
        talk.answer({"decided": NOTHING, "rollout": None}, lambda: f"{ref}: {NOTHING}")
        return
    _ask(talk, ref, f"rollouts/{in_path(begun.id)}/abort", body, key)


def _begun(talk: Talk, ref: str, order: str) -> RolloutView | None:
    try:
        view = talk.controller.rollout(ref)
    except Failure as no:
        if no.status not in _NOT_THERE:
            raise
        return None
    return view if view.order == order and not view.outcome else None


def _ask(talk: Talk, ref: str, path: str, body: dict[str, str | None], key: str) -> None:
    answer = talk.controller.change("POST", path, body, key)
    decided, given = answer.body["decided"], answer.body.get("rollout")
    told = told_of(decided, talk.controller.view(given)) if given else f"{ref}: {decided}"
    talk.answer(answer.body, lambda: told)
