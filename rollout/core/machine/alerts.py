"""What an alert does: it needs no metrics, only its rule, its time and what it names."""

from dataclasses import replace
from datetime import datetime

from rollout.core.alerts import DEPLOYMENTS_MAX, RULE_MAX, AlertState, Meaning, kept
from rollout.core.events import AlertFired, AlertNotice, AlertResolved, Beginning, Looked
from rollout.core.head import Head
from rollout.core.machine import back
from rollout.core.machine.decision import Decision, hold, refuse, with_rollout
from rollout.core.machine.stages import carry_on
from rollout.core.minutes import floor
from rollout.core.patience import Then
from rollout.core.rollout import HoldCause, Phase, Rollout

# -- heard of, while nothing can be done -------------------------------------------------------


def heard(head: Head, event: AlertNotice, now: datetime) -> Decision:
    """Keep it in mind: the next start asks for it."""
    late = _nothing_new(head, event, now)
    if late is not None:
        return late
    nothing = "nothing was rolled out here yet"
    doing = nothing if head.phase is Phase.IDLE else f"it is {head.phase}"
    is_what = "resolved" if isinstance(event, AlertResolved) else "kept in mind"
    return Decision(_noted(head, event, now), f"{_what(event)} is {is_what}; {doing}")


# -- fired -------------------------------------------------------------------------------------


def fired(head: Head, rollout: Rollout, event: AlertFired, now: datetime) -> Decision:
    """Roll back or hold, as the policy says; who had no part in it is not blamed."""
    late = _nothing_new(head, event, now)
    if late is not None:
        return late
    noted, what = _noted(head, event, now), _what(event)
    innocent = _innocent(rollout, event)
    if innocent:
        return Decision(noted, f"{what} {innocent}")
    meaning = rollout.policy.on_alert.meaning(event.rule, event.severity)
    blame = "it names the canary" if event.deployments else "the canary is not proven guilty"
    if meaning is Meaning.HOLD:
        return hold(noted, rollout, HoldCause.ALERT, f"{what} fired; {blame}", now)
    if event.deployments or not _straddles(rollout, event):
        why = f"{what} fired; {blame}"
        return _blaming(back.roll_back(noted, rollout, why, now), event.fired_at)
    return _hold_for_a_look(head, rollout, event, now)


def _blaming(decision: Decision, fired_at: datetime) -> Decision:
    """The same, and the way back knows when the alert fired: so its delay can be told."""
    rollout = decision.head.rollout
    assert rollout is not None, decision
    assert rollout.rollback is not None, decision
    way = rollout.rollback.model_copy(update={"alert_fired_at": fired_at})
    blamed = rollout.model_copy(update={"rollback": way})
    return replace(decision, head=with_rollout(decision.head, blamed))


def _innocent(rollout: Rollout, event: AlertFired) -> str | None:
    """Why the alert is nothing to this rollout."""
    order, named = rollout.order, _names(event.deployments, rollout.canary)
    if event.deployments and not named:
        return f"names {', '.join(event.deployments)}, not the canary"
    if rollout.policy.on_alert.meaning(event.rule, event.severity) is Meaning.IGNORE:
        return "means nothing to the policy"
    if event.rule in order.despite_alerts and not named:
        return f"is overlooked, as {order.who} asked at the start"
    if event.fired_at < rollout.started_at:
        return "began before the rollout"
    return None


def _straddles(rollout: Rollout, event: AlertFired) -> bool:
    """Whether it was judged on time from before the minute in which the canary had traffic."""
    first = _first_traffic(rollout)
    began = event.began_at or event.fired_at
    return first is None or began < floor(first, rollout.minute)


def _first_traffic(rollout: Rollout) -> datetime | None:
    """When requests may first have reached the canary: seen, or else asked for."""
    if rollout.shares:
        return rollout.shares[0].since
    if rollout.observed.reaches(rollout.canary):
        return rollout.started_at
    return rollout.asked_at if rollout.wanted.reaches(rollout.canary) else None


def _hold_for_a_look(head: Head, rollout: Rollout, event: AlertFired, now: datetime) -> Decision:
    """It straddles the canary's first minute: one more look tells whether it goes away."""
    again = now + rollout.minute
    why = (
        f"{_what(event)} fired, on time from before the canary had traffic;"
        " if it is not resolved at the next look, the traffic goes back"
    )
    noted = _noted(head, event, now, look_at=again)
    held = rollout.hold
    if held is not None and held.until is None:  # for a person: that stays so
        return Decision(noted, why)
    way = (rollout.minute, Then.ROLL_BACK)
    return hold(noted, rollout, HoldCause.ALERT, why, now, way)


