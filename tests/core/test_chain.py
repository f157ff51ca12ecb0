"""What is changed in a history afterwards is found, and named."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from rollout.core.chain import examine, first_link, link
from rollout.core.head import HistoryEntry
from rollout.core.rollout import Phase
from tests.fakes import NOON

KEY = "churn-0123456789"
KNOWN = (
    "e8ef2303435b7b71b43223dfa05aaf7496a483d577d5767ef59e5e35a8bafb38"  # pragma: allowlist secret
)


def a_history(
    length: int = 5, unchained: int = 0, key: str = KEY
) -> tuple[list[HistoryEntry], str | None]:
    """So many entries, the first of them from before there were hashes; and the last hash."""
    entries, last = list[HistoryEntry](), None
    for number in range(1, length + 1):
        previous = None if number <= unchained else last or first_link(key)
        entry = HistoryEntry(
            number=number,
            at=NOON + timedelta(minutes=number),
            rollout_id="r1",
            event="Looked",
            event_id=f"e{number}",
            who="rollout",
            before=Phase.SHIFTING,
            after=Phase.MEASURING,
            why=f"step {number}",
            numbers={"b": number, "a": {"d": 1.5, "c": None}},
            previous=previous,
        )
        entries.append(entry)
        last = None if number <= unchained else link(entry)
    return entries, last


def faults(entries: list[HistoryEntry], written: int, last: str | None) -> tuple[str, ...]:
    return examine(KEY, written, last, entries).faults


def test_a_history_as_it_was_written_is_whole() -> None:
    entries, last = a_history(5)

    audit = examine(KEY, 5, last, entries)

    assert (audit.whole, audit.entries, audit.unchained) == (True, 5, 0)


def test_entries_of_before_there_were_hashes_are_counted() -> None:
    entries, last = a_history(5, unchained=3)

    audit = examine(KEY, 5, last, entries)

    assert (audit.whole, audit.unchained) == (True, 3)


def test_a_hash_survives_storage_and_the_order_of_keys() -> None:
    entry = a_history(1)[0][0]

    stored = HistoryEntry.model_validate_json(entry.model_dump_json())
    turned = entry.model_copy(update={"numbers": {"a": {"c": None, "d": 1.5}, "b": 1}})

    assert link(entry) == link(stored) == link(turned)


def test_a_hash_is_the_same_in_every_version() -> None:
    """Written down once: whoever changes this loses every history that is chained already."""
    assert link(a_history(1)[0][0]) == KNOWN


def test_an_entry_that_was_changed_is_named() -> None:
    entries, last = a_history(5)
    entries[2] = entries[2].model_copy(update={"why": "nothing happened"})

    assert faults(entries, 5, last) == ("entry 3 was changed: entry 4 knows another",)


def test_a_last_entry_that_was_changed_is_named() -> None:
    entries, last = a_history(5)
    entries[4] = entries[4].model_copy(update={"who": "nobody"})

    assert faults(entries, 5, last) == ("entry 5 was changed: the endpoint knows another",)


def test_entries_that_are_missing_are_named() -> None:
    entries, last = a_history(6)

    assert faults([*entries[:1], *entries[3:]], 6, last) == ("entries 2 to 3 are missing",)
    assert faults(entries[1:], 6, last) == ("entry 1 is missing",)


def test_entries_that_were_cut_off_are_named() -> None:
    entries, last = a_history(5)

    assert faults(entries[:3], 5, last) == ("entries 4 to 5 are cut off",)
    assert faults([], 5, last) == ("entries 1 to 5 are cut off",)


def test_entries_that_changed_places_are_named() -> None:
    entries, last = a_history(5)
    entries[1], entries[2] = entries[2], entries[1]

    found = faults(entries, 5, last)

    assert found[0] == "entry 2 is missing"
    assert found[1] == "entry 2 stands after entry 3: the order was changed"


def test_the_history_of_another_endpoint_is_not_taken_for_this_ones() -> None:
    entries, last = a_history(3)

    found = examine("other-0123456789", 3, last, entries).faults

    assert found == ("entry 1 does not begin this endpoint's history",)


def test_an_entry_that_was_added_at_the_end_is_named() -> None:
    entries, last = a_history(3)
    more = entries[-1].model_copy(update={"number": 4, "previous": last})

    assert faults([*entries, more], 3, last) == ("entry 4 was added: the endpoint has written 3",)


_CHANGES = some.sampled_from(
    [{"why": "x"}, {"who": "x"}, {"numbers": {}}, {"actions": ("x",)}, {"previous": None}]
)


@given(length=some.integers(2, 12), place=some.integers(0, 11), change=_CHANGES)
def test_no_change_of_one_entry_goes_unseen(
    length: int, place: int, change: dict[str, Any]
) -> None:
    entries, last = a_history(length)
    place %= length
    entries[place] = entries[place].model_copy(update=change)

    assert faults(entries, length, last)


@given(length=some.integers(2, 12), data=some.data())
def test_no_other_order_and_no_part_goes_unseen(length: int, data: some.DataObject) -> None:
    entries, last = a_history(length)
    places = data.draw(some.lists(some.integers(0, length - 1), max_size=length + 2))
    other = [entries[place] for place in places]

    assert (other == entries) == (not faults(other, length, last))
