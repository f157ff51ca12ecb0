"""What can be wrong with a folder: links, strange files, other people's programs."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout.adapters.policy_folder import PolicyFolder
from rollout.adapters.policy_places import ATTACHMENT_BYTES_MAX, POLICY_BYTES_MAX
from rollout.errors import Malformed, PolicyError, Unavailable, Unknown
from rollout.ports import PolicyFile


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    (tmp_path / "deployed").mkdir()
    (tmp_path / "deployed" / "good.yaml").write_text("good")
    return tmp_path / "deployed"


@pytest.fixture
def folder(deployed: Path, tmp_path: Path) -> PolicyFolder:
    return PolicyFolder(deployed, tmp_path / "pushed")


GOOD = [PolicyFile("good", "good")]


def test_folders_that_do_not_exist_are_empty(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path / "no", tmp_path / "neither")

    assert folder.list() == []
    with pytest.raises(Unknown, match="there are: none yet; push one"):
        folder.read("churn")


def test_other_files_are_not_policies(folder: PolicyFolder, deployed: Path) -> None:
    for name in ("README.md", ".hidden.yaml", ".partial-x", "good.yaml~", "two words.yaml"):
        (deployed / name).write_text("no policy")
    (deployed / "smoke").mkdir()

    assert folder.list() == GOOD


def too_large(deployed: Path) -> None:
    (deployed / "bad.yaml").write_bytes(b"x" * (POLICY_BYTES_MAX + 1))


def not_text(deployed: Path) -> None:
    (deployed / "bad.yaml").write_bytes(b"name: \xff\xfe")


def a_folder(deployed: Path) -> None:
    (deployed / "bad.yaml").mkdir()


def two_of_them(deployed: Path) -> None:
    (deployed / "bad.yaml").touch()
    (deployed / "bad.json").touch()


SPOILT = [
    (too_large, r"bad\.yaml: larger than 256 KiB; make it smaller"),
    (not_text, r"bad\.yaml: not UTF-8 at byte 6; save it as UTF-8"),
    (a_folder, r"bad\.yaml: not a file; put a file there, or remove it"),
    (two_of_them, r"bad\.json and bad\.yaml are the same policy 'bad'; remove one"),
]


@pytest.mark.parametrize(("spoil", "says"), SPOILT)
def test_a_file_that_cannot_be_read_is_named_and_does_not_stop_the_others(
    folder: PolicyFolder,
    deployed: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    says: str,
) -> None:
    spoil(deployed)

    with caplog.at_level(logging.WARNING):
        bad, good = folder.list()
    assert [good] == GOOD
    assert "bad" in caplog.text
    assert re.fullmatch(says, bad.error or "")
    with pytest.raises(PolicyError, match=says):
        folder.read("bad")


def test_a_link_out_of_the_folder_is_not_followed(
    folder: PolicyFolder, deployed: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.yaml").write_text("secret")
    (deployed / "leak.yaml").symlink_to(tmp_path / "secret.yaml")
    (deployed / "up").symlink_to(tmp_path)

    good, leak = folder.list()
    assert [good] == GOOD
    assert (leak.text, leak.error) == (
        "",
        "'leak.yaml' leads out of the policies' folder; put the file itself there",
    )
    with pytest.raises(Malformed, match="leads out of the policies' folder"):
        folder.read("leak")
    with pytest.raises(Malformed, match="leads out of the policies' folder"):
        folder.attachment("up/secret.yaml")


def test_nothing_is_written_through_a_link_out_of_the_folder(
    folder: PolicyFolder, tmp_path: Path
) -> None:
    (tmp_path / "pushed").mkdir()
    (tmp_path / "pushed" / "up").symlink_to(tmp_path)

    with pytest.raises(Malformed, match="leads out"):
        folder.attach("up/new.jsonl", b"")

    assert not (tmp_path / "new.jsonl").exists()


def test_a_link_within_the_folder_is_followed(folder: PolicyFolder, deployed: Path) -> None:
    (deployed / "alias.yaml").symlink_to(deployed / "good.yaml")

    assert folder.read("alias").text == "good"


def test_a_folder_reached_by_a_link_is_as_good_as_any(deployed: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(deployed)

    assert PolicyFolder(tmp_path / "link", tmp_path / "pushed").list() == GOOD


def test_a_large_attachment_is_not_read(folder: PolicyFolder, deployed: Path) -> None:
    (deployed / "big.jsonl").write_bytes(b"x" * (ATTACHMENT_BYTES_MAX + 1))

    with pytest.raises(PolicyError, match=r"big\.jsonl: larger than 4096 KiB"):
        folder.attachment("big.jsonl")


def test_a_pushed_file_replaces_one_with_another_ending(
    folder: PolicyFolder, tmp_path: Path
) -> None:
    (tmp_path / "pushed").mkdir()
    (tmp_path / "pushed" / "good.json").write_text("{}")

    folder.push("good", "new")

    assert folder.list() == [PolicyFile("good", "new", pushed=True)]
    folder.remove("good")
    assert folder.list() == GOOD


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(
    folder: PolicyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.push("good", "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rollout.adapters.policy_folder.os.fsync", full)
        with pytest.raises(Unavailable, match=r"good\.yaml: No space left on device; see"):
            folder.push("good", "new")

    assert folder.read("good").text == "old"
    assert [path.name for path in (tmp_path / "pushed").iterdir()] == ["good.yaml"]


def test_a_file_where_a_folder_should_be_is_named(folder: PolicyFolder, tmp_path: Path) -> None:
    (tmp_path / "pushed").touch()

    with pytest.raises(Unavailable, match=r"pushed.*exists"):
        folder.push("churn", "text")