def still_fires(head: Head, rollout: Rollout, _event: Looked, now: datetime) -> Decision | None:
    """The concern of a look while held: an alert that straddled and was not resolved."""
    for one in head.alerts:
        if one.firing and one.fired_at >= rollout.started_at and _is_time(one, rollout, now):
            why = f"alert {one.rule} ({one.severity}) is not resolved"
            decision = back.roll_back(head, rollout, f"{why}; the canary is not proven guilty", now)
            return _blaming(decision, one.fired_at)
    return None


def _is_time(alert: AlertState, rollout: Rollout, now: datetime) -> bool:
    """Whether the look for which this hold waits has come; a person may have ended an older one."""
    held, look_at = rollout.hold, alert.look_at
    return held is not None and look_at is not None and held.since < look_at <= now


# -- resolved ----------------------------------------------------------------------------------


def resolved(head: Head, rollout: Rollout, event: AlertResolved, now: datetime) -> Decision:
    """Note it; what was held for one look at it goes on."""
    late = _nothing_new(head, event, now)
    if late is not None:
        return late
    noted, why = _noted(head, event, now), f"{_what(event)} is resolved"
    held = rollout.hold
    waits_for_it = held and held.cause is HoldCause.ALERT and held.until
    if not waits_for_it or any(one.look_at and one.firing for one in noted.alerts):
        return Decision(noted, why)
    return carry_on(noted, rollout, now, why)


# -- firing before a start ---------------------------------------------------------------------


def keeps_waiting(head: Head, event: Beginning, now: datetime) -> str | None:
    """Why a start has to wait for an alert, or be told to overlook it."""
    memory = event.policy.alert_memory_minutes * event.minute
    for one in head.alerts:
        forgotten_at = one.noticed_at + memory
        if not one.firing or now >= forgotten_at or one.rule in event.order.despite_alerts:
            continue
        meaning = event.policy.on_alert.meaning(one.rule, one.severity)
        live = {event.order.deployment, *event.view.live}
        concerned = not one.deployments or any(_names(one.deployments, name) for name in live)
        if concerned and meaning is not Meaning.IGNORE:
            return (
                f"alert {one.rule} ({one.severity}) has been firing since {one.fired_at:%H:%M} UTC:"
                " wait until it is resolved, or start with --despite-alert"
                f" {one.rule!r}; if nothing more is heard of it, it is forgotten at"
                f" {forgotten_at:%H:%M} UTC"
            )
    return None


# -- what is kept ------------------------------------------------------------------------------


def _nothing_new(head: Head, event: AlertNotice, now: datetime) -> Decision | None:
    """A repeat refreshes the time it was last heard of; what is older than that changes nothing."""
    known = next((one for one in head.alerts if one.key == _key(event)), None)
    stale = known is not None and event.fired_at < known.fired_at
    is_fired = isinstance(event, AlertFired)
    if known and not stale and is_fired and known.fired_at == event.fired_at:
        if not known.firing:
            return refuse(head, f"{_what(event)} is resolved already")
        again = known.model_copy(update={"noticed_at": now})
        refreshed = head.model_copy(update={"alerts": kept(head.alerts, again)})
        return Decision(refreshed, "it is decided already")
    if stale or event.id in head.seen:
        return refuse(head, "it is decided already")
    return None


def _noted(head: Head, event: AlertNotice, now: datetime, look_at: datetime | None = None) -> Head:
    state = AlertState(
        key=_key(event),
        rule=event.rule[:RULE_MAX],
        severity=event.severity,
        deployments=event.deployments[:DEPLOYMENTS_MAX],
        fired_at=event.fired_at,
        noticed_at=now,
        resolved_at=now if isinstance(event, AlertResolved) else None,
        look_at=look_at,
    )
    return head.model_copy(update={"alerts": kept(head.alerts, state)})


def _key(event: AlertNotice) -> str:
    return event.key or event.id


def _names(deployments: tuple[str, ...], name: str) -> bool:
    return name.lower() in {one.lower() for one in deployments}


def _what(event: AlertNotice) -> str:
    return f"alert {event.rule} ({event.severity})"
