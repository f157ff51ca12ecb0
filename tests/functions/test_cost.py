"""What rollouts cost: counts are the same whenever they are taken, and the page tells them."""

import pytest

from benchmarks.cost.bill import month, prices, told
from benchmarks.cost.page import GOAL, idle_hour, measured, page
from rollout.core.rollout import Phase
from tests.functions.deployment import ROOT


def test_the_page_is_what_is_counted() -> None:
    """Draw it anew with: python -m benchmarks.cost."""
    assert (ROOT / "docs/reference/cost.md").read_text("utf-8") == page()


@pytest.mark.parametrize("pace", ["fixed", "adaptive"])
def test_a_rollout_costs_an_execution_a_minute_and_few_more(pace: str) -> None:
    costs = measured()[pace]

    assert {one.phase for one in costs} == {Phase.PROMOTED}
    assert max(one.beyond_analysis for one in costs) <= GOAL


def test_what_is_rolled_back_is_counted_to_its_end() -> None:
    assert {one.phase for one in measured()["fixed, rolled back"]} == {Phase.ROLLED_BACK}


def test_nothing_runs_while_nothing_is_rolled_out_but_the_sweep() -> None:
    counted = idle_hour()

    assert {name for name, count in counted.items() if count} == {"sweep execution", "sweep table"}


def test_every_price_says_where_it_is_from_or_that_it_is_assumed() -> None:
    marked = {
        f"{part}.{name}"
        for part, some in prices().items()
        if isinstance(some, dict)
        for name, one in some.items()
        if isinstance(one, dict) and (one.get("assumed") is True) != ("source" in one)
    }

    assert marked == {name for name, _, _ in told()}


def test_twice_the_rollouts_cost_at_most_twice_as_much_beyond_the_idle_month() -> None:
    """What is free is used up first; nothing grows faster than the rollouts do."""
    each = measured()["fixed"][0].counts
    idle, some, many = (sum(month(each, idle_hour(), n).values()) for n in (0, 50_000, 100_000))

    assert idle < some < many
    assert many - some == pytest.approx(some - idle, rel=0.2)
