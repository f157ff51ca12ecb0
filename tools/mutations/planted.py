"""The faults: each breaks one thing in one place, by a text that stands there exactly once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault: what it does, in which file, and the text it puts in another's place."""

    name: str
    file: str
    found: str
    instead: str


KEYS = "rollout/core/rotation"
ENGINE, RECORD, HEAD = "rollout/engine.py", "rollout/core/record.py", "rollout/core/head.py"
MACHINE = "rollout/core/machine"

PLANTED: tuple[Planted, ...] = (
    Planted(
        "a row is saved without its ETag",
        ENGINE,
        "saved = self._store.save(held, row, entry)",
        "saved = self._store.save(self._store.load(endpoint), row, entry)",
    ),
    Planted(
        "an event that was seen is decided again",
        ENGINE,
        "if known := None if isinstance(event, AlertNotice) else answered(held.head, event.id):",
        "if known := None if event.id else answered(held.head, event.id):",
    ),
    Planted(
        "what is decided is performed before it is saved",
        ENGINE,
        "row, new, entry = record(before, decision, event, now, asked=asked)",
        "row, new, entry = record(before, decision, event, now, asked=asked)\n"
        "            self._perform(endpoint, new)",
    ),
    Planted(
        "a look counts although something was decided since",
        ENGINE,
        "if turn is not None and turn != held.head.turn:",
        "if turn is not None and turn > held.head.turn:",
    ),
    Planted(
        "a debt is struck off before it is performed",
        ENGINE,
        "answer = self._effects.perform(debt, still_wanted)",
        "self._strike_off(endpoint, debt)\n"
        "                answer = self._effects.perform(debt, lambda: True)",
    ),
    Planted(
        "a withdrawn action is performed all the same",
        ENGINE,
        "return debt in self._store.load(endpoint).head.owed",
        "return bool(self._store.load(endpoint).head or debt)",
    ),
    Planted(
        "a deletion that was withdrawn since it was saved is done",
        ENGINE,
        "return debt in head.owed",
        "return bool(head.owed or debt)",
    ),
    Planted(
        "a deletion is done although a rollback is kept in the endpoint's tags",
        ENGINE,
        "return retires and head.rollout is not None and",
        "return retires and head.rollout is None and",
    ),
    Planted(
        "a store that refuses keeps the way back",
        ENGINE,
        "except (Unavailable, Refused) as error:\n                return self._unsaved",
        "except Unavailable as error:\n                return self._unsaved",
    ),
    Planted(
        "how far the smoke requests came is not kept",
        ENGINE,
        '"smoked": done.smoked',
        '"smoked": None',
    ),
    Planted(
        "an action that waits is forgotten",
        ENGINE,
        "owed = tuple(waiting if one == debt else one for one in head.owed)",
        "owed = tuple(one for one in head.owed if one != debt)",
    ),
    Planted(
        "the sweep sends nothing",
        "rollout/sweeping.py",
        "for place, head in enumerate(heads):",
        "for place, head in enumerate(heads[:0]):",
    ),
    Planted(
        "a message's id has no attempt",
        HEAD,
        "{self.generation}:{self.turn}:{self.attempt}",
        "{self.generation}:{self.turn}",
    ),
    Planted(
        "the ids of events are not kept",
        RECORD,
        "head = remembering(head, event)",
        "head = head.remembering('')",
    ),
    Planted(
        "what an older generation owed is not withdrawn",
        RECORD,
        "if debt.generation == head.generation\n        and debt.action.type",
        "if debt.action.type",
    ),
    Planted(
        "transitions leave no entry",
        RECORD,
        "if not _is_told(before, decision) and not isinstance(event, HookAnswered):",
        "if not decision.actions:",
    ),
    Planted(
        "a write that was accepted is taken for seen",
        f"{MACHINE}/looked.py",
        "if event.view.traffic != rollout.wanted or not settled:",
        "if not settled:",
    ),
    Planted(
        "the shortest time does not count",
        f"{MACHINE}/judged.py",
        "    stage = _trial(rollout)\n    shortest = stage.shortest_minutes * rollout.minute",
        "    stage = _trial(rollout)\n    shortest = timedelta(0)",
    ),
    Planted(
        "the last minutes' metrics are not waited for",
        f"{MACHINE}/judged.py",
        "if shortest and not rollout.clock.has_measured(shortest):",
        "if shortest and not rollout.clock.has_measured(timedelta(0)):",
    ),
    Planted(
        "no data is a pass",
        f"{MACHINE}/onward.py",
        "return report is not None and bool(report.counting) and not report.open",
        "return report is None or all(one.verdict < 3 for one in report.open)",
    ),
    Planted(
        "silence is not noticed",
        f"{MACHINE}/judged.py",
        "    if not silent(rollout, event, now):\n        return None\n    rule",
        "    if rollout.over or silent(rollout, event, now):\n        return None\n    rule",
    ),
    Planted(
        "a hold never ends by itself",
        f"{MACHINE}/overdue.py",
        "if held is None or held.until is None or held.then is None or now < held.until:",
        "if held is None or held.until is None or held.then is None or now > held.since:",
    ),
    Planted(
        "the deadline of a question passes unnoticed",
        f"{MACHINE}/overdue.py",
        "if asked is None or now < asked.deadline:",
        "if asked is None or now > rollout.started_at:",
    ),
    Planted(
        "a failed guard is ignored",
        f"{MACHINE}/judged.py",
        "if not failed or held:",
        "if failed or not held:",
    ),
    Planted(
        "a pause does not stop the stage's time",
        f"{MACHINE}/decision.py",
        "clock = rollout.clock.stopped(now)\n    return stay(",
        "clock = rollout.clock\n    return stay(",
    ),
    Planted(
        "a rollback compares the map with what it expects",
        f"{MACHINE}/back.py",
        "traffic=rollout.recorded, expect=None, canary",
        "traffic=rollout.recorded, expect=rollout.wanted, canary",
    ),
    Planted(
        "a rollback that is refused is not asked for again",
        f"{MACHINE}/back.py",
        "if not _owes_traffic(head) and looked.view.state.settled and (late or",
        "if not head.owed and rollout.asked_at is None and (late and",
    ),
    Planted(
        "a rollback asks for the map last seen",
        f"{MACHINE}/back.py",
        "endpoint=rollout.endpoint, traffic=rollout.recorded, expect=None",
        "endpoint=rollout.endpoint, traffic=rollout.observed, expect=None",
    ),
    Planted(
        "nothing is watched after a rollback",
        f"{MACHINE}/back.py",
        "if found == rollout.before or found.reaches(rollout.canary):",
        "if found == rollout.recorded:",
    ),
    Planted(
        "a rollback counts when it is accepted",
        f"{MACHINE}/back.py",
        "if looked.view.traffic == rollout.recorded and looked.view.state.settled:",
        "if looked.view.state.settled and rollout.asked_at:",
    ),
    Planted(
        "a change by someone else is ignored",
        f"{MACHINE}/others.py",
        "    if str(found) in ours:\n        return None",
        "    if str(found) in ours or found.live:\n        return None",
    ),
    Planted(
        "fingerprints are not compared",
        f"{MACHINE}/others.py",
        "if canary is None or known in {None, canary.fingerprint}:",
        "if canary is None or known != canary.name:",
    ),
    Planted(
        "a baseline that is changed while its rollout holds goes unnoticed",
        f"{MACHINE}/looked.py",
        "still_fires,\n        baseline_changed,",
        "still_fires,",
    ),
    Planted(
        "a baseline that is changed while the canary is made goes unnoticed",
        f"{MACHINE}/looked.py",
        "foreign_map,\n        baseline_changed,\n        deadline,\n        _ready",
        "foreign_map,\n        deadline,\n        _ready",
    ),
    Planted(
        "a canary that is gone goes unnoticed",
        f"{MACHINE}/others.py",
        "    if canary is None:\n        return back.roll_back(head, rollout, f",
        "    if canary is None:\n        return None and back.roll_back(head, rollout, f",
    ),
    Planted(
        "a stage has the weight of the next",
        f"{MACHINE}/stages.py",
        "for stage in reversed(rollout.stages[: rollout.stage + 1]):",
        "for stage in reversed(rollout.stages[: rollout.stage + 2]):",
    ),
    Planted(
        "the mirror is forgotten on the way to live requests",
        f"{MACHINE}/stages.py",
        "rollout.observed.on_the_way_to(wish, rollout.canary)",
        "wish",
    ),
    Planted(
        "an alert that fires again is taken for the one before",
        f"{MACHINE}/alerts.py",
        "if known and not stale and is_fired and known.fired_at == event.fired_at:",
        "if known and not stale and is_fired:",
    ),
    Planted(
        "evidence from before the share counts",
        "rollout/measuring/minutes.py",
        "return rollout.share_since or rollout.shares[-1].since",
        "return rollout.shares[0].since",
    ),
    Planted(
        "minutes that came late are not read again",
        "rollout/measuring/minutes.py",
        "max(known) - late)",
        "max(known) + self.minute)",
    ),
    Planted(
        "a key is published although its probe failed",
        f"{KEYS}/moves.py",
        "    if event.failure is None:\n",
        "    if event.failure and rotation.phase is RotationPhase.PROVING:\n"
        "        return _proven(head, rotation, PROBES, now)\n"
        "    if event.failure is None:\n",
    ),
    Planted(
        "the key that clients have is regenerated first",
        f"{KEYS}/looked.py",
        "return _renew(head, rotation, rotation.spare, event, now)",
        "return _renew(head, rotation, rotation.in_use or rotation.spare, event, now)",
    ),
    Planted(
        "the overlap is skipped",
        f"{KEYS}/looked.py",
        "if now < ends:",
        "if now < rotation.published_at:",
    ),
    Planted(
        "a rotation begins while clients may still have the spare key",
        f"{KEYS}/looked.py",
        "if now < read_by:",
        "if now < published.created_at:",
    ),
    Planted(
        "the success of a regeneration is trusted",
        f"{KEYS}/looked.py",
        "renewal is not None and event.view.fingerprints[renewal.key] != renewal.fingerprint",
        "renewal is not None and renewal.operation is not None and not event.operation_running",
    ),
    Planted(
        "fingerprints are not compared before a key is published",
        f"{KEYS}/looked.py",
        "        return None\n    found = event.view.published",
        "        return None\n    if now:\n        return None\n    found = event.view.published",
    ),
    Planted(
        "a published key that has changed goes unnoticed",
        f"{KEYS}/looked.py",
        '        return None\n    why = f"the {rotation.spare} key was regenerated',
        "        return None\n    if now:\n        return None\n"
        '    why = f"the {rotation.spare} key was regenerated',
    ),
    Planted(
        "what an aborted rotation has sent is not waited for",
        f"{KEYS}/looked.py",
        "if lands and now < lands:",
        "if lands and now < rotation.started_at:",
    ),
    Planted(
        "a second regeneration under way is not waited for",
        f"{KEYS}/moves.py",
        "if rest and now < rest:",
        "if rest and now > rest + timedelta(days=1):",
    ),
    Planted(
        "a key is regenerated again before the first can have landed",
        f"{KEYS}/looked.py",
        "if now < lands_by and not event.operation_failed:",
        "if now < before.sent_at and not event.operation_failed:",
    ),
)
