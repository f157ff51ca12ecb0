"""Rollouts over HTTP: start one, see them, ask something of one."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta

from rollout.api.answers import (
    AnsweredApart,
    DecidedRollout,
    Disagreements,
    History,
    Queued,
    RolloutList,
    WaitingStart,
)
from rollout.api.exchange import Request, Response, answer
from rollout.api.listing import page
from rollout.api.parts import Decider, Parts
from rollout.api.problems import Impossible
from rollout.core.endpoint import EndpointId
from rollout.core.events import CancelRequested
from rollout.core.head import Head, HistoryEntry
from rollout.core.machine.back import way_back
from rollout.core.machine.decision import Decision
from rollout.core.machine.repeats import answered
from rollout.core.pairs_from import JOINED
from rollout.core.policy import Approval
from rollout.core.rollout import Order, Rollout
from rollout.errors import Conflict, Refused, RolloutError, Unavailable, Unknown
from rollout.inbox import (
    COMMANDS,
    UPWARD,
    RolloutCommandBody,
    StartBody,
    endpoint_name,
    read_body,
)
from rollout.views import RolloutView, needing_a_person_first, view

PREFIX = "api"
STATES = ("all", "live", "ended")
LIMIT, LIMIT_MAX = 50, 500
_FAR = timedelta(days=366)
HISTORY_PAGE = 1000
REPEATS_AFTER = 200
"""So many of an endpoint's entries are looked through for what an earlier request came to."""
_ENGINES: Mapping[str, Callable[[Decider, EndpointId, str, str, str], Decision]] = {
    "retry": lambda engine, *asked: engine.retry(*asked),
    "undo": lambda engine, *asked: engine.undo(*asked),
}
CANCEL = "cancel"
ASKED = (*COMMANDS, *_ENGINES, CANCEL)
"""Every command; the engine looks at the endpoint before it decides some of them."""
ABORT = "abort"
OVERRULING = ("approve", "reject", "skip", "promote", "release")
"""Commands that stand for people's yes or no, or go on without what was measured."""

_OF_SOME: Mapping[str, Sequence[str]] = {"order": (CANCEL,), "despite_freeze": UPWARD}
"""What of a body only these commands take: another would read it and ignore it."""
_ROLLOUT_ID = re.compile(r"(?P<key>[A-Za-z0-9_-]+-[0-9a-f]{10})-[0-9]+")


# -- start -----------------------------------------------------------------------------------


def start(parts: Parts, request: Request) -> Response:
    """Start to roll out a deployment, or say why not."""
    body = read_body(request.body, StartBody)
    order = body.order(parts.engine.resolve(endpoint_name(body.endpoint)), request.caller)
    event_id = parts.event_id(request, "start")
    return started(parts, event_id, parts.engine.start(order, event_id))


def started(parts: Parts, event_id: str, decision: Decision) -> Response:
    """The rollout that this very start began, or its place in the queue.

    Raises Conflict, Impossible.
    """
    head, why = decision.head, decision.why
    if not decision.taken:
        raise Conflict(why) if decision.live else Impossible(why)
    if head.queued and head.queued.id == event_id:
        return answer(_waits(head, head.queued, why), 202)
    rollout = _begun_by(parts, head, event_id)
    if rollout is None:
        raise Conflict(
            f"{why}, and nothing waits or goes on from it: it could not start, or a newer one took"
            f" its place; see the history of {head.endpoint}"
        )
    where = {"Location": f"/{PREFIX}/rollouts/{rollout.id}"}
    return answer(_view(parts, head, rollout), 201, where)


def _waits(head: Head, queued: Order, why: str) -> Queued:
    first = head.rollout.id if head.rollout else str(head.rotation and head.rotation.id)
    behind, until = None if head.queued_until else first, head.queued_until
    return Queued(queued=queued.deployment, order=queued.id, behind=behind, until=until, why=why)


def _begun_by(parts: Parts, head: Head, event_id: str) -> Rollout | None:
    """The rollout of that order: the one that is there, or an earlier one."""
    if head.rollout and head.rollout.order.id == event_id:
        return head.rollout
    earlier = (parts.store.rollout(head.endpoint.key, name) for name in _latest(parts, head))
    return next((one for one in earlier if one and one.order.id == event_id), None)


def _latest(parts: Parts, head: Head) -> Sequence[str]:
    """The ids of the endpoint's last rollouts, latest first."""
    told = [entry.rollout_id for entry in _last_entries(parts, head) if entry.rollout_id]
    return list(dict.fromkeys(reversed(told)))


def _last_entries(parts: Parts, head: Head) -> Sequence[HistoryEntry]:
    return parts.store.history(head.endpoint.key, max(0, head.entries - REPEATS_AFTER))


# -- see -------------------------------------------------------------------------------------


