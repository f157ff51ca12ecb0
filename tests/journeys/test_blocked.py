"""Whatever is down, an abort is answered at once, sent at once, and ends the rollout."""

from collections.abc import Iterator, Sequence

import pytest

from tests.journeys.blocked import TROUBLES, Place, places, seconds_to_the_request

pytestmark = pytest.mark.journey

SECONDS_MAX = 3.0
"""Far more than it takes; a machine may have other things to do."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Place]]:
    with places(tmp_path_factory.mktemp("blocked")) as made:
        yield made


@pytest.mark.parametrize("number", range(len(TROUBLES)), ids=list(TROUBLES))
def test_an_abort_reaches_azure_at_once(known: Sequence[Place], number: int) -> None:
    name = list(TROUBLES)[number]

    seconds = seconds_to_the_request(known[number % len(known)], [name])

    assert seconds < SECONDS_MAX
