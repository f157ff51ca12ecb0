"""What one decision leaves behind: the row with its debts and next look, and the entry it tells."""

import math
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json

from rollout.analysis.pace import allowed
from rollout.analysis.report import Arm, Evidence, Finding, Report
from rollout.core import outbox
from rollout.core.actions import Action, SetTraffic
from rollout.core.chain import first_link, link
from rollout.core.events import (
    AlertNotice,
    Beginning,
    Command,
    Event,
    HookAnswered,
    Looked,
    TrafficAccepted,
)
from rollout.core.head import Debt, Head, HistoryEntry
from rollout.core.hooks import TIMEOUT_SECONDS_MAX
from rollout.core.machine.decide import next_look
from rollout.core.machine.decision import Decision
from rollout.core.machine.onward import budget, seen
from rollout.core.machine.repeats import is_for_good, refusing, remembering
from rollout.core.rollout import Phase, Rollout
from rollout.core.topics import to_tell

_GRACE = timedelta(seconds=5)
_GRACE_OF_HOOK = timedelta(seconds=TIMEOUT_SECONDS_MAX + 5)
_GRACE_OF_SMOKE = timedelta(minutes=4)
"""So long the worker that decided has for itself; then any look may perform what is owed.

That of smoke is a piece of it, and one answer that takes as long as Azure lets it.
"""

FINDING_TEXT_MAX = 600
FINDING_TEXT_MIN = 100
FINDINGS_BYTES_MAX = 5_000
WHY_MAX = 1_500
"""An entry stays under 8 KiB, however many guards speak."""
LN_ONE_IN_MAX = 100.0


def record(
    before: Head, decision: Decision, event: Event, now: datetime, *, asked: bool = True
) -> tuple[Head, tuple[Debt, ...], HistoryEntry | None]:
    """The row to save, what is newly owed in it, and the history entry, if it is worth one.

    `asked` tells that the event came from outside: then a no to it is remembered.
    """
    if asked and not decision.taken and is_for_good(event):
        before = refusing(before, event, decision.why, now)
        kept = {"refused": before.refused, "heard": before.heard}
        decision = replace(decision, head=decision.head.model_copy(update=kept))
        if decision.head == before:
            return before, (), None
    row, new = _after(before, decision, event, now)
    if not _is_told(before, decision) and not isinstance(event, HookAnswered):
        return outbox.reminded(row), new, None
    words = to_tell(before.rollout, row.rollout)
    row, entry = outbox.owe(row, _entry(before, decision, event, now), words, now)
    written = {"entries": entry.number, "last_link": link(entry)}
    return outbox.reminded(row.model_copy(update=written)), new, entry


def _after(
    before: Head, decision: Decision, event: Event, now: datetime
) -> tuple[Head, tuple[Debt, ...]]:
    """The head with its new debts, its next look, and the event remembered."""
    head = decision.head
    turn = before.turn + 1
    new = tuple(
        Debt(
            id=f"{head.endpoint.key}:{head.generation}:{turn}:{place}",
            action=action,
            generation=head.generation,
            not_before=now + _grace(head, action),
        )
        for place, action in enumerate(decision.actions)
    )
    owed = (*_still_owed(before, decision), *new)
    soonest = min(
        (time for time in (next_look(head, now), *(debt.not_before for debt in owed)) if time),
        default=None,
    )
    if isinstance(event, AlertNotice) and before.due_at:  # many of them put off no look
        head = due(head.model_copy(update={"owed": owed}), min(soonest or now, before.due_at))
    else:
        fresh = {"owed": owed, "trouble": _trouble(event), "gone_since": None}
        head = head.model_copy(update=fresh)
        if not (isinstance(event, TrafficAccepted) and _is_planned(before, now, soonest)):
            head = due(head, soonest)
    yes = decision.taken and isinstance(event, Command | Beginning)
    if (yes or isinstance(event, AlertNotice)) and event.id not in head.seen:
        head = remembering(head, event)
    return head, new