def listed(parts: Parts, request: Request) -> Response:
    """List rollouts: those that need a person first."""
    state = request.choice("state", STATES, STATES[0])
    limit = request.number("limit", LIMIT, 1, LIMIT_MAX)
    after = request.query.get("after")
    views, more = page(parts, state, limit, after)
    waiting = _waiting(parts) if state != "ended" and after is None else ()
    rollouts = tuple(needing_a_person_first(views))
    return answer(RolloutList(rollouts=rollouts, waiting=waiting, next=more))


def _waiting(parts: Parts) -> tuple[WaitingStart, ...]:
    """Starts that wait: each has a time at which its endpoint is looked at."""
    due = parts.store.due(parts.clock.now() + _FAR, LIMIT_MAX)
    return tuple(
        WaitingStart(
            endpoint=str(head.endpoint),
            deployment=head.queued.deployment,
            who=head.queued.who,
            why=head.queued.why,
            behind=head.rollout.id if head.live and head.rollout else None,
            until=head.queued_until,
        )
        for head in due
        if head.queued
    )


def shown(parts: Parts, request: Request) -> Response:
    """Show one rollout: by its id, or an endpoint's live or last one."""
    head, rollout = _find(parts, request.path["ref"])
    return answer(_view(parts, head, rollout))


def history(parts: Parts, request: Request) -> Response:
    """List what was decided in one rollout, in order."""
    after = request.number("after", 0, 0, 999_999_999)
    _, rollout = _find(parts, request.path["ref"])
    return answer(History(entries=_entries(parts, rollout, after)))


def minutes(parts: Parts, request: Request) -> Response:
    """Show what was counted in one rollout, minute by minute: what a replay reads."""
    _, rollout = _find(parts, request.path["ref"])
    return answer(parts.memory.recording(rollout))


def disagreements(parts: Parts, request: Request) -> Response:
    """Show where the answers to the same requests differed in one rollout."""
    _, rollout = _find(parts, request.path["ref"])
    agreement, probes = rollout.policy.agreement, parts.memory.probes(rollout)
    pairs = probes.pairs(rollout.canary)
    kept = probes.kept(rollout.canary, agreement.keep if agreement else 0)
    told = Disagreements(
        rollout=rollout.id,
        pairs_from=rollout.pairs_from,
        requests=agreement.requests if agreement else None,
        sent=0 if rollout.pairs_from in JOINED else probes.sent(rollout.canary),
        compared=sum(one.compared for one in pairs),
        differing=sum(one.disagreeing for one in pairs),
        answers_kept=agreement is not None and agreement.keep_answers,
        disagreements=tuple(AnsweredApart(**asdict(one)) for one in kept),
    )
    return answer(told)


def _entries(parts: Parts, rollout: Rollout, after: int) -> tuple[HistoryEntry, ...]:
    found: list[HistoryEntry] = []
    while True:
        page = parts.store.history(rollout.endpoint.key, after, HISTORY_PAGE)
        found += [entry for entry in page if entry.rollout_id == rollout.id]
        if len(page) < HISTORY_PAGE:
            return tuple(found)
        after = page[-1].number


def _find(parts: Parts, ref: str) -> tuple[Head, Rollout]:
    """The rollout of that id; of an endpoint, its live or last one. Raises Unknown, Malformed."""
    by_id = _ROLLOUT_ID.fullmatch(ref)
    if by_id:
        head = parts.store.load_key(by_id["key"]).head
        rollout = parts.store.rollout(by_id["key"], ref)
        if rollout is None:
            raise Unknown(f"there is no rollout {ref}; see GET /{PREFIX}/rollouts")
        return head, rollout
    endpoint = parts.engine.recall(endpoint_name(ref.replace("~", "/")))
    head = parts.store.load(endpoint).head
    if head.rollout is None:
        waits = f"; {head.queued.deployment} waits to start" if head.queued else ""
        remedy = f": take it back by rollout cancel {endpoint}" if waits else ""
        raise Unknown(f"nothing was rolled out on {endpoint} yet{waits}{remedy}")
    return head, head.rollout


def _view(parts: Parts, head: Head, rollout: Rollout) -> RolloutView:
    return view(head, rollout, parts.clock.now())


# -- ask -------------------------------------------------------------------------------------


def command(parts: Parts, request: Request) -> Response:
    """Ask something of a rollout; 409 with the reason when it means nothing now."""
    name = request.path["command"]
    if name not in ASKED:
        known = ", ".join(ASKED)
        raise Unknown(f"there is no command {name[:50]!r}; there are: {known}")
    body = read_body(request.body, RolloutCommandBody)
    _check_taken(name, body)
    if name == CANCEL:
        return _cancelled(parts, request, body)
    if name == ABORT:
        return _aborted(parts, request, body)
    return _commanded(parts, request, name, body)


