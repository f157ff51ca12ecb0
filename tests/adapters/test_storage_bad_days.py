"""Storage that is busy, forbids, forgets or loses an answer: what we say, and what we do not do."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from azure.core.credentials import AccessToken

from rollout.adapters.azure.storage.account import (
    EVIDENCE,
    HINTS,
    POLICIES,
    SAMPLES,
    STATE,
    Account,
)
from rollout.adapters.azure.storage.policies import PolicyContainer
from rollout.adapters.azure.storage.samples import BlobSamples
from rollout.adapters.azure.storage.store import TableStore
from rollout.core.events import AbortRequested
from rollout.core.head import Head
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.errors import Refused, RolloutError, Unavailable
from tests.adapters.contracts.rows import MINUTE, a_head, an_endpoint, an_entry
from tests.azurite.bad_line import BadLine, Fault, Sent, bad_line
from tests.azurite.running import KEY, Azurite
from tests.fakes import NOON
from tests.simulation.world import CHURN, World


def commits(sent: Sent) -> bool:
    return sent.method == "POST" and sent.is_about(STATE) and not sent.is_about(HINTS)


def everything(_sent: Sent) -> bool:
    return True


# -- how often it is asked -------------------------------------------------------------------


def test_a_load_is_one_request_and_a_save_one_transaction_and_at_most_one_of_hints(
    watched: TableStore, line: BadLine
) -> None:
    held = watched.load(an_endpoint())
    assert line.told() == ["GET rollout"]

    held = watched.save(held, a_head(due_at=NOON), an_entry(1))
    assert line.told() == ["POST rollouthints", "POST rollout"]

    held = watched.save(held, a_head(due_at=NOON + timedelta(seconds=30)))
    assert line.told() == ["POST rollout"]

    held = watched.save(held, a_head(due_at=NOON + timedelta(seconds=45)), an_entry(2))
    assert line.told() == ["POST rollouthints", "POST rollout"]

    watched.save(held, a_head(due_at=NOON + MINUTE))
    assert line.told() == ["POST rollouthints", "POST rollout"]


# -- busy --------------------------------------------------------------------------------------


def test_one_moment_of_a_busy_server_is_not_noticed(watched: TableStore, line: BadLine) -> None:
    line.faults.append(Fault(commits, 503))

    held = watched.save(watched.load(an_endpoint()), a_head(), an_entry())

    assert watched.load(an_endpoint()) == held
    assert watched.history(an_endpoint().key) == [an_entry()]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_answer_that_names_its_time_is_passed_on_and_not_slept_through(
    watched: TableStore, line: BadLine, status: int
) -> None:
    line.faults.append(Fault(everything, status, {"Retry-After": "47"}, times=9))

    with pytest.raises(Unavailable, match=rf"busy \({status}\)") as raised:
        watched.load(an_endpoint())

    assert raised.value.after == timedelta(seconds=47)
    assert len(line.told()) == 1


def test_a_server_that_stays_busy_is_unavailable(watched: TableStore, line: BadLine) -> None:
    line.faults.append(Fault(everything, 503, times=9))

    with pytest.raises(Unavailable, match=r"storage account of Azurite, table rollout: busy \(503"):
        watched.load(an_endpoint())


# -- a commit whose answer is lost ---------------------------------------------------------------


def test_a_commit_whose_answer_is_lost_is_known_by_its_row(
    watched: TableStore, line: BadLine
) -> None:
    line.faults.append(Fault(commits, loses_the_answer=True))

    held = watched.save(watched.load(an_endpoint()), a_head(), an_entry())

    assert watched.load(an_endpoint()) == held
    assert watched.history(an_endpoint().key) == [an_entry()]
    watched.save(held, a_head(due_at=NOON), an_entry(2))


def test_another_workers_like_row_is_not_taken_for_ones_own(
    watched: TableStore, account: Account, line: BadLine
) -> None:
    """Both decided the same; the one that lost must not perform it too."""
    held = watched.load(an_endpoint())
    other = TableStore(account)
    line.faults.append(Fault(commits, before=lambda: other.save(held, a_head(), an_entry())))

    with pytest.raises(RolloutError, match="another worker wrote first"):
        watched.save(held, a_head(), an_entry())


def test_a_command_whose_answer_was_lost_for_good_is_decided_once(
    watched: TableStore, line: BadLine
) -> None:
    """The commit is there, but neither its answer nor the row can be read."""
    world = World(store=watched)
    world.start()
    world.run(minutes=2)
    abort = AbortRequested(id="stop", who="anna", why="enough")
    lost = Fault(commits, loses_the_answer=True)
    down = Fault(lambda _: lost.times == 0, 503, times=9)
    line.faults += [lost, down]

    told = world.tell(abort)
    down.times = 0
    again = world.tell(abort)
    rollout = world.run(minutes=3)

    assert "the endpoint's tags tell who asked" in told.why
    assert again.why == "it is decided already"
    assert rollout.phase is Phase.ROLLED_BACK
    assert world.azure.traffic == Traffic.all_to("blue")
    aborts = [one for one in watched.history(CHURN.key) if one.event == "AbortRequested"]
    assert len(aborts) == 1


# -- no ------------------------------------------------------------------------------------------

QUESTIONS: dict[str, tuple[str, Callable[[Account], object]]] = {
    STATE: (
        "Storage Table Data Contributor",
        lambda account: TableStore(account).load(an_endpoint()),
    ),
    SAMPLES: (
        "Storage Blob Data Contributor",
        lambda account: BlobSamples(account).read("churn", "metrics", NOON, NOON + MINUTE),
    ),
    POLICIES: (
        "Storage Blob Data Contributor",
        lambda account: PolicyContainer(account).names(),
    ),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_a_missing_right_is_told_with_the_role_that_gives_it(
    storage: Azurite, connection: str, what: str
) -> None:
    role, ask = QUESTIONS[what]
    with bad_line(storage.blobs) as blobs, bad_line(storage.tables) as tables:
        beyond = connection.replace(storage.blobs, blobs.url).replace(storage.tables, tables.url)
        account = Account.in_azurite(beyond, "test")
        TableStore(account).live(1)
        said = {"x-ms-error-code": "AuthorizationPermissionMismatch"}
        for line in (blobs, tables):
            line.faults.append(Fault(everything, 403, said, times=9))

        with pytest.raises(Refused, match=rf"{what}: 403 Authoriz.*the role '{role}'") as raised:
            ask(account)

    assert KEY not in str(raised.value)


@pytest.mark.parametrize("what", QUESTIONS)
def test_what_was_deleted_is_not_begun_anew_in_silence(
    account: Account, connection: str, what: str
) -> None:
    _, ask = QUESTIONS[what]
    TableStore(account).live(1)
    if what == STATE:
        account.table(STATE).delete_table()
    else:
        account.container(what).delete_container()

    with pytest.raises(Refused, match=rf"no such (table|container).* create .*--name {what}`"):
        ask(account)


def test_an_account_that_does_not_answer_is_told_with_the_setting_that_names_it() -> None:
    account = Account.on_azure("nobody", "storage.invalid", AnyToken(), "test")

    with pytest.raises(Unavailable, match=r"account nobody, .* see that ROLLOUT_STORAGE names"):
        TableStore(account).load(an_endpoint())


class AnyToken:
    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("token", 2_000_000_000)


def test_two_installations_do_not_share_an_account(account: Account, connection: str) -> None:
    TableStore(account).live(1)
    other = Account.in_azurite(connection, "blue team")

    for ask in (
        lambda: TableStore(other).load(an_endpoint()),
        lambda: BlobSamples(other).forget("churn", NOON),
        lambda: PolicyContainer(other).names(),
    ):
        with pytest.raises(Refused, match=r"installation 'test', this one is 'blue team'; give"):
            ask()

    assert TableStore(Account.in_azurite(connection, "test")).live(1) == []


def test_two_accounts_of_one_process_are_each_opened_by_their_own_credential(
    account: Account, storage: Azurite
) -> None:
    other = Account.in_azurite(storage.new_account(), "test")
    held = account.container(POLICIES)
    held.upload_blob("churn.yaml", b"schema: 1")

    other.container(POLICIES)

    assert [blob.name for blob in held.list_blobs()] == ["churn.yaml"]
    other.close()


def test_an_account_of_a_newer_version_is_left_alone(account: Account, connection: str) -> None:
    owner = account.table(HINTS).get_entity("owner", "owner")
    account.table(HINTS).update_entity({**owner, "layout": 2})

    with pytest.raises(Unavailable, match=r"layout 2, this one knows 1\); install the newer"):
        TableStore(Account.in_azurite(connection, "test")).load(an_endpoint())


# -- evidence ------------------------------------------------------------------------------------

LARGE = an_entry(1).model_copy(update={"numbers": {"findings": ["a long story"] * 1000}})


def test_large_numbers_are_kept_apart_and_before_their_row(account: Account) -> None:
    store = TableStore(account)
    store.save(store.load(an_endpoint()), a_head(), LARGE)

    row = account.table(STATE).get_entity(an_endpoint().key, "history-0000000001")
    kept = [blob.name for blob in account.container(EVIDENCE).list_blobs()]
    assert kept == [row["evidence"]]
    assert len(row["body0"]) < 1000
    assert store.history(an_endpoint().key) == [LARGE]

    account.container(EVIDENCE).delete_blob(kept[0])
    assert store.history(an_endpoint().key)[0].numbers == {"gone": kept[0]}


def test_a_decision_does_not_wait_for_its_evidence(account: Account) -> None:
    store = TableStore(account)
    held = store.load(an_endpoint())
    account.container(EVIDENCE).delete_container()

    store.save(held, Head(endpoint=an_endpoint()), LARGE)

    assert store.history(an_endpoint().key) == [LARGE]