def _grace(head: Head, action: Action) -> timedelta:
    """For a way back the shortest; a way onward may as well wait until it can be seen."""
    if action.type == "ask_hook":
        return _GRACE_OF_HOOK
    if action.type == "run_smoke":
        return _GRACE_OF_SMOKE
    onward = isinstance(action, SetTraffic) and not action.is_rollback
    return max(_GRACE, head.rollout.minute / 4) if onward and head.rollout else _GRACE


def _is_planned(before: Head, now: datetime, soonest: datetime | None) -> bool:
    """Whether a look is under way that comes as early: a second message would find nothing."""
    planned = before.due_at
    return planned is not None and soonest is not None and now < planned <= soonest


def _trouble(event: Event) -> str | None:
    return event.trouble if isinstance(event, Looked) else None


def _still_owed(before: Head, decision: Decision) -> tuple[Debt, ...]:
    """A new decision withdraws what an older generation, phase or stage owed."""
    head = decision.head
    replaced = {action.type for action in decision.actions}
    moved = _place(before.rollout) != _place(head.rollout)
    return tuple(
        debt
        for debt in head.owed
        if debt.generation == head.generation
        and debt.action.type not in replaced
        and (not moved or debt.action.type in _OF_THE_WHOLE)
    )


_OF_THE_WHOLE = frozenset({"claim_endpoint", "create_deployment"})
"""What is owed whatever phase or stage it is by now."""


def _place(rollout: Rollout | None) -> tuple[object, ...]:
    return (rollout.id, rollout.phase, rollout.stage) if rollout else ()


def due(head: Head, at: datetime | None) -> Head:
    """The row to be looked at then, or when its keys are, whichever comes first."""
    if head.rotation and head.rotation.due_at:
        at = min(at or head.rotation.due_at, head.rotation.due_at)
    return head.model_copy(update={"due_at": at, "turn": head.turn + 1})


def without(head: Head, debt: Debt | None) -> Head:
    if debt is None:
        return head
    owed = tuple(one for one in head.owed if one != debt)
    return head.model_copy(update={"owed": owed})


def _is_told(before: Head, decision: Decision) -> bool:
    """Every transition and new action leaves an entry; looks and repeated requests leave none."""
    after = decision.head
    moved = before.queued != after.queued or _told(before.rollout) != _told(after.rollout)
    heard = _heard(before) != _heard(after) and (after.live or before.live)
    learnt = before.copies != after.copies
    return (
        moved
        or heard
        or learnt
        or any(not _is_asked_again(before, action) for action in decision.actions)
    )


def _heard(head: Head) -> list[tuple[object, ...]]:
    return sorted(one.told for one in head.alerts)


def _is_asked_again(before: Head, action: Action) -> bool:
    """The map that was asked for already, and was not seen."""
    rollout = before.rollout
    return (
        rollout is not None
        and rollout.phase in {Phase.SHIFTING, Phase.ROLLING_BACK}
        and isinstance(action, SetTraffic)
        and action.traffic == rollout.wanted
    )


def _told(rollout: Rollout | None) -> tuple[object, ...]:
    if rollout is None:
        return ()
    back = rollout.rollback
    approved = rollout.asked.approved_by if rollout.asked else ()
    held = (rollout.hold.cause, rollout.hold.since) if rollout.hold else ()
    accepted = back.accepted_at if back else None
    return (
        *_place(rollout),
        rollout.paced.rule if rollout.paced else None,
        rollout.further,
        rollout.source,
        rollout.pairs_from,
        rollout.wanted,
        held,
        approved,
        accepted,
        rollout.trouble,
    )


def _entry(before: Head, decision: Decision, event: Event, now: datetime) -> HistoryEntry:
    rollout = decision.head.rollout
    return HistoryEntry(
        number=before.entries + 1,
        at=now,
        rollout_id=rollout.id if rollout else None,
        event=type(event).__name__,
        event_id=event.id,
        who=_who(event),
        before=before.phase,
        after=decision.head.phase,
        stage=str(rollout.here) if rollout else "",
        why=decision.why[:WHY_MAX],
        actions=tuple(str(action) for action in decision.actions),
        numbers={**_numbers(event, rollout, now), **_way_back(before.rollout, rollout)},
        previous=before.last_link or first_link(before.endpoint.key),
    )


