"""How a rollout begins: who is turned away, and what is recorded before anything is changed."""

from collections.abc import Callable
from datetime import datetime, timedelta

from rollout.core.actions import Action, ClaimEndpoint, CreateDeployment
from rollout.core.endpoint import Provisioning
from rollout.core.events import Beginning, CancelRequested, OrderFailed, StartRequested
from rollout.core.head import Head
from rollout.core.machine import alerts, back
from rollout.core.machine.decision import Decision, refuse
from rollout.core.pairs_from import settled, told_at_start
from rollout.core.patience import TooLittle
from rollout.core.policy import Kind
from rollout.core.rollout import Outcome, Phase, Rollout
from rollout.core.source import Source, choose

Objection = Callable[[Beginning], str | None]


def begin(head: Head, event: Beginning, now: datetime) -> Decision:
    """Start a rollout on an endpoint where none is live, or say why not."""
    for objection in _OBJECTIONS:
        why = objection(event)
        if why is not None:
            return refuse(_without_queued(head, event), why)
    waits = alerts.keeps_waiting(head, event, now) or not_new(head, event, now)
    if waits is not None:
        return refuse(_without_queued(head, event), waits)
    frost = None if event.order.despite_freeze else event.policy.freeze.frost(now)
    if frost is not None:
        waiting = {"queued": event.order, "queued_until": frost.until}
        return Decision(head.model_copy(update=waiting), f"{_waits(head, event)}: it is {frost}")
    generation = head.generation + 1
    rollout = _born(event, f"{head.endpoint.key}-{generation}", now)
    there = event.view.deployments.items()  # one on its way may still be announced
    known = {name: one.fingerprint for name, one in there if one.state.settled}
    fresh = {"generation": generation, "rollout": rollout, "owed": (), "known": known}
    begun = head.model_copy(update=fresh)
    over = rollout.baseline or "nothing"
    why = f"{event.order.who} starts {rollout.canary} against {over} under {event.policy_name}"
    chosen = choose(event.policy, event.view, event.sources).why
    why = "; ".join(filter(None, [why, chosen, told_at_start(rollout.pairs_from)]))
    if event.order.despite_alerts:
        why = f"{why}, despite the alert {', '.join(event.order.despite_alerts)}"
    if event.order.despite_freeze:
        why = f"{why}, despite every freeze"
    if event.cannot_tell:
        why = f"{why}; not everybody will be told: {'; '.join(event.cannot_tell)}"
    return Decision(_without_queued(begun, event), why, _first_actions(event))


def _first_actions(event: Beginning) -> tuple[Action, ...]:
    """Mark the endpoint as ours; create the canary where nobody has."""
    endpoint, name = event.order.endpoint, event.order.deployment
    claim = ClaimEndpoint(endpoint=endpoint)
    if event.creation is None or name in event.view.deployments:
        return (claim,)
    create = CreateDeployment(endpoint=endpoint, deployment=name, creation=event.creation)
    return (claim, create)


def begin_after_watch(head: Head, event: Beginning, now: datetime) -> Decision:
    """The same after a rollback: while a write accepted earlier may still land, it waits."""
    until = _lands_until(head.rollout) if head.rollout else None
    if until is None or now >= until:
        return begin(head, event, now)
    for objection in _OBJECTIONS_TO_WAITING:
        why = objection(event)
        if why is not None:
            return refuse(head, why)
    old = not_new(head, event, now)
    if old is not None:
        return refuse(head, old)
    queued = head.model_copy(update={"queued": event.order, "queued_until": None})
    what = "the endpoint is watched after the rollback"
    return Decision(queued, f"{_waits(head, event)} until {until:%H:%M:%S} UTC: {what}")


def _lands_until(rollout: Rollout) -> datetime | None:
    """Until when a write of the rollout that ended may land; None: it never asked for a map."""
    asked = rollout.shares or rollout.before != rollout.recorded
    return back.watched_until(rollout) if asked else None


