"""The table: every phase knows every event, and leads somewhere."""

from typing import get_args

import pytest

from rollout.core.events import (
    AbortRequested,
    AnyEvent,
    EndpointGone,
    Event,
    Looked,
    StartRequested,
)
from rollout.core.machine.looked import CONCERNS
from rollout.core.machine.table import TRANSITIONS
from rollout.core.machine.transition import Transition
from rollout.core.rollout import OVER, Phase

EVENTS: tuple[type[Event], ...] = get_args(get_args(AnyEvent)[0])
LIVE = tuple(phase for phase in Phase if phase not in OVER)


def leads_to(phase: Phase) -> set[Phase]:
    answers = TRANSITIONS[phase].values()
    return {to for answer in answers if isinstance(answer, Transition) for to in answer.to}


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_knows_every_event_or_says_why_it_means_nothing(phase: Phase) -> None:
    row = TRANSITIONS[phase]

    assert set(row) == set(EVENTS)
    assert all(isinstance(answer, Transition) or answer.strip() for answer in row.values())


def test_every_phase_is_reached_from_the_beginning() -> None:
    reached, ahead = set[Phase](), {Phase.IDLE}

    while ahead:
        reached |= ahead
        ahead = {to for phase in ahead for to in leads_to(phase)} - reached

    assert reached == set(Phase)


@pytest.mark.parametrize("phase", LIVE)
def test_from_every_live_phase_some_way_leads_to_the_end(phase: Phase) -> None:
    reached, ahead = set[Phase](), {phase}

    while ahead:
        reached |= ahead
        ahead = {to for one in ahead for to in leads_to(one)} - reached

    assert reached & OVER


@pytest.mark.parametrize("phase", [one for one in LIVE if one is not Phase.ROLLING_BACK])
def test_a_person_can_stop_it_in_every_live_phase(phase: Phase) -> None:
    stop = TRANSITIONS[phase][AbortRequested]

    assert isinstance(stop, Transition)
    assert stop.to == (Phase.ROLLING_BACK,)


def test_the_way_back_leads_nowhere_else() -> None:
    assert leads_to(Phase.ROLLING_BACK) == {Phase.ROLLED_BACK, Phase.RELEASED}


@pytest.mark.parametrize("phase", LIVE)
def test_every_live_phase_looks_and_answers_a_start_and_a_lost_endpoint(phase: Phase) -> None:
    row = TRANSITIONS[phase]

    assert all(isinstance(row[kind], Transition) for kind in (Looked, StartRequested, EndpointGone))


@pytest.mark.parametrize("phase", sorted(OVER))
def test_where_nothing_is_live_a_rollout_can_begin(phase: Phase) -> None:
    start = TRANSITIONS[phase][StartRequested]

    assert isinstance(start, Transition)
    assert start.to == (Phase.PREPARING,)


@pytest.mark.parametrize("phase", Phase)
def test_what_is_over_is_not_entered_again_but_by_a_start_or_a_way_back(phase: Phase) -> None:
    ended = {Phase.PROMOTED: {Phase.PREPARING, Phase.ROLLING_BACK}}
    ended[Phase.ROLLED_BACK] = {Phase.PREPARING, Phase.ROLLING_BACK}
    ended[Phase.REFUSED] = ended[Phase.RELEASED] = ended[Phase.IDLE] = {Phase.PREPARING}

    assert leads_to(phase) == ended.get(phase, leads_to(phase))


def test_every_phase_that_looks_has_concerns_and_no_other_has() -> None:
    answers = {phase: row[Looked] for phase, row in TRANSITIONS.items()}

    looking = {phase for phase, one in answers.items() if isinstance(one, Transition)}

    assert looking == set(CONCERNS)
