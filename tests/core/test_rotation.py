"""A rotation by values: every phase, what leads on, and what must never be done."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from rollout.core.head import Debt, Head
from rollout.core.machine.decide import decide, is_turn_of_queued, next_look
from rollout.core.rollout import Phase
from rollout.core.rotation.actions import ProbeKey, PublishKey, RegenerateKey
from rollout.core.rotation.beside import waits_for_key
from rollout.core.rotation.decide import decide_keys
from rollout.core.rotation.decision import KeyDecision
from rollout.core.rotation.events import (
    EndpointMissed,
    KeyActionFailed,
    KeyEvent,
    RegenerationAnswered,
    RotationAbortRequested,
    RotationResumeRequested,
)
from rollout.core.rotation.looked import GRACE, SEND_WITHIN
from rollout.core.rotation.record import record_keys
from rollout.core.rotation.state import KeyName, Rotation, RotationPhase
from rollout.core.rotation.table import ROTATIONS, KeyTransition
from tests.builders import (
    BLUE,
    GREEN,
    MINUTE,
    a_head,
    a_rollout,
    an_endpoint,
    set_traffic,
    split,
    started,
    turned_away,
)
from tests.core.rotations import (
    NEW,
    OLD,
    PRIMARY,
    SECONDARY,
    SPARE,
    a_renewal,
    a_rotation,
    a_rotation_policy,
    proven,
    rotating,
    seen,
    wished,
)
from tests.fakes import NOON

LATER = NOON + 10 * MINUTE
P = RotationPhase


def rotation_of(decision: KeyDecision) -> Rotation:
    assert decision.head.rotation is not None
    return decision.head.rotation


def after(head: Head, event: KeyEvent, now: datetime = NOON) -> RotationPhase:
    return rotation_of(decide_keys(head, event, now)).phase


def regenerate(key: KeyName, fingerprint: str, at: datetime) -> RegenerateKey:
    return RegenerateKey(
        endpoint=an_endpoint(),
        key=key,
        fingerprint=fingerprint,
        sent_at=at,
        not_after=at + SEND_WITHIN,
    )


# -- the straight way --------------------------------------------------------------------------


def test_the_key_that_the_secret_holds_is_in_use_and_the_other_goes_first() -> None:
    decision = decide_keys(rotating(P.WAITING), seen(published=SPARE), NOON)

    rotation = rotation_of(decision)
    assert (rotation.phase, rotation.in_use, rotation.spare) == (P.TRYING_SPARE, SECONDARY, PRIMARY)


def test_the_spare_key_is_tried_before_anything_is_changed() -> None:
    decision = decide_keys(rotating(P.TRYING_SPARE, acted_at=None), seen(), NOON)

    assert isinstance(decision.action, ProbeKey)
    assert (decision.action.key, decision.action.times) == (SECONDARY, 1)


def test_the_fingerprint_of_what_is_to_go_is_saved_with_the_request() -> None:
    decision = decide_keys(rotating(P.RENEWING_SPARE), seen(), NOON)

    assert decision.action == regenerate(SECONDARY, SPARE, NOON)
    assert rotation_of(decision).renewal == a_renewal()


def test_a_new_key_is_asked_ten_times_and_only_then_published() -> None:
    renewing = rotating(P.RENEWING_SPARE, renewal=a_renewal())

    proving = decide_keys(renewing, seen(secondary=NEW), NOON)
    asked = decide_keys(proving.head, seen(secondary=NEW), NOON)
    publishing = decide_keys(asked.head, proven(), NOON)
    written = decide_keys(publishing.head, seen(secondary=NEW), NOON)

    assert isinstance(asked.action, ProbeKey)
    assert (asked.action.fingerprint, asked.action.times) == (NEW, 10)
    assert isinstance(written.action, PublishKey)
    assert written.action.fingerprint == NEW
    assert written.action.expires_at == NOON + timedelta(days=90)


def test_answers_that_take_long_are_saved_as_they_come_and_whoever_goes_on_counts_them() -> None:
    look = seen(secondary=NEW)
    slow = decide_keys(rotating(P.PROVING), proven(passed=4), NOON)

    going_on = decide_keys(slow.head, look, NOON)
    died = decide_keys(going_on.head, look, NOON + GRACE)
    done = after(died.head, proven(passed=6, asked_at=NOON + GRACE), LATER)
    failed = decide_keys(died.head, proven(failure="no", asked_at=NOON + GRACE), NOON + GRACE)
    anew = decide_keys(failed.head, look, LATER)

    asked = [one.action for one in (going_on, died, anew)]
    assert [one.times for one in asked if isinstance(one, ProbeKey)] == [6, 6, 10]
    assert done is P.PUBLISHING


def test_the_answer_of_a_worker_that_was_given_up_does_not_count() -> None:
    given_up = rotating(P.PROVING, acted_at=NOON + GRACE, passed=4)

    decision = decide_keys(given_up, proven(passed=6), NOON + GRACE)

    assert (decision.taken, decision.why) == (False, "it tells of another probe")


@pytest.mark.parametrize("phase", [P.TRYING_SPARE, P.PROVING, P.PUBLISHING, P.CONFIRMING])
def test_a_worker_that_died_is_waited_for_for_seconds(phase: RotationPhase) -> None:
    look = seen(secondary=NEW, published=NEW if phase is P.CONFIRMING else OLD)
    head = rotating(phase, acted_at=NOON)

    early = decide_keys(head, look, NOON + timedelta(seconds=9))
    late = decide_keys(head, look, NOON + timedelta(seconds=10))

    assert (early.action, rotation_of(early).due_at) == (None, NOON + timedelta(seconds=10))
    assert late.action is not None


def test_the_overlap_runs_from_when_the_version_was_seen() -> None:
    publishing = decide_keys(rotating(P.PUBLISHING), seen(secondary=NEW, published=NEW), LATER)
    shortly_before = LATER + 60 * MINUTE - timedelta(seconds=1)

    waiting = after(publishing.head, seen(secondary=NEW, published=NEW), shortly_before)
    over = after(publishing.head, seen(secondary=NEW, published=NEW), LATER + 60 * MINUTE)

    assert (waiting, over) == (P.OVERLAPPING, P.CONFIRMING)


def test_the_old_key_goes_last_and_the_rotation_is_over_when_it_is_seen_to_be_new() -> None:
    head = rotating(P.RENEWING_OLD)

    sent = decide_keys(head, seen(secondary=NEW, published=NEW), NOON)
    done = decide_keys(sent.head, seen("another", NEW, NEW), LATER)

    assert sent.action == regenerate(PRIMARY, OLD, NOON)
    rotation = rotation_of(done)
    assert (rotation.phase, rotation.rotated_at, rotation.due_at) == (P.ROTATED, LATER, None)
    assert rotation.renewed == {PRIMARY: LATER}


# -- a regeneration is not repeated blindly ----------------------------------------------------


def test_it_is_not_asked_for_again_before_it_had_its_time() -> None:
    head = rotating(P.RENEWING_SPARE, renewal=a_renewal())

    early = decide_keys(head, seen(), LATER - timedelta(seconds=1))
    late = decide_keys(head, seen(), LATER)

    assert early.action is None
    assert late.action == regenerate(SECONDARY, SPARE, LATER)
    assert rotation_of(late).renewal == a_renewal(sent_at=LATER, sent_times=2)


@pytest.mark.parametrize("busy", [{"state": "Updating"}, {"operation_running": True}])
def test_it_is_not_asked_for_again_while_an_operation_runs(busy: dict[str, Any]) -> None:
    head = rotating(P.RENEWING_SPARE, renewal=a_renewal())

    decision = decide_keys(head, seen(**busy), LATER + 60 * MINUTE)

    assert decision.action is None


def test_where_no_answer_came_it_may_have_been_taken() -> None:
    head = rotating(P.RENEWING_SPARE, renewal=a_renewal())
    unheard = RegenerationAnswered(id="a", fingerprint=SPARE, sent_at=NOON, taken=None)
    refused = unheard.model_copy(update={"taken": False, "why": "409"})

    waiting = decide_keys(decide_keys(head, unheard, NOON).head, seen(), NOON + MINUTE)
    again = decide_keys(decide_keys(head, refused, NOON).head, seen(), NOON + MINUTE)

    assert waiting.action is None
    assert again.action == regenerate(SECONDARY, SPARE, NOON + MINUTE)


def test_an_answer_to_an_older_request_changes_nothing() -> None:
    head = rotating(P.RENEWING_SPARE, renewal=a_renewal(sent_at=LATER))
    late = RegenerationAnswered(id="a", fingerprint=SPARE, sent_at=NOON, taken=False)

    decision = decide_keys(head, late, LATER)

    assert (decision.taken, decision.why) == (False, "it tells of another regeneration")


def test_asked_for_twice_it_rests_until_the_other_request_cannot_land_any_more() -> None:
    twice = {"renewal": a_renewal(sent_times=2), "acted_at": NOON}

    early = after(rotating(P.PROVING, **twice), proven(), LATER - timedelta(seconds=1))
    late = after(rotating(P.PROVING, **twice), proven(), LATER)

    assert (early, late) == (P.PROVING, P.PUBLISHING)


@pytest.mark.parametrize("asked", ["a refused probe", "three requests"])
def test_it_rests_so_also_when_a_person_was_asked_meanwhile(asked: str) -> None:
    refused = KeyActionFailed(id="f", fingerprint=NEW, action="probe", reason="403", refused=True)
    twice = rotating(P.PROVING, renewal=a_renewal(sent_times=2), acted_at=NOON)
    thrice = rotating(P.ASKING, during=P.PROVING, renewal=a_renewal(sent_times=3))
    asking = {"a refused probe": decide_keys(twice, refused, NOON).head, "three requests": thrice}
    resumed = decide_keys(asking[asked], RotationResumeRequested(id="r", who="ben"), NOON).head

    looked = decide_keys(resumed, seen(secondary=NEW), NOON).head
    early = after(looked, proven(), LATER - timedelta(seconds=1))
    late = after(looked, proven(), LATER)

    assert (early, late) == (P.PROVING, P.PUBLISHING)


def test_after_three_requests_a_person_is_given_the_command() -> None:
    head = rotating(P.RENEWING_SPARE, renewal=a_renewal(sent_times=3))

    rotation = rotation_of(decide_keys(head, seen(), LATER))

    assert rotation.phase is P.ASKING
    assert "az ml online-endpoint regenerate-keys --name churn" in str(rotation.trouble)


# -- what would break clients is noticed -------------------------------------------------------


def test_a_young_version_is_waited_for() -> None:
    young = {"version": "v1", "fingerprint": OLD, "created_at": NOON - 5 * MINUTE}
    event = seen()
    view = event.view.model_copy(
        update={"published": event.view.published and event.view.published.model_validate(young)}
    )
    look = event.model_copy(update={"view": view})

    waits = after(rotating(P.WAITING), look, NOON)
    leaks = after(rotating(P.WAITING, leaked=True), look, NOON)

    assert (waits, leaks) == (P.WAITING, P.RENEWING_SPARE)


@pytest.mark.parametrize("phase", [P.OVERLAPPING, P.CONFIRMING, P.RENEWING_OLD])
def test_a_published_key_that_dies_is_replaced_at_once(phase: RotationPhase) -> None:
    head = rotating(phase)

    proving = decide_keys(head, seen(secondary="yet another", published=NEW), NOON)
    asked = decide_keys(proving.head, seen(secondary="yet another", published=NEW), NOON)

    assert rotation_of(proving).phase is P.PROVING
    assert asked.action is not None
    assert asked.action.fingerprint == "yet another"


@pytest.mark.parametrize(
    ("phase", "look", "told"),
    [
        (P.TRYING_SPARE, seen(published="foreign"), "somebody else wrote ml-churn-key"),
        (P.OVERLAPPING, seen(secondary=NEW, published=OLD), "somebody else wrote ml-churn-key"),
        (P.PROVING, seen(ring="other"), "the installation secret is another one"),
        (P.PUBLISHING, seen(mode="aadtoken"), "authMode became aadtoken"),
        (P.WAITING, seen(published="foreign"), "ml-churn-key holds neither key"),
        (P.WAITING, seen(published=None), "ml-churn-key has no version yet"),
    ],
)
def test_what_nobody_here_did_is_asked_about(
    phase: RotationPhase, look: KeyEvent, told: str
) -> None:
    rotation = rotation_of(decide_keys(rotating(phase), look, NOON))

    assert (rotation.phase, rotation.due_at) == (P.ASKING, None)
    assert told in str(rotation.trouble)


def test_a_new_key_that_is_refused_too_long_is_not_published() -> None:
    refused = proven(failure="the endpoint refuses it (401)")
    acting = {"acted_at": NOON}

    patient = after(rotating(P.PROVING, **acting), refused, NOON + 14 * MINUTE)
    asked = after(rotating(P.PROVING, **acting), refused, NOON + 15 * MINUTE)

    assert (patient, asked) == (P.PROVING, P.ASKING)


def test_an_old_proof_is_made_anew_before_the_old_key_dies() -> None:
    head = rotating(P.RENEWING_OLD)

    assert after(head, seen(secondary=NEW, published=NEW), LATER) is P.CONFIRMING


@pytest.mark.parametrize(
    ("mode", "told"),
    [("amltoken", "aml_token endpoints have no keys"), ("aadtoken", "aad_token endpoints")],
)
def test_endpoints_without_keys_are_declined_with_the_reason(mode: str, told: str) -> None:
    decision = decide_keys(rotating(P.WAITING), seen(mode=mode, fingerprints={}), NOON)

    assert rotation_of(decision).phase is P.DECLINED
    assert told in decision.why


# -- people ------------------------------------------------------------------------------------


def test_one_who_is_asked_says_which_key_is_in_use() -> None:
    asking = rotating(P.ASKING, during=P.WAITING)
    answer = RotationResumeRequested(id="r", who="ben", in_use=SECONDARY)

    resumed = decide_keys(asking, answer, NOON)
    begun = decide_keys(resumed.head, seen(published="foreign"), NOON)

    assert rotation_of(begun).in_use is SECONDARY


def test_a_person_who_contradicts_the_secret_is_told() -> None:
    head = rotating(P.WAITING, said_in_use=SECONDARY)

    rotation = rotation_of(decide_keys(head, seen(published=OLD), NOON))

    assert rotation.phase is P.ASKING
    assert "holds the primary key, and the secondary key was said" in str(rotation.trouble)


@pytest.mark.parametrize(
    "phase", [one for one in P if KeyTransition is type(ROTATIONS[one].get(RotationAbortRequested))]
)
def test_it_can_be_aborted_in_every_live_phase(phase: RotationPhase) -> None:
    abort = RotationAbortRequested(id="a", who="ben")

    decision = decide_keys(rotating(phase), abort, NOON)

    assert rotation_of(decision).phase is P.ABORTED
    assert decision.action is None


def test_a_second_wish_is_refused_but_a_leak_hurries_the_first() -> None:
    head = rotating(P.OVERLAPPING)

    again = decide_keys(head, wished(), NOON)
    leaked = decide_keys(head, wished(leaked=True), NOON)

    assert not again.taken
    assert after(leaked.head, seen(secondary=NEW, published=NEW), NOON) is P.CONFIRMING


def test_what_was_known_of_the_keys_outlives_the_rotation() -> None:
    done = rotating(P.ROTATED, renewed={PRIMARY: NOON}, rotated_at=NOON)

    begun = rotation_of(decide_keys(done, wished(), LATER))

    assert (begun.renewed, begun.rotated_at) == ({PRIMARY: NOON}, NOON)


def test_a_refused_request_asks_and_one_that_failed_is_tried_again() -> None:
    failed = KeyActionFailed(id="f", fingerprint=NEW, action="publish", reason="503")
    refused = failed.model_copy(update={"refused": True})
    head = rotating(P.PUBLISHING, acted_at=NOON)

    waiting, asked = decide_keys(head, failed, NOON), decide_keys(head, refused, NOON)

    assert rotation_of(asked).phase is P.ASKING
    again = decide_keys(waiting.head, seen(secondary=NEW), NOON + MINUTE)
    assert isinstance(again.action, PublishKey)


def test_one_404_proves_nothing_and_a_minute_of_them_does() -> None:
    once = decide_keys(rotating(P.OVERLAPPING), EndpointMissed(id="1"), NOON)

    assert rotation_of(once).phase is P.OVERLAPPING
    assert after(once.head, EndpointMissed(id="2"), NOON + MINUTE) is P.DECLINED


# -- beside a rollout --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "plain", "forced"),
    [
        (Phase.MEASURING, False, True),
        (Phase.SHIFTING, False, False),
        (Phase.ROLLING_BACK, False, False),
        (Phase.HOLDING, True, True),
        (Phase.APPROVING, True, True),
        (Phase.PROMOTED, True, True),
    ],
)
def test_no_key_is_regenerated_in_a_step_of_a_rollout(
    phase: Phase, plain: bool, forced: bool
) -> None:
    def sends(**wish: bool) -> bool:
        rotation = a_rotation(P.RENEWING_SPARE, **wish)
        head = a_head(a_rollout(phase), rotation=rotation)
        return decide_keys(head, seen(), NOON).action is not None

    assert (sends(), sends(forced=True)) == (plain, forced)


def test_a_map_that_is_owed_goes_first() -> None:
    debt = Debt(id="d", action=set_traffic(split(5), BLUE), generation=1, not_before=NOON)
    head = rotating(P.RENEWING_SPARE).model_copy(update={"owed": (debt,)})

    assert decide_keys(head, seen(), NOON).action is None


def test_a_start_waits_while_a_key_is_regenerated_and_its_turn_comes_after() -> None:
    head = rotating(P.RENEWING_SPARE, renewal=a_renewal())
    event = started()

    decision = decide(head, event, NOON)
    freed = decision.head.model_copy(update={"rotation": a_rotation(P.OVERLAPPING)})

    assert decision.head.queued == event.order
    assert "waits until the secondary key is regenerated" in decision.why
    assert not is_turn_of_queued(decision.head, NOON)
    assert next_look(decision.head, NOON) is not None
    assert is_turn_of_queued(freed, NOON)


def test_a_start_that_is_wrong_is_refused_at_once_all_the_same() -> None:
    head = rotating(P.RENEWING_SPARE, renewal=a_renewal())

    assert "has no deployment 'gren'" in turned_away(decide(head, started("gren"), NOON))


def test_a_shift_waits_for_a_key_and_a_way_back_does_not() -> None:
    head = rotating(P.RENEWING_OLD, renewal=a_renewal(PRIMARY))

    assert waits_for_key(head, set_traffic(GREEN, BLUE)) is not None
    assert waits_for_key(head, set_traffic(BLUE, None)) is None
    assert waits_for_key(rotating(P.OVERLAPPING), set_traffic(GREEN, BLUE)) is None


# -- the row -----------------------------------------------------------------------------------


def test_the_row_is_due_when_the_first_of_both_is() -> None:
    rollout = a_rollout(Phase.HOLDING)
    head = a_head(rollout, due_at=NOON + 5 * MINUTE)
    begun = decide_keys(head, wished(), NOON)
    waiting = rotation_of(begun).model_copy(update={"due_at": NOON + 9 * MINUTE})
    slow = KeyDecision(begun.head.model_copy(update={"rotation": waiting}), "waits")

    soon, _ = record_keys(head, begun, wished(), NOON)
    later, _ = record_keys(head, slow, wished(), NOON)

    assert (soon.due_at, later.due_at) == (NOON, NOON + 5 * MINUTE)


def test_every_change_of_phase_leaves_an_entry_with_no_key_in_it() -> None:
    head = rotating(P.RENEWING_SPARE)
    decision = decide_keys(head, seen(), NOON)

    row, entry = record_keys(head, decision, seen(), NOON)

    assert entry is not None
    assert (entry.number, entry.rotation_id, entry.rollout_id) == (1, "churn-keys-1", None)
    assert entry.actions == ("regenerate the secondary key",)
    assert row.entries == 1


def test_a_whole_row_stays_small() -> None:
    policy = a_rotation_policy(schedule={"cron": "0 3 1 * *", "zone": "Europe/Berlin"})
    head = rotating(P.RENEWING_OLD, renewal=a_renewal(), policy=policy, trouble="x" * 500)

    assert len(head.model_dump_json()) < 4096
    assert Head.model_validate_json(head.model_dump_json(by_alias=True)) == head


@pytest.mark.parametrize("phase", P)
def test_every_phase_knows_every_event(phase: RotationPhase) -> None:
    assert set(ROTATIONS[phase]) == set(KeyEvent.__subclasses__()) - {type(None)} - _ABSTRACT | {
        *_COMMANDS
    }


_ABSTRACT = {one for one in KeyEvent.__subclasses__() if one.__subclasses__()}
_COMMANDS = {command for one in _ABSTRACT for command in one.__subclasses__()}


def test_what_an_aborted_rotation_has_sent_is_waited_for_by_the_next() -> None:
    """Else its landing is taken for the own one, which then kills what is published."""
    sent = rotating(P.RENEWING_SPARE, renewal=a_renewal())
    aborted = decide_keys(sent, RotationAbortRequested(id="a", who="ben"), NOON).head
    begun = decide_keys(aborted, wished(), NOON).head
    lands = NOON + a_rotation_policy().lands_within_minutes * MINUTE

    early = rotation_of(decide_keys(begun, seen(), lands - MINUTE))
    then = rotation_of(decide_keys(begun, seen(), lands))

    assert (early.phase, early.due_at) == (P.WAITING, lands)
    assert "whether a key still changes" in early.waits
    assert then.phase is P.TRYING_SPARE


def test_another_key_in_use_begins_after_what_was_sent_has_landed() -> None:
    asking = rotating(P.ASKING, during=P.RENEWING_OLD, renewal=a_renewal(PRIMARY, OLD))
    go_on = RotationResumeRequested(id="r", who="ben", in_use=PRIMARY)

    rotation = rotation_of(decide_keys(asking, go_on, NOON))

    lands = NOON + a_rotation_policy().lands_within_minutes * MINUTE
    assert (rotation.phase, rotation.lands_until) == (P.WAITING, lands)


@pytest.mark.parametrize(("times", "waits"), [(1, False), (2, True)])
def test_the_next_rotation_waits_for_an_old_key_that_was_sent_twice(
    times: int, waits: bool
) -> None:
    sent = a_renewal(PRIMARY, OLD, sent_times=times)
    head = rotating(P.RENEWING_OLD, renewal=sent)

    rotation = rotation_of(decide_keys(head, seen("print-of-newer", NEW, NEW), NOON))

    assert rotation.phase is P.ROTATED
    assert (rotation.lands_until is not None) is waits