def _waits(head: Head, event: Beginning) -> str:
    """Who waits; the latest takes the place of the one before."""
    instead = head.queued.deployment if head.queued else event.order.deployment
    other = f" in place of {instead}" if instead != event.order.deployment else ""
    return f"{event.order.deployment} waits{other}"


def _born(event: Beginning, rollout_id: str, now: datetime) -> Rollout:
    canary, baseline = event.order.deployment, _baseline(event)
    found = event.view.traffic
    recorded = found.with_canary(canary, baseline, 0) if baseline else found
    return Rollout(
        id=rollout_id,
        order=event.order,
        policy=event.policy,
        policy_name=event.policy_name,
        minute=event.minute,
        baseline=baseline,
        source=choose(event.policy, event.view, event.sources).source or Source.METRICS,
        managed=event.view.managed,
        pairs_from=settled(event.policy, first=baseline is None, here=event.sources.pairs),
        phase=Phase.PREPARING,
        started_at=now,
        phase_since=now,
        recorded=recorded,
        before=found,
        wanted=found,
        observed=found,
        fingerprints={
            name: view.fingerprint
            for name, view in event.view.deployments.items()
            if name == baseline
        },
    )


def _without_queued(head: Head, event: Beginning) -> Head:
    if head.queued != event.order:
        return head
    return head.model_copy(update={"queued": None, "queued_until": None})


def _baseline(event: Beginning) -> str | None:
    """The deployment serving now, or the one that the policy names; None: nothing serves."""
    if event.policy.baseline != "current":
        return event.policy.baseline
    live = [name for name in event.view.live if name != event.order.deployment]
    return live[0] if live else None


# -- objections: each a sentence that names what is wrong and what to do ------------------------


def _other_owner(event: Beginning) -> str | None:
    owner = event.view.owner
    if owner in {None, event.owner} or event.order.take_over:
        return None
    return f"{event.view.id} is worked on by {owner!r}; if that is over, start with --take-over"


def _no_canary(event: Beginning) -> str | None:
    view = event.view.deployments.get(event.order.deployment)
    made = event.creation
    if view is None and made is not None:
        return None
    if view is None:
        there = ", ".join(sorted(event.view.deployments)) or "none yet"
        return (
            f"{event.view.id} has no deployment {event.order.deployment!r}: it has {there};"
            " create it first, it may still be on its way when the rollout starts"
        )
    if made is not None and not made.is_model_of(view.model):
        return (
            f"{event.view.id} has a deployment {view.name} already, with the model {view.model};"
            f" {made.model} needs another name: mend deployment in the policy's start_on"
        )
    if view.state in {Provisioning.FAILED, Provisioning.CANCELED, Provisioning.DELETING}:
        return f"{view.name} is {view.state}: create it again, then start"
    return None


def _already_live(event: Beginning) -> str | None:
    canary, traffic = event.order.deployment, event.view.traffic
    if traffic.share(canary) == 100:
        return f"{canary} serves all traffic already: there is nothing to roll out"
    if traffic.share(canary) and not event.order.adopt:
        return f"{canary} has live traffic already ({traffic}); start with --adopt to go on from it"
    return None


def _no_single_baseline(event: Beginning) -> str | None:
    canary, traffic = event.order.deployment, event.view.traffic
    named = event.policy.baseline
    if named == "current":
        live = [name for name in event.view.live if name != canary]
        if len(live) > 1:
            return (
                f"more than one deployment is live ({traffic});"
                " name the one to compare with: baseline, in the policy"
            )
        return None
    if named == canary:
        return f"{canary} is the policy's baseline: it cannot be the canary as well"
    if not traffic.share(named):
        return f"the policy's baseline {named!r} has no live traffic ({traffic})"
    return None


def _cannot_mirror(event: Beginning) -> str | None:
    kinds = {entry.stage.kind for entry in event.policy.stages}
    copies = event.policy.too_little.then is TooLittle.MIRROR
    if (Kind.MIRROR not in kinds and not copies) or event.view.managed:
        return None
    return (
        f"{event.view.id} is a Kubernetes endpoint, which cannot mirror;"
        " use a policy that starts with a small canary weight"
    )


