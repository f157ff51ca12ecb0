"""Audits and backups from the command line."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.sqlite.schema import MIGRATIONS
from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.chain import link
from rollout.core.head import HistoryEntry
from tests.adapters.contracts.rows import a_head, an_endpoint, an_entry
from tests.cli.canned import Canned
from tests.cli.conftest import Shell
from tests.cli.test_keys import ROTATION
from tests.core.test_chain import KEY, a_history

ENTRIES, LAST = a_history(5)
TOP = {"endpoint": "contoso/churn", "key": KEY, "written": 5, "last": LAST}
WHOLE = {**TOP, "entries": 5, "unchained": 0, "faults": []}
CHANGED = {**WHOLE, "faults": ["entry 3 was changed: entry 4 knows another"]}


def has_entries(canned: Canned, entries: list[HistoryEntry]) -> None:
    told = [json.loads(entry.model_dump_json()) for entry in entries]
    canned.says("GET", "audits/churn/entries", {**TOP, "entries": told})


def test_a_whole_history_is_said_with_its_last_hash(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "audits/churn", WHOLE)

    done = shell.run("audit", "verify", "churn")

    assert (done.exit_code, done.stdout) == (
        0,
        f"✔ contoso/churn: 5 entries; the last is {LAST}\n",
    )


def test_a_changed_history_is_named_and_ends_with_1(canned: Canned, shell: Shell) -> None:
    canned.says("GET", "audits/churn", CHANGED)

    done = shell.run("audit", "verify", "churn")

    assert done.exit_code == 1
    assert "entry 3 was changed: entry 4 knows another" in done.stdout


@pytest.mark.parametrize("cut", [False, True])
def test_an_export_is_verified_without_a_controller(
    cut: bool, canned: Canned, shell: Shell
) -> None:
    has_entries(canned, ENTRIES)
    lines = shell.run("audit", "export", "churn").stdout.splitlines()
    canned.stop()
    (shell.folder / "history.jsonl").write_text("\n".join(lines[:-1] if cut else lines))

    done = shell.run("audit", "verify", "--file", str(shell.folder / "history.jsonl"))

    assert len(lines) == 6
    assert done.exit_code == cut
    assert ("entry 5 is cut off" in done.stdout) == cut


KEYS: dict[str, Any] = {"mode": "key", "endpoint": "contoso/churn"}


def test_where_keys_alone_were_rotated_the_history_is_exported_too(
    canned: Canned, shell: Shell
) -> None:
    canned.says("GET", "rollouts", {"rollouts": []})
    never = {**KEYS, "endpoint": "contoso/fraud"}
    canned.says("GET", "keys", {"keys": [{**KEYS, "rotation": ROTATION}, never]})
    told = [json.loads(an_entry(1).model_dump_json())]
    canned.says("GET", "audits/contoso~churn/entries", {**TOP, "written": 1, "entries": told})

    done = shell.run("audit", "export")

    assert done.exit_code == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_endpoints_that_cannot_be_listed_are_said_to_be_left_out(
    canned: Canned, shell: Shell
) -> None:
    canned.says("GET", "rollouts", {"rollouts": []})

    done = shell.run("audit", "export")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "left out: endpoints where keys were rotated and nothing was rolled out" in done.stderr


def test_a_changed_line_of_an_export_is_named(canned: Canned, shell: Shell) -> None:
    has_entries(canned, ENTRIES)
    text = shell.run("audit", "export", "churn").stdout.replace("step 2", "step two")
    (shell.folder / "history.jsonl").write_text(text)

    done = shell.run("audit", "verify", "--file", str(shell.folder / "history.jsonl"), "--json")

    assert done.exit_code == 1
    faults = json.loads(done.stdout)["audits"][0]["faults"]
    assert faults == ["entry 2 was changed: entry 3 knows another"]


def test_what_is_no_export_is_refused_with_its_line(shell: Shell) -> None:
    (shell.folder / "history.jsonl").write_text('{"endpoint": "x"}\n')

    done = shell.run("audit", "verify", "--file", str(shell.folder / "history.jsonl"))

    assert done.exit_code == 4
    assert f"where: {shell.folder / 'history.jsonl'}:1" in done.stderr


# -- backups -----------------------------------------------------------------------------------


def a_store(folder: Path) -> Path:
    path = folder / ".rollout" / "rollout.db"
    with closing(SqliteStore(path)) as store:
        entry = an_entry(1)
        head = a_head().model_copy(update={"entries": 1, "last_link": link(entry)})
        store.save(store.load(an_endpoint()), head, entry)
    return path


def test_a_store_is_copied_and_put_back(shell: Shell, canned: Canned) -> None:
    path = a_store(shell.folder)
    canned.stop()

    copied = shell.run("backup", "copy.db", "--data", str(path.parent))
    path.unlink()
    done = shell.run("restore", str(shell.folder / "copy.db"), "--data", str(path.parent))

    assert (copied.exit_code, done.exit_code) == (0, 0), done.stderr
    with closing(SqliteStore(path)) as store:
        assert store.history(an_endpoint().key) == [an_entry(1)]


def test_nothing_is_put_back_while_a_controller_runs(shell: Shell, canned: Canned) -> None:
    path = a_store(shell.folder)
    shell.run("backup", "copy.db", "--data", str(path.parent))
    canned.is_healthy = True

    done = shell.run("restore", "copy.db", "--data", str(path.parent))

    assert done.exit_code == 4
    assert "a controller runs here already" in done.stderr


def test_a_file_that_is_no_backup_is_refused(shell: Shell, canned: Canned) -> None:
    path = a_store(shell.folder)
    canned.stop()
    (shell.folder / "copy.db").write_text("name,share\n")

    done = shell.run("restore", str(shell.folder / "copy.db"), "--data", str(path.parent))

    assert done.exit_code == 4
    assert "name a file that `rollout backup` wrote" in done.stderr
    assert len(MIGRATIONS) > 1


def test_where_no_store_is_nothing_is_copied(shell: Shell) -> None:
    done = shell.run("backup", "copy.db", "--data", "elsewhere")

    assert done.exit_code == 4
    assert "there is no store" in done.stderr
