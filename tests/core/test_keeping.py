"""What is removed of a history leaves a chain that can still be verified, and no other does."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from rollout.core.chain import PRUNED, examine
from rollout.core.head import Checkpoint, Head, HistoryEntry
from rollout.core.keeping import Removal, at_rest, outlived, removal
from rollout.core.rollout import Phase
from tests.adapters.contracts.rows import a_head, a_rollout, an_endpoint
from tests.core.test_chain import a_history
from tests.fakes import NOON

NOW = NOON + timedelta(days=400)
KEY = an_endpoint().key
MINUTE = timedelta(minutes=1)


def a_past(length: int, unchained: int = 0) -> tuple[Head, list[HistoryEntry]]:
    """An endpoint at rest with so many entries, one a minute, all of an earlier rollout."""
    entries, last = a_history(length, unchained, KEY)
    rollout = a_rollout(Phase.PROMOTED, "last")
    head = a_head(rollout=rollout).model_copy(update={"entries": length, "last_link": last})
    return head, entries


def pruned(head: Head, entries: list[HistoryEntry], before: datetime) -> Removal | None:
    return removal(head, entries, (), before, NOW, "rollout")


def left(found: Removal, entries: list[HistoryEntry]) -> list[HistoryEntry]:
    through = found.head.pruned.through if found.head.pruned else 0
    return [*(one for one in entries if one.number > through), found.entry]


def faults(head: Head, entries: list[HistoryEntry]) -> tuple[str, ...]:
    return examine(KEY, head.entries, head.last_link, entries, head.pruned).faults


@given(
    length=some.integers(1, 12),
    unchained=some.integers(0, 12),
    cuts=some.lists(some.integers(1, 14), max_size=4),
)
def test_whatever_is_removed_the_rest_verifies(
    length: int, unchained: int, cuts: list[int]
) -> None:
    head, entries = a_past(length, min(unchained, length))
    for cut in sorted(cuts):
        if found := pruned(head, entries, NOON + cut * MINUTE):
            head, entries = found.head, left(found, entries)

    assert faults(head, entries) == ()


@given(length=some.integers(3, 12), cut=some.integers(2, 12), data=some.data())
def test_after_a_removal_no_other_entries_go_unseen(
    length: int, cut: int, data: some.DataObject
) -> None:
    head, entries = a_past(length)
    found = pruned(head, entries, NOON + min(cut, length) * MINUTE)
    assert found
    there = left(found, entries)
    places = data.draw(some.lists(some.integers(0, len(there) - 1), max_size=len(there) + 2))
    other = [there[place] for place in places]

    assert (other == there) == (not faults(found.head, other))


@given(length=some.integers(2, 12), cut=some.integers(1, 11))
def test_a_checkpoint_that_no_entry_tells_of_is_found(length: int, cut: int) -> None:
    """Whoever cuts the beginning off and writes a checkpoint for it, has to write the end too."""
    head, entries = a_past(length)
    cut = min(cut, length - 1)
    forged = Checkpoint(through=cut, link=entries[cut].previous or "")
    row = head.model_copy(update={"pruned": forged})

    assert faults(row, entries[cut:]) == (
        f"entries 1 to {cut} were removed, and no entry tells of it",
    )


def test_a_history_that_was_pruned_by_another_hand_is_named() -> None:
    head, entries = a_past(6)
    found = pruned(head, entries, NOON + 4 * MINUTE)
    assert found
    there = left(found, entries)

    assert faults(found.head, there[1:]) == ("entry 4 is missing",)
    assert (
        "no entry tells"
        in faults(head.model_copy(update={"pruned": found.head.pruned}), there[:-1])[0]
    )


def test_entries_left_behind_a_checkpoint_are_no_fault() -> None:
    head, entries = a_past(6)
    found = pruned(head, entries, NOON + 4 * MINUTE)
    assert found

    assert faults(found.head, [*entries, found.entry]) == ()


def test_the_last_rollout_of_an_endpoint_stays_with_its_history() -> None:
    head, entries = a_past(5)
    entries[2] = entries[2].model_copy(update={"rollout_id": "last"})

    found = pruned(head, entries, NOW)

    assert found
    assert (found.entries, found.head.pruned and found.head.pruned.through) == (2, 2)
    ended = [a_rollout(Phase.PROMOTED, name) for name in ("first", "last")]
    assert outlived(head, ended, NOW) == ("first",)
    assert outlived(head, ended, NOON) == ()


def test_a_gap_is_not_removed_over() -> None:
    head, entries = a_past(5)

    found = pruned(head, [*entries[:2], *entries[3:]], NOW)

    assert found
    assert found.entries == 2


def test_where_nothing_is_old_nothing_is_written() -> None:
    head, entries = a_past(3)

    assert pruned(head, entries, NOON) is None


def test_the_entry_that_tells_of_a_removal_is_not_renewed_for_its_own_sake() -> None:
    head, entries = a_past(4)
    head = head.model_copy(update={"rollout": None})
    found = pruned(head, entries, NOW)
    assert found
    assert found.entry.event == PRUNED

    assert pruned(found.head, [found.entry], NOW + timedelta(days=800)) is None


def test_only_an_endpoint_where_nothing_lives_is_at_rest() -> None:
    assert at_rest(a_head())
    assert at_rest(a_head(rollout=a_rollout(Phase.PROMOTED)))
    assert not at_rest(a_head(rollout=a_rollout(Phase.MEASURING)))
    order = a_rollout().order
    assert not at_rest(a_head().model_copy(update={"queued": order}))
