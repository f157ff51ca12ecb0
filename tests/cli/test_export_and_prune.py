"""Exports that can be verified, and the past removed only after it was told and archived."""

import json
from typing import Any

import pytest

from rollout.core.chain import PRUNED
from rollout.core.head import Checkpoint, HistoryEntry
from rollout.core.keeping import removal
from tests.adapters.contracts.rows import a_head
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.stories import ID, NOON, a_view
from tests.core.test_chain import KEY, a_history

ENTRIES, LAST = a_history(8)
BEFORE = "2026-01-01T00:00:00+00:00"
GONE = {"endpoint": "contoso/churn", "key": KEY, "entries": 3, "through": 3, "rollouts": ["r1"]}
RECORDING = {"format": "rollout-minutes/1", "rollout": "r1", "minutes": []}


def has_past(canned: Canned, entries: list[HistoryEntry] = ENTRIES, **top: Any) -> None:
    told = [json.loads(entry.model_dump_json()) for entry in entries]
    known = {"endpoint": "contoso/churn", "key": KEY, "written": 8, "last": LAST, "pruned": None}
    for name in ("churn", "contoso~churn"):
        canned.says("GET", f"audits/{name}/entries", {**known, **top, "entries": told})
    canned.says("GET", "rollouts/r1", {"id": "r1", "phase": "promoted"})
    canned.says("GET", "rollouts/r1/minutes", RECORDING)


def verified(shell: Shell, text: str) -> dict[str, Any]:
    (shell.folder / "past.jsonl").write_text(text)
    done = shell.run("audit", "verify", "--file", str(shell.folder / "past.jsonl"), "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["audits"]
    assert bool(done.exit_code) == any(one["faults"] for one in found)
    return found[0]


# -- export ------------------------------------------------------------------------------------


def test_an_export_has_history_rollouts_and_minutes_and_is_verified(
    canned: Canned, shell: Shell
) -> None:
    has_past(canned)

    done = shell.run("export", "churn")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("number") for line in lines[1:9]] == list(range(1, 9))
    assert lines[9:] == [{"rollout": {"id": "r1", "phase": "promoted"}}, {"minutes": RECORDING}]
    assert verified(shell, done.stdout)["faults"] == []


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (("--since", "2026-03-02T12:03"), [3, 4, 5, 6, 7, 8]),
        (("--until", "2026-03-02T12:03Z"), [1, 2]),
        (("--since", "2026-03-02T12:02", "--until", "2026-03-02T12:06"), [2, 3, 4, 5]),
    ],
)
def test_a_part_is_verified_from_its_first_entry_to_its_last(
    words: tuple[str, ...], numbers: list[int], canned: Canned, shell: Shell
) -> None:
    has_past(canned)

    text = shell.run("export", "churn", *words).stdout

    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["number"] for line in lines if "number" in line] == numbers
    assert verified(shell, text)["faults"] == []
    spoilt = text.replace(f"step {numbers[0]}", "step x")
    assert verified(shell, spoilt)["faults"]
    cut = "\n".join(line for line in text.splitlines() if f'"number":{numbers[-1]},' not in line)
    assert verified(shell, cut)["faults"]


def test_one_rollout_is_exported_with_what_lies_between_its_entries(
    canned: Canned, shell: Shell
) -> None:
    canned.shows([a_view()])
    ours = [
        one.model_copy(update={"rollout_id": ID}) if one.number in {3, 5} else one
        for one in ENTRIES
    ]
    has_past(canned, ours)
    canned.says("GET", f"rollouts/{ID}/minutes", RECORDING)

    lines = [json.loads(one) for one in shell.run("export", "--rollout", ID).stdout.splitlines()]

    assert [one["number"] for one in lines if "number" in one] == [3, 4, 5]
    assert [next(iter(one)) for one in lines[4:]] == ["rollout", "minutes"]


def test_minutes_that_are_gone_are_said_and_left_out(canned: Canned, shell: Shell) -> None:
    has_past(canned)
    canned.refuses("GET", "rollouts/r1/minutes", 404, "they are gone")

    done = shell.run("export", "churn")

    assert done.exit_code == 0
    assert "left out: minutes of r1" in done.stderr


def test_where_nothing_is_in_the_range_that_is_said(canned: Canned, shell: Shell) -> None:
    has_past(canned)

    done = shell.run("export", "churn", "--since", "2031-01-01")

    assert done.exit_code == 4
    assert "nothing to export" in done.stderr


def test_a_time_that_is_none_is_refused(canned: Canned, shell: Shell) -> None:
    done = shell.run("export", "churn", "--since", "yesterday")

    assert done.exit_code == 64
    assert "write 2026-03-02" in done.stderr


