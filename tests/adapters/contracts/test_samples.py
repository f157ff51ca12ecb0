"""What every Samples must pass; a new implementation is one line in SAMPLES."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import timedelta, timezone

import pytest

from rollout.adapters.azure.storage.samples import BlobSamples
from rollout.adapters.sqlite.samples import SqliteSamples
from rollout.analysis.samples import Counts, Latency
from rollout.ports import Minutes, Samples
from tests.adapters.contracts.rows import HOUR, MINUTE
from tests.fakes import NOON, FakeSamples

SAMPLES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Samples]]] = {
    "fake": lambda _: nullcontext(FakeSamples()),
    "sqlite": lambda use: closing(SqliteSamples(use.getfixturevalue("tmp_path") / "rollout.db")),
    "blobs": lambda use: nullcontext(BlobSamples(use.getfixturevalue("account"))),
}


@pytest.fixture(params=SAMPLES)
def samples(request: pytest.FixtureRequest) -> Iterator[Samples]:
    with SAMPLES[request.param](request) as opened:
        yield opened


def minutes(first: int, last: int, answers: int = 1000) -> Minutes:
    """Minutes after noon, each with other counts."""
    return {
        NOON + number * MINUTE: {
            "blue": Counts({200: answers + number}),
            "green": Counts({200: answers, 503: abs(number)}),
        }
        for number in range(first, last)
    }


def everything(samples: Samples, source: str = "metrics") -> Minutes:
    return samples.read("churn", source, NOON - 24 * HOUR, NOON + 24 * HOUR)


def test_nothing_saved_is_nothing_read(samples: Samples) -> None:
    assert everything(samples) == {}


def test_every_number_comes_back(samples: Samples) -> None:
    full = Counts({200: 12, 429: 0, 503: 1}, Latency(1.5, None, 1 / 3, 1e9), {-3: 1, 0: 2, 180: 4})
    saved: Minutes = {NOON: {"blue": full, "green": Counts()}, NOON + MINUTE: {}}

    samples.save("churn", "logs", saved)

    assert everything(samples, "logs") == saved


def test_a_part_is_read_from_since_up_to_but_without_until(samples: Samples) -> None:
    samples.save("churn", "metrics", minutes(-90, 90))

    found = samples.read("churn", "metrics", NOON - 70 * MINUTE, NOON + 61 * MINUTE)

    assert found == minutes(-70, 61)
    assert list(found) == sorted(found)


def test_minutes_may_come_in_any_order(samples: Samples) -> None:
    for first in (40, 0, 20, 100):
        samples.save("churn", "metrics", minutes(first, first + 20))

    found = everything(samples)

    assert found == {**minutes(0, 60), **minutes(100, 120)}
    assert list(found) == sorted(found)


def test_a_late_minute_replaces_itself_whole_and_no_other(samples: Samples) -> None:
    samples.save("churn", "metrics", minutes(0, 10))
    late: Minutes = {NOON + 5 * MINUTE: {"green": Counts({500: 1})}}

    samples.save("churn", "metrics", late)

    assert everything(samples) == {**minutes(0, 10), **late}


def test_sources_and_endpoints_are_kept_apart(samples: Samples) -> None:
    samples.save("churn", "metrics", minutes(0, 3))
    samples.save("churn", "logs", minutes(0, 3, answers=2000))
    samples.save("fraud", "metrics", minutes(0, 3, answers=3000))

    assert everything(samples) == minutes(0, 3)
    assert everything(samples, "logs") == minutes(0, 3, answers=2000)


def test_a_time_of_another_zone_is_the_same_minute(samples: Samples) -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    samples.save(
        "churn", "metrics", {at.astimezone(zone): arms for at, arms in minutes(0, 3).items()}
    )

    assert everything(samples) == minutes(0, 3)


def test_minutes_may_be_shorter_than_a_minute(samples: Samples) -> None:
    short: Minutes = {
        NOON + timedelta(seconds=2 * n): {"blue": Counts({200: n})} for n in range(90)
    }
    samples.save("churn", "metrics", short)

    assert everything(samples) == short


def test_whole_hours_are_forgotten_of_every_source_of_one_endpoint(samples: Samples) -> None:
    for key, source in (("churn", "metrics"), ("churn", "logs"), ("fraud", "metrics")):
        samples.save(key, source, minutes(-120, 60))

    samples.forget("churn", NOON + 30 * MINUTE)

    assert everything(samples) == minutes(0, 60)
    assert everything(samples, "logs") == minutes(0, 60)
    assert samples.read("fraud", "metrics", NOON - 24 * HOUR, NOON) == minutes(-120, 0)
