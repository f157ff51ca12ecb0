"""The test vectors of the detector, to six digits."""

import pytest

from rollout.analysis.dispersion import Past, learn
from rollout.analysis.excess import Margin, weigh
from tests.analysis.builders import VECTOR_A, VECTOR_B, VECTOR_C, Row, rows

RESTARTS = (5, 10, 15)
USUAL = Past(0.005, 1.0)
SIX_DIGITS = 5.1e-7


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (VECTOR_A, (-0.110999, 0.274382, 2.589672, 7.595807)),
        (VECTOR_B, (0.065125, -0.076498, -0.098959, 1.546418)),
    ],
)
def test_the_evidence_after_each_minute(table: tuple[Row, ...], wanted: tuple[float, ...]) -> None:
    trace = weigh(rows(table), USUAL, Margin(), RESTARTS)

    assert trace.ln_e == pytest.approx(wanted, abs=SIX_DIGITS)
    assert trace.phi[-1] == 1


def test_a_history_that_scatters_divides_the_evidence() -> None:
    trace = weigh(rows(VECTOR_A), Past(0.005, 3.0), Margin(), RESTARTS)

    assert trace.now == pytest.approx(2.636164, abs=SIX_DIGITS)
    assert trace.phi[-1] == pytest.approx(2.200568, abs=SIX_DIGITS)


def test_a_margin_asks_for_more() -> None:
    trace = weigh(rows(VECTOR_A), USUAL, Margin(1.25, 0.0005), RESTARTS)

    assert trace.now == pytest.approx(6.265098, abs=SIX_DIGITS)


def test_restarts_count_from_their_minute_on() -> None:
    trace = weigh(rows(VECTOR_C), USUAL, Margin(), RESTARTS)

    assert trace.now == pytest.approx(4.504909, abs=SIX_DIGITS)
    assert trace.phi[-1] == 1


CALM = [1, 2, 0, 1, 3, 1, 2, 1, 0, 2] * 12
CLUSTERED = [0, 0, 9, 0, 0, 0, 6, 0, 0, 0] * 12


@pytest.mark.parametrize(
    ("failures", "rate", "phi"),
    [
        (CALM, 0.00434710, 1.0),
        (CLUSTERED, 0.00501375, 6.241758),
        ([*CALM[:50], 90, 95, *CALM[52:]], 0.00433604, 1.0),
    ],
)
def test_what_the_history_says(failures: list[int], rate: float, phi: float) -> None:
    past = learn([(300, bad) for bad in failures])

    assert past.rate == pytest.approx(rate, abs=5.1e-9)
    assert past.phi == pytest.approx(phi, abs=SIX_DIGITS)


def test_no_history_says_nothing() -> None:
    assert learn([]) == learn([(0, 0)] * 3) == Past(None, 1.0)