def test_a_history_that_was_pruned_is_verified_from_its_checkpoint(
    canned: Canned, shell: Shell
) -> None:
    head = a_head().model_copy(update={"entries": 8, "last_link": LAST})
    head = head.model_copy(update={"pruned": Checkpoint(through=2, link=str(ENTRIES[2].previous))})
    found = removal(head, ENTRIES[2:5], (), NOON.replace(year=2030), NOON, "anna")
    assert found
    assert found.entry.event == PRUNED
    pruned = found.head.pruned
    assert pruned
    top = {"written": 9, "last": found.head.last_link, "pruned": pruned.model_dump()}
    has_past(canned, [*ENTRIES[5:], found.entry], **top)

    text = shell.run("export", "churn").stdout

    audit = verified(shell, text)
    assert (audit["faults"], audit["entries"]) == ([], 4)
    hidden = text.replace(PRUNED, "Looked")
    assert "no entry tells of it" in str(verified(shell, hidden)["faults"])


# -- prune -------------------------------------------------------------------------------------


def prunes(canned: Canned, *pages: dict[str, Any]) -> None:
    told = [{"before": BEFORE, "pruned": [], "kept": [], "next": None, **page} for page in pages]
    canned.says("POST", "prunes", *told)


def asked(canned: Canned) -> list[dict[str, Any]]:
    return [one.body for one in canned.requests if one.path == "prunes"]


def test_without_yes_it_is_only_told(canned: Canned, shell: Shell) -> None:
    prunes(canned, {"pruned": [GONE], "kept": ["contoso/fraud: something lives on it"]})

    done = shell.run("prune", "--before", "2026-01-01", "--as", "anna")

    assert done.exit_code == 0
    assert "contoso/churn: 3 entries, 1 rollouts would be removed" in done.stdout
    assert "left alone: contoso/fraud: something lives on it" in done.stdout
    assert "Nothing was removed: add --yes." in done.stdout
    assert [body["dry_run"] for body in asked(canned)] == [True]


def test_with_yes_what_was_told_is_removed_page_by_page(canned: Canned, shell: Shell) -> None:
    first: dict[str, Any] = {"pruned": [GONE], "next": KEY}
    second: dict[str, Any] = {"pruned": []}
    prunes(canned, first, second, first, second)

    done = shell.run("prune", "--yes", "--as", "anna", "--json")

    assert json.loads(done.stdout)["removed"] is True
    assert [(body.get("dry_run"), body["after"]) for body in asked(canned)] == [
        (True, ""),
        (True, KEY),
        (None, ""),
        (None, KEY),
    ]
    assert asked(canned)[2]["before"] == BEFORE


@pytest.mark.parametrize("pruned", [[], [GONE]])
def test_dead_letters_are_told_and_removed_also_alone(
    pruned: list[dict[str, Any]], canned: Canned, shell: Shell
) -> None:
    pages: list[dict[str, Any]] = [{"pruned": pruned, "dead_letters": 3, "next": KEY}, {}]
    prunes(canned, *pages, *pages, *pages)

    told = shell.run("prune", "--as", "anna").stdout
    done = shell.run("prune", "--yes", "--as", "anna").stdout

    assert "3 dead letters would be removed" in told
    assert "3 dead letters removed" in done
    assert [body.get("dry_run") for body in asked(canned)] == [True] * 4 + [None] * 2


def test_an_archive_is_whole_and_verified_before_anything_goes(
    canned: Canned, shell: Shell
) -> None:
    has_past(canned)
    prunes(canned, {"pruned": [GONE]})
    path = shell.folder / "old.jsonl"

    done = shell.run("prune", "--archive", str(path), "--yes", "--as", "anna")

    assert done.exit_code == 0
    assert path.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["number"] for line in lines if "number" in line] == [1, 2, 3]
    assert {"minutes": RECORDING} in lines
    assert verified(shell, path.read_text())["faults"] == []


@pytest.mark.parametrize("place", ["there.jsonl", "no/such/folder.jsonl"])
def test_where_it_cannot_be_archived_nothing_goes(place: str, canned: Canned, shell: Shell) -> None:
    has_past(canned)
    prunes(canned, {"pruned": [GONE]})
    (shell.folder / "there.jsonl").write_text("precious")

    done = shell.run("prune", "--archive", str(shell.folder / place), "--yes", "--as", "anna")

    assert done.exit_code == 4
    assert (shell.folder / "there.jsonl").read_text() == "precious"
    assert [body.get("dry_run") for body in asked(canned)] == [True]


def test_where_nothing_is_old_nothing_is_asked_to_go(canned: Canned, shell: Shell) -> None:
    prunes(canned, {})

    done = shell.run("prune", "--yes", "--as", "anna")

    assert f"nothing is older than {BEFORE}" in done.stdout
    assert len(asked(canned)) == 1