def _nothing_to_measure_by(event: Beginning) -> str | None:
    choice = choose(event.policy, event.view, event.sources)
    return choice.why if choice.source is None else None


def _cannot_ask(event: Beginning) -> str | None:
    """A hook that waits for an answer must not be found to be nobody's in the night."""
    return f"nobody can be asked: {'; '.join(event.cannot_ask)}" if event.cannot_ask else None


def _leaving(event: Beginning) -> str | None:
    state = event.view.state
    return f"{event.view.id} is being deleted" if state is Provisioning.DELETING else None


_OBJECTIONS_TO_WAITING: tuple[Objection, ...] = (
    _leaving,
    _other_owner,
    _no_canary,
    _cannot_ask,
)
_OBJECTIONS: tuple[Objection, ...] = (
    *_OBJECTIONS_TO_WAITING,
    _already_live,
    _no_single_baseline,
    _cannot_mirror,
    _nothing_to_measure_by,
)


# -- a deployment that someone wrote, and nobody asked to roll out ------------------------------

_SETTLING = timedelta(minutes=5)
"""So late may come the news of what we wrote ourselves."""


def not_new(head: Head, event: Beginning, now: datetime) -> str | None:
    """Why a written deployment is no reason to start: we wrote it, or it was there already."""
    name, last = event.order.deployment, head.rollout
    view = event.view.deployments.get(name)
    if not event.order.announced or view is None:
        return None
    if last and name in {last.canary, last.baseline}:
        ended_at = last.phase_since
        if not last.over or now < ended_at + _SETTLING:
            return f"{name} is part of {last.id}: what was written is taken for our own"
    prints = {head.known.get(name), last.fingerprints.get(name) if last else None}
    if view.fingerprint in prints:
        return f"{name} was there already and is what it was; start it by hand if it is meant"
    return None


# -- a newer deployment while one is on its way -------------------------------------------------


def newer(head: Head, rollout: Rollout, event: StartRequested, now: datetime) -> Decision:
    """Queue it, let it take over, or turn it away, as the running rollout's policy says."""
    known = not_new(head, event, now)
    if known is not None:
        return refuse(head, known)
    if event.order.deployment == rollout.canary:
        return refuse(head, f"{rollout.canary} is being rolled out already: {rollout.id}")
    for objection in _OBJECTIONS_TO_WAITING:
        why = objection(event)
        if why is not None:
            return refuse(head, why)
    if rollout.policy.on_newer == "refuse":
        return refuse(head, f"{rollout.id} is live and its policy refuses newer deployments")
    queued = head.model_copy(update={"queued": event.order, "queued_until": None})
    ending = rollout.proven or rollout.phase is Phase.ROLLING_BACK
    if rollout.policy.on_newer == "supersede" and not ending:
        why = f"{event.order.deployment} is newer and takes over"
        return back.roll_back(queued, rollout, why, now, Outcome.SUPERSEDED, event.order.who)
    return Decision(queued, f"{_waits(head, event)} until {rollout.id} is over")


def order_failed(head: Head, event: OrderFailed, _now: datetime) -> Decision:
    """What waited cannot start: it is dropped, and said."""
    if head.queued != event.order:
        return refuse(head, "it does not wait any more")
    dropped = head.model_copy(update={"queued": None, "queued_until": None})
    return Decision(dropped, f"{event.order.deployment} cannot start: {event.reason}")


def cancelled(head: Head, event: CancelRequested, _now: datetime) -> Decision:
    """What waits is taken back; what is under way goes on."""
    if head.queued is None:
        return refuse(head, "no start waits here; abort is for a rollout that has begun")
    if event.order not in {None, head.queued.id}:
        return refuse(head, f"{head.queued.deployment} waits here by another start: it is left")
    dropped = head.model_copy(update={"queued": None, "queued_until": None})
    why = f": {event.why}" if event.why else ""
    return Decision(
        dropped, f"the start of {head.queued.deployment} is cancelled by {event.who}{why}"
    )
