"""The list of rollouts comes page by page: each rollout once, and what needs a person first."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.core.head import Head
from rollout.core.rollout import Phase
from tests.builders import a_rollout, an_order
from tests.doors.callers import Caller, a_caller, read
from tests.fakes import NOON
from tests.simulation.world import CHURN, POLICY

NAMES = ["live-1", "live-2", "over-3", "over-2", "over-1"]
"""As the list has them: by endpoint what lives, then the latest that ended."""


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    """Two rollouts that live, and three that have ended, two of them in one moment."""
    made = a_caller(tmp_path, POLICY)
    for name in sorted(NAMES):
        endpoint = CHURN.in_workspace.endpoint(name)
        hours = 1 if name == "over-3" else 2
        rollout = a_rollout(
            Phase.PROMOTED if name.startswith("over") else Phase.MEASURING,
            order=an_order(endpoint=endpoint),
            id=f"{endpoint.key}-1",
            phase_since=NOON - timedelta(hours=hours),
        )
        held = made.world.store.load(endpoint)
        made.world.store.save(held, Head(endpoint=endpoint, rollout=rollout))
    return made


def pages(caller: Caller, **query: str) -> list[dict[str, Any]]:
    """As a client reads them: each page tells where the next one begins."""
    found = [read(caller.ask("list_rollouts", query=query))]
    while found[-1]["next"]:
        more = {**query, "after": found[-1]["next"]}
        found.append(read(caller.ask("list_rollouts", query=more)))
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["endpoint"].removeprefix("w/") for page in found for one in page["rollouts"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_each_rollout_comes_once_whatever_a_page_takes(caller: Caller, limit: int) -> None:
    found = pages(caller, limit=str(limit))

    assert names(found) == NAMES
    assert [len(page["rollouts"]) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert len(found) == -(-len(NAMES) // limit)


@pytest.mark.parametrize(("state", "wanted"), [("live", NAMES[:2]), ("ended", NAMES[2:])])
def test_one_state_alone_comes_in_pages_too(caller: Caller, state: str, wanted: list[str]) -> None:
    assert names(pages(caller, state=state, limit="1")) == wanted


def test_what_ends_between_two_pages_is_missed_by_none_that_was_there(caller: Caller) -> None:
    first = read(caller.ask("list_rollouts", query={"limit": "3"}))
    endpoint = CHURN.in_workspace.endpoint("live-1")
    held = caller.world.store.load(endpoint)
    assert held.head.rollout
    over = held.head.rollout.model_copy(update={"phase": Phase.PROMOTED, "phase_since": NOON})
    caller.world.store.save(held, held.head.model_copy(update={"rollout": over}))

    rest = read(caller.ask("list_rollouts", query={"limit": "3", "after": first["next"]}))

    assert names([first, rest]) == NAMES


def test_what_is_on_its_way_back_again_is_told_as_live_alone(caller: Caller) -> None:
    endpoint = CHURN.in_workspace.endpoint("over-3")
    held = caller.world.store.load(endpoint)
    assert held.head.rollout
    back = held.head.rollout.model_copy(update={"phase": Phase.ROLLING_BACK})
    caller.world.store.save(held, held.head.model_copy(update={"rollout": back}))

    found = names(pages(caller, limit="2"))

    assert sorted(found) == sorted(NAMES)
    assert found.index("over-3") < 3


def test_starts_that_wait_are_told_by_the_first_page(caller: Caller) -> None:
    caller.start()
    caller.world.azure.deployments["red"] = caller.world.azure.deployments["green"]
    caller.start("red")

    first, *rest = pages(caller, limit="2")

    assert [one["deployment"] for one in first["waiting"]] == ["red"]
    assert [page["waiting"] for page in rest] == [[]] * len(rest)


@pytest.mark.parametrize(
    "after", ["", "x", "live:", "ended:1", "ended:x:y", "live:a b", f"ended:{'9' * 17}:a"]
)
def test_a_place_that_no_page_told_is_refused_with_the_remedy(caller: Caller, after: str) -> None:
    answer = caller.ask("list_rollouts", query={"after": after})

    assert answer.status == 400
    assert "it is the `next` of the page before" in read(answer)["detail"]