def _who(event: Event) -> str:
    match event:
        case Command(who=who):
            return who
        case Beginning(order=order):
            return order.who
        case AlertNotice(rule=rule):
            return f"alert {rule}"
        case HookAnswered(hook=hook):
            return f"hook {hook}"
        case _:
            return "rollout"


def _numbers(event: Event, rollout: Rollout | None, now: datetime) -> dict[str, Any]:
    """What the decision rests on: the map that was seen, each guard's finding, and the budget."""
    if isinstance(event, AlertNotice):
        return {
            "fired_at": event.fired_at.isoformat(),
            "began_at": event.began_at.isoformat() if event.began_at else None,
            "heard_after_seconds": (now - event.fired_at).total_seconds(),
        }
    if isinstance(event, HookAnswered):
        return {"hook": event.hook, "answer": event.word.value, "reason": event.reason}
    if not isinstance(event, Looked):
        return {}
    numbers: dict[str, Any] = {
        "seen": event.view.traffic.model_dump(mode="json"),
        "readable_until": event.readable_until.isoformat() if event.readable_until else None,
    }
    if rollout and event.load:
        numbers["budget"] = _budget(event, rollout)
    return {**numbers, "findings": _findings(event.report)}


def _budget(event: Looked, rollout: Rollout) -> dict[str, Any]:
    """How many failed requests are allowed until they are noticed, and the share it gives."""
    known, limit = seen(rollout, event), budget(rollout)
    return {
        "failures": _plain(limit.at(known.requests_per_minute)),
        "share_allowed": allowed(known, limit),
    }


def _findings(report: Report | None) -> list[dict[str, Any]]:
    """The worst findings in full; where there are many, the others by their sentence."""
    findings = report.findings if report else ()
    told = [_short(one, FINDING_TEXT_MIN) for one in findings]
    room = FINDINGS_BYTES_MAX - len(to_json(told))
    worst_first = sorted(range(len(findings)), key=lambda at: -findings[at].verdict)
    for place in worst_first:
        full = {**_short(findings[place], FINDING_TEXT_MAX), **_in_numbers(findings[place])}
        more = len(to_json(full)) - len(to_json(told[place]))
        if more <= room:
            told[place], room = full, room - more
    return told


def _short(found: Finding, text_max: int) -> dict[str, Any]:
    return {
        "metric": found.guard.title,
        "severity": found.guard.severity,
        "verdict": found.verdict.name.lower(),
        "because": found.because[:text_max],
    }


def _in_numbers(found: Finding) -> dict[str, Any]:
    """Both arms' counts and rates, and the numbers behind them, to be checked years later."""
    evidence = _known(found.evidence) if found.evidence else {}
    if found.evidence:
        evidence["one_in"] = _plain(math.exp(min(LN_ONE_IN_MAX, found.evidence.ln_e)))
    arms = {"canary": found.canary, "baseline": found.baseline}
    return {**{name: _known(arm) for name, arm in arms.items() if arm}, "evidence": evidence}


def _known(numbers: Evidence | Arm) -> dict[str, object]:
    values = [(one.name, getattr(numbers, one.name)) for one in fields(numbers)]
    return {name: _plain(value) for name, value in values if value is not None}


def _plain(value: object) -> object:
    """A time as text, a number by its first six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value.isoformat() if isinstance(value, datetime) else value


def _way_back(before: Rollout | None, after: Rollout | None) -> dict[str, Any]:
    """How long after its decision a rollback was asked for, accepted and seen, in seconds."""
    was = before.rollback if before else None
    back = after.rollback if after else None
    if was is None or back is None or was == back:
        return {}
    times = {"request": back.asked_at, "acceptance": back.accepted_at, "seen": back.seen_at}
    took = {name: (at - back.decided_at).total_seconds() for name, at in times.items() if at}
    return {"seconds_after_decision": took} if took else {}
