"""What blobs add to the minutes: other workers, what this process has in mind, strange files."""

from datetime import timedelta

import pytest

from rollout.adapters.azure.storage.account import SAMPLES, Account
from rollout.adapters.azure.storage.samples import BlobSamples
from rollout.analysis.samples import Counts
from rollout.errors import Unavailable
from rollout.ports import Minutes
from tests.adapters.contracts.rows import HOUR, MINUTE
from tests.azurite.bad_line import BadLine, Fault, bad_line
from tests.azurite.running import Azurite
from tests.fakes import NOON


def minutes(first: int, last: int) -> Minutes:
    return {NOON + n * MINUTE: {"blue": Counts({200: 1000 + n})} for n in range(first, last)}


def everything(samples: BlobSamples) -> Minutes:
    return samples.read("churn", "metrics", NOON - 24 * HOUR, NOON + 24 * HOUR)


def test_two_workers_add_to_the_same_hour(account: Account, connection: str) -> None:
    one, two = BlobSamples(account), BlobSamples(Account.in_azurite(connection, "test"))
    for first in range(0, 40, 10):
        one.save("churn", "metrics", minutes(first, first + 5))
        two.save("churn", "metrics", minutes(first + 5, first + 10))

    assert everything(one) == everything(two) == minutes(0, 40)


def test_a_worker_that_is_slow_to_create_an_hour_adds_to_it(
    account: Account, connection: str, storage: Azurite
) -> None:
    other = BlobSamples(account)
    with bad_line(storage.blobs) as line:
        slow = BlobSamples(Account.in_azurite(connection.replace(storage.blobs, line.url), "test"))
        everything(slow)
        meanwhile = Fault(
            lambda sent: sent.method == "PUT",
            before=lambda: other.save("churn", "metrics", minutes(5, 9)),
        )
        line.faults.append(meanwhile)

        slow.save("churn", "metrics", minutes(0, 5))

    assert everything(other) == minutes(0, 9)


def test_old_hours_are_read_once_and_the_last_one_is_written_by_one_request(
    account: Account, connection: str, storage: Azurite
) -> None:
    BlobSamples(account).save("churn", "metrics", minutes(-300, 0))
    with bad_line(storage.blobs) as line:
        here = BlobSamples(Account.in_azurite(connection.replace(storage.blobs, line.url), "test"))
        here.forget("nobody", NOON)  # opens the account
        line.told()
        everything(here)
        assert _told(line) == {"GET": 6}  # 5 hours and their listing

        here.save("churn", "metrics", minutes(-3, 0))
        assert _told(line) == {}  # they are there already
        here.save("churn", "metrics", minutes(-2, 1))
        assert everything(here) == minutes(-300, 1)

    assert _told(line) == {"GET": 2, "PUT": 1}  # is the hour there? write it; list


def _told(line: BadLine) -> dict[str, int]:
    verbs = [one.split()[0] for one in line.told()]
    return {verb: verbs.count(verb) for verb in sorted(set(verbs))}


def test_what_another_worker_wrote_since_is_seen(account: Account, connection: str) -> None:
    one, two = BlobSamples(account), BlobSamples(Account.in_azurite(connection, "test"))
    one.save("churn", "metrics", minutes(0, 5))
    assert everything(two) == minutes(0, 5)

    one.save("churn", "metrics", {NOON: {"green": Counts({500: 3})}})

    assert everything(two) == {**minutes(0, 5), NOON: {"green": Counts({500: 3})}}


def test_keys_may_have_any_letters(account: Account) -> None:
    samples = BlobSamples(account)
    for key in ("a", "a/b", "a b?#%41", "ü"):
        samples.save(key, "logs/x", minutes(0, 2))

    samples.forget("a", NOON + 2 * HOUR)

    until = NOON + timedelta(hours=1)
    assert samples.read("a", "logs/x", NOON, until) == {}
    for key in ("a/b", "a b?#%41", "ü"):
        assert samples.read(key, "logs/x", NOON, until) == minutes(0, 2)


def test_a_file_that_is_no_chunk_is_left_alone(account: Account) -> None:
    samples = BlobSamples(account)
    account.container(SAMPLES).upload_blob("churn/metrics/notes.txt", b"mine")
    samples.save("churn", "metrics", minutes(0, 2))

    assert everything(samples) == minutes(0, 2)
    samples.forget("churn", NOON + 24 * HOUR)

    assert [blob.name for blob in account.container(SAMPLES).list_blobs()] == [
        "churn/metrics/notes.txt"
    ]


def test_a_chunk_that_cannot_be_read_is_named(account: Account) -> None:
    name = "churn/metrics/2026-03-02T12Z.json"
    account.container(SAMPLES).upload_blob(name, b'{"0": {"blue": {"statuses": "many"}}}')

    with pytest.raises(Unavailable, match=rf"{SAMPLES}: {name} cannot be read; if a newer"):
        everything(BlobSamples(account))
