"""Rows are small enough for Azure, which refuses what Azurite takes; and old ones are read."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters import chunks
from rollout.adapters.azure.storage.account import STATE, Account
from rollout.adapters.azure.storage.rows import ROW_BYTES_MAX, ROW_BYTES_WANTED, packed
from rollout.adapters.azure.storage.store import TableStore
from rollout.core.events import AbortRequested, PauseRequested, ResumeRequested
from rollout.core.head import SEEN_MAX, Head, HistoryEntry
from rollout.core.machine.decide import decide
from rollout.core.rollout import Order, Phase
from rollout.errors import Refused
from rollout.ports import Held
from tests.adapters.contracts.rows import a_head, a_rollout, an_endpoint
from tests.fakes import NOON, FakeStore
from tests.simulation.world import CHURN, World

HOUR = timedelta(hours=1)
PROPERTY_BYTES_MAX = 64 * 1024
ROWS = Path(__file__).parents[1] / "rows"

# -- sizes ---------------------------------------------------------------------------------------

METRICS = ("error_rate", "unavailable_rate", "latency_p50", "latency_p90", "latency_p95")
GUARDS = [
    f"  - {{metric: {metric}, worse_by_ratio: 3.25, severity: {severity}}}"
    for metric in (*METRICS, "latency_p99")
    for severity in ("fail", "hold", "watch")
]
STAGES = [
    f"  - canary: {{weight: {weight}, shortest_minutes: 10, longest_minutes: 400}}"
    for weight in (1, 2, 5, 10, 25, 50, 75)
]
LARGEST = "\n".join(
    [
        *("schema: 1", "match: {endpoint: churn}", "on_deadline: {minutes: 10000}", "guards:"),
        *("  - {metric: error_rate, at_most: 0.5}", "  - {metric: latency_p99, at_most: 9000}"),
        *(*GUARDS, "stages:", *STAGES, "  - bake: {shortest_minutes: 10}"),
    ]
)
"""Twenty guards, which is as many as there may be."""


class MeasuredStore(FakeStore):
    """One that knows the largest row and entry it was given."""

    head_bytes = 0
    entry_bytes = 0

    def save(self, held: Held, head: Head, entry: HistoryEntry | None = None) -> Held:
        self.head_bytes = max(self.head_bytes, len(head.model_dump_json(by_alias=True).encode()))
        told = entry.model_dump_json(by_alias=True) if entry else ""
        self.entry_bytes = max(self.entry_bytes, len(told.encode()))
        return super().save(held, head, entry)


def test_the_head_row_stays_under_32_kib_in_a_week_with_the_largest_policy() -> None:
    store = MeasuredStore()
    world = World(policy=LARGEST, store=store)
    world.clock.minute = 2 * HOUR
    world.start()
    for hour in range(1, 170, 3):
        name, who = f"{hour:064}", "a.long.name@a-long-company.example"
        pause = PauseRequested(id=f"pause-{name}", who=who, why="for the night " * 10)
        world.at(hour * 60, lambda event=pause: world.tell(event))  # type: ignore[misc]
        resume = ResumeRequested(id=f"resume-{name}", who=who, why="go on")
        world.at(hour * 60 + 20, lambda event=resume: world.tell(event))  # type: ignore[misc]

    world.run(minutes=168 * 60)

    assert world.phase is Phase.MEASURING
    assert len(world.rollout.policy.guards) == 20
    assert len(world.head.seen) == SEEN_MAX
    assert 16 * 1024 < store.head_bytes < ROW_BYTES_WANTED


def test_no_property_is_larger_than_azure_takes(account: Account) -> None:
    """Each of these characters is four bytes in UTF-16."""
    store = TableStore(account)
    order = Order(endpoint=an_endpoint(), deployment="green", who="anna", why="\U0001f648" * 40_000)
    head = a_head().model_copy(update={"queued": order})

    held = store.save(store.load(an_endpoint()), head)

    row = account.table(STATE).get_entity(an_endpoint().key, "head")
    texts = [value for value in row.values() if isinstance(value, str)]
    assert len(texts) > 3
    assert max(len(text.encode("utf-16-le")) for text in texts) <= PROPERTY_BYTES_MAX
    assert store.load(an_endpoint()) == held


def test_a_row_that_azure_would_not_take_is_refused_and_nothing_is_saved(account: Account) -> None:
    store = TableStore(account)
    held = store.save(store.load(an_endpoint()), a_head())
    order = Order(endpoint=an_endpoint(), deployment="green", who="anna", why="x" * ROW_BYTES_MAX)

    with pytest.raises(Refused, match=r"head of churn-\w+ would take 19\d\d KiB, .* takes 960"):
        store.save(held, a_head().model_copy(update={"queued": order}))

    assert store.load(an_endpoint()) == held


def test_a_head_above_what_is_wanted_is_told_and_saved(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """A rollback that is decided is not held up by the size of its row."""
    store = TableStore(account)
    order = Order(endpoint=an_endpoint(), deployment="green", who="a", why="x" * ROW_BYTES_WANTED)
    head = a_head().model_copy(update={"queued": order})

    store.save(store.load(an_endpoint()), head)

    assert store.load(an_endpoint()).head == head
    assert "its row has grown to 32 KiB" in caplog.text


# -- yesterday's rows ------------------------------------------------------------------------------


@pytest.fixture(params=sorted(ROWS.glob("*.json")), ids=lambda path: path.stem)
def stored(request: pytest.FixtureRequest) -> Any:
    return json.loads(request.param.read_text("utf-8"))


def test_rows_of_every_version_so_far_are_read(account: Account, stored: Any) -> None:
    store = TableStore(account)
    for row in stored["rows"]:
        account.table(STATE).create_entity(row)

    head = store.load_key(CHURN.key).head
    (entry,) = store.history(CHURN.key)
    back = decide(head, AbortRequested(id="a", who="anna", why="enough"), NOON)

    assert store.repair() == 4
    assert [one.entry for one in store.feed(0, 99).entries] == [entry]
    assert store.live(9) == [head]
    assert [one.phase for one in store.ended(9)] == [Phase.PROMOTED]
    assert entry.numbers["findings"][0]["verdict"] == "pass"
    assert back.head.phase is Phase.ROLLING_BACK
    assert chunks.parse(json.dumps(stored["samples"]))


def test_a_row_is_told_with_its_schema() -> None:
    head = a_head(rollout=a_rollout())

    row = packed("churn", "head", head.model_dump_json(by_alias=True))

    assert row == {
        "PartitionKey": "churn",
        "RowKey": "head",
        "schema": 1,
        "body0": head.model_dump_json(by_alias=True),
    }