def _check_taken(name: str, body: RolloutCommandBody) -> None:
    """Raises Conflict for what the command would ignore."""
    for word, commands in _OF_SOME.items():
        if getattr(body, word) and name not in commands:
            raise Conflict(f"{word}: taken by {', '.join(commands)} alone; leave it out of {name}")


def _cancelled(parts: Parts, request: Request, body: RolloutCommandBody) -> Response:
    """Of an endpoint, also of one on which nothing was rolled out yet."""
    who, why = request.caller.signs(body.who, body.why)
    ref = request.path["ref"]
    by_id = _ROLLOUT_ID.fullmatch(ref)
    if by_id:
        endpoint = parts.store.load_key(by_id["key"]).head.endpoint
    else:
        endpoint = parts.engine.recall(endpoint_name(ref.replace("~", "/")))
    event_id = parts.event_id(request, f"{CANCEL}:{endpoint.key}")
    event = CancelRequested(id=event_id, who=who, why=why, order=body.order)
    decision = parts.engine.handle(endpoint, event)
    if not decision.taken:
        raise Conflict(decision.why)
    head = decision.head
    seen = _view(parts, head, head.rollout) if head.rollout else None
    return answer(DecidedRollout(decided=decision.why, rollout=seen))


def _aborted(parts: Parts, request: Request, body: RolloutCommandBody) -> Response:
    """Where neither store nor Azure takes it the answer names the ways that need no controller."""
    try:
        return _commanded(parts, request, ABORT, body)
    except (Unavailable, Refused) as error:
        ways = _ways_back(parts, request.path["ref"])
        after = error.after if isinstance(error, Unavailable) else None
        raise Unavailable(f"{error}. The abort is not decided{ways}", after) from error


def _ways_back(parts: Parts, ref: str) -> str:
    try:
        head, rollout = _find(parts, ref)
    except RolloutError:
        return "; if it cannot wait, run: rollout abort --direct S/RG/W/ENDPOINT"
    at = head.endpoint
    where = f"{at.subscription}/{at.resource_group}/{at.workspace}/{at.name}"
    return (
        f"; if it cannot wait, run: rollout abort --direct {where}; or {way_back(rollout).by_hand}"
    )


def _commanded(parts: Parts, request: Request, name: str, body: RolloutCommandBody) -> Response:
    who, why = request.caller.signs(body.who, body.why)
    head, rollout = _find(parts, request.path["ref"])
    event_id = parts.event_id(request, _meant(name, request.path["ref"]))
    decision = answered(head, event_id)
    if decision is None and (head.rollout is None or head.rollout.id != rollout.id):
        latest = head.rollout.id if head.rollout else "none"
        raise Conflict(f"{rollout.id} is over; the endpoint's latest rollout is {latest}")
    if decision is None and name in _ENGINES:
        decision = _ENGINES[name](parts.engine, head.endpoint, event_id, who, why)
    elif decision is None:
        asked = body.model_dump(exclude={"who", "why"}, exclude_defaults=True)
        told = {"id": event_id, "who": who, "why": why, "rollout_id": rollout.id, **asked}
        event = COMMANDS[name].model_validate({**told, "groups": _asked(rollout, request)})
        decision = parts.engine.handle(head.endpoint, event)
    return _decided(parts, decision, event_id)


def _meant(name: str, ref: str) -> str:
    """What is asked of which one, as the caller wrote it: a repeat may find another rollout there.

    So an abort of `churn` that is delivered again never aborts the next rollout of churn.
    """
    return f"{name}:{ref}" if _ROLLOUT_ID.fullmatch(ref) else name


def _asked(rollout: Rollout, request: Request) -> tuple[str, ...]:
    """The caller's groups that the rollout's approvals name."""
    stages = [one for one in rollout.stages if isinstance(one, Approval)]
    asked = [*stages, *([rollout.asked] if rollout.asked else [])]
    named = {name for one in asked for name in (*one.by, *one.groups)}
    return tuple(sorted(named & request.caller.groups))


def _decided(parts: Parts, decision: Decision, event_id: str) -> Response:
    head = decision.head
    rollout = _decided_on(parts, head, event_id) if decision.repeated else head.rollout
    if not decision.taken or rollout is None:
        raise Conflict(decision.why)
    seen = _view(parts, head, rollout)
    return answer(DecidedRollout(decided=decision.why, rollout=seen))


def _decided_on(parts: Parts, head: Head, event_id: str) -> Rollout | None:
    """The rollout that a repeated command was for: by now it may be another's turn."""
    told = {entry.event_id: entry.rollout_id for entry in _last_entries(parts, head)}
    found = parts.store.rollout(head.endpoint.key, told.get(event_id) or "")
    return found or head.rollout
