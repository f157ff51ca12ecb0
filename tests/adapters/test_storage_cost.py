"""What the benchmark says that a rollout asks of the storage account is what it asks of Azurite."""

import pytest

from benchmarks.cost.on_azurite import KINDS, found, measure
from tests.azurite.running import Azurite

TRUE_WITHIN = 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_count_of_requests_is_the_one_that_azurite_sees(storage: Azurite, kind: str) -> None:
    """Measure and draw the page anew with: python -m benchmarks.cost."""
    measured = measure(storage, kind)

    assert measured.asked == pytest.approx(found()[kind].asked, rel=TRUE_WITHIN)
    assert measured.ratios == pytest.approx(dict.fromkeys(measured.ratios, 1), rel=TRUE_WITHIN)
