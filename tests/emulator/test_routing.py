"""Which deployment answers."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from emulator.scoring.routing import BlocksRouter, RandomRouter


@given(st.integers(1, 99), st.integers(0, 2**32))
def test_blocks_give_the_exact_shares_in_every_hundred(share: int, seed: int) -> None:
    router = BlocksRouter(Random(seed))
    weights = {"blue": 100 - share, "green": share}

    for _ in range(3):
        assert Counter(router.choose(weights) for _ in range(100)) == weights


def test_blocks_begin_anew_when_the_weights_change() -> None:
    router = BlocksRouter(Random(1))
    router.choose({"blue": 50, "green": 50})

    drawn = Counter(router.choose({"blue": 90, "green": 10}) for _ in range(10))

    assert drawn == {"blue": 9, "green": 1}


def test_random_routing_repeats_with_its_seed_and_comes_near_the_shares() -> None:
    first, second = (RandomRouter(Random(7)) for _ in range(2))
    weights = {"blue": 90, "green": 10}

    drawn = [first.choose(weights) for _ in range(2000)]

    assert drawn == [second.choose(weights) for _ in range(2000)]
    assert 150 < drawn.count("green") < 250
