"""What every PolicyFiles must pass; a new implementation is one line in PUSHED."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout.adapters.azure.storage.policies import PolicyContainer
from rollout.adapters.policy_folder import Folder
from rollout.adapters.policy_places import (
    ATTACHMENT_BYTES_MAX,
    POLICY_BYTES_MAX,
    Place,
    PolicyPlaces,
)
from rollout.errors import Malformed, PolicyError, Unknown
from rollout.ports import PolicyFile, PolicyFiles

DEPLOYED = {"churn.yaml": "deployed: churn\n", "fraud.yml": "deployed: fraud\n", "a.json": "{}"}
ATTACHED = {"smoke/churn.jsonl": b'{"x": 1}\n'}


PUSHED: dict[str, Callable[[pytest.FixtureRequest], Place]] = {
    "folder": lambda use: Folder(use.getfixturevalue("tmp_path") / "pushed"),
    "container": lambda use: PolicyContainer(use.getfixturevalue("account")),
}


@pytest.fixture(params=PUSHED)
def pushed(request: pytest.FixtureRequest) -> Place:
    return PUSHED[request.param](request)


@pytest.fixture
def files(pushed: Place, tmp_path: Path) -> PolicyFiles:
    deployed = tmp_path / "deployed"
    (deployed / "smoke").mkdir(parents=True)
    for name, text in DEPLOYED.items():
        (deployed / name).write_text(text)
    for name, content in ATTACHED.items():
        (deployed / name).write_bytes(content)
    return PolicyPlaces(Folder(deployed), pushed)


def test_the_deployed_are_listed_by_name(files: PolicyFiles) -> None:
    assert files.list() == [
        PolicyFile("a", "{}"),
        PolicyFile("churn", "deployed: churn\n"),
        PolicyFile("fraud", "deployed: fraud\n"),
    ]


def test_a_pushed_file_wins_over_the_deployed_one_until_it_is_removed(files: PolicyFiles) -> None:
    files.push("fraud", "pushed: fraud\n")
    assert files.read("fraud") == PolicyFile("fraud", "pushed: fraud\n", pushed=True)
    assert [file.pushed for file in files.list()] == [False, False, True]

    files.remove("fraud")
    assert files.read("fraud") == PolicyFile("fraud", "deployed: fraud\n")


def test_a_pushed_file_may_be_new_and_is_replaced_by_the_next(files: PolicyFiles) -> None:
    files.push("v1.2_new-one", "first")
    files.push("v1.2_new-one", "second")

    assert files.list()[-1] == PolicyFile("v1.2_new-one", "second", pushed=True)


def test_text_comes_back_letter_for_letter(files: PolicyFiles) -> None:
    text = "\ufeffname: Zürich\r\n# \U0001f648\n\n"
    files.push("churn", text)

    assert files.read("churn").text == text


def test_an_unknown_name_is_answered_with_what_there_is(files: PolicyFiles) -> None:
    with pytest.raises(Unknown, match=r"'chrn'.*a, churn, fraud"):
        files.read("chrn")


@pytest.mark.parametrize("name", ["churn", "nothing", "../pushed/churn"])
def test_only_a_pushed_file_can_be_removed(files: PolicyFiles, name: str) -> None:
    files.push("mine", "")

    with pytest.raises(Unknown, match="pushed are: mine"):
        files.remove(name)

    assert files.read("churn").text == DEPLOYED["churn.yaml"]


BAD_NAMES = ["", ".", "..", "../up", "a/b", "a\\b", "/etc", ".hidden", "a b", "a\n", "a\0", "é"]


@pytest.mark.parametrize("name", [*BAD_NAMES, "x" * 65, "churn.yaml", "churn.json"])
def test_a_name_is_letters_digits_and_little_else(files: PolicyFiles, name: str) -> None:
    with pytest.raises(Malformed, match="cannot be a policy's name; use"):
        files.push(name, "text")

    assert len(files.list()) == 3


def test_a_policy_is_not_larger_than_256_kib(files: PolicyFiles) -> None:
    files.push("churn", "x" * POLICY_BYTES_MAX)
    with pytest.raises(Malformed, match="larger than 256 KiB; make it smaller"):
        files.push("churn", "ü" * (POLICY_BYTES_MAX // 2 + 1))

    assert len(files.read("churn").text) == POLICY_BYTES_MAX


def test_half_a_character_is_refused(files: PolicyFiles) -> None:
    with pytest.raises(Malformed, match="half a character"):
        files.push("churn", "\ud800")


def test_an_attachment_is_read_by_its_path(files: PolicyFiles) -> None:
    assert files.attachment("smoke/churn.jsonl") == b'{"x": 1}\n'


def test_a_pushed_attachment_wins(files: PolicyFiles) -> None:
    content = bytes(range(256))
    files.attach("smoke/churn.jsonl", content)
    files.attach("deep/er/new one.json", b"")

    assert files.attachment("smoke/churn.jsonl") == content
    assert files.attachment("deep/er/new one.json") == b""
    assert len(files.list()) == 3


def test_an_unknown_attachment_is_named(files: PolicyFiles) -> None:
    with pytest.raises(Unknown, match=r"smoke/nothing\.jsonl"):
        files.attachment("smoke/nothing.jsonl")


def test_a_folder_of_samples_is_listed_wherever_its_files_are(files: PolicyFiles) -> None:
    """Deployed with the app, pushed into a folder, or into a container of blob storage."""
    for path in ("smoke/a.jsonl", "smoke/z.jsonl", "smoke/deep/b.jsonl", "smoke/c.json", "x.jsonl"):
        files.attach(path, b"{}")

    assert files.attached("smoke/") == ["smoke/a.jsonl", "smoke/churn.jsonl", "smoke/z.jsonl"]
    assert files.attached("smoke/deep/") == ["smoke/deep/b.jsonl"]


def test_a_folder_without_samples_is_named(files: PolicyFiles) -> None:
    with pytest.raises(Unknown, match=r"no file \*\.jsonl in samples/ beside the policies; push"):
        files.attached("samples/")
    with pytest.raises(Malformed, match="is not a path below the policies"):
        files.attached("../")


BAD_PATHS = ["", ".", "..", "../x", "smoke/../../x", "/etc/passwd", "C:\\x", "smoke//x", "smoke/"]


@pytest.mark.parametrize("path", [*BAD_PATHS, "a\\..\\x", ".env", "smoke/.x", "a\0", "smoke/./x"])
def test_a_path_does_not_leave_the_folder(files: PolicyFiles, path: str) -> None:
    with pytest.raises(Malformed, match="is not a path below the policies; write it like"):
        files.attachment(path)
    with pytest.raises(Malformed, match="is not a path below the policies; write it like"):
        files.attach(path, b"")


def test_an_attachment_is_not_larger_than_4_mib(files: PolicyFiles) -> None:
    files.attach("smoke/big.jsonl", b"x" * ATTACHMENT_BYTES_MAX)
    with pytest.raises(Malformed, match="larger than 4096 KiB; make it smaller"):
        files.attach("smoke/big.jsonl", b"y" * (ATTACHMENT_BYTES_MAX + 1))

    assert files.attachment("smoke/big.jsonl") == b"x" * ATTACHMENT_BYTES_MAX


@pytest.mark.parametrize("path", ["sneaky.yaml", "churn.yml", "requests.json"])
def test_an_attachment_does_not_pose_as_a_policy(files: PolicyFiles, path: str) -> None:
    with pytest.raises(Malformed, match="would be read as a policy; put it into a folder"):
        files.attach(path, b"match: {endpoint: '*'}")


SPOILT: list[tuple[str, bytes, str]] = [
    ("bad.yaml", b"x" * (POLICY_BYTES_MAX + 1), r"bad\.yaml: larger than 256 KiB; make it smaller"),
    ("bad.yaml", b"name: \xff\xfe", r"bad\.yaml: not UTF-8 at byte 6; save it as UTF-8"),
    ("bad.json", b"{}", r"bad\.json and bad\.yml are the same policy 'bad'; remove one"),
]


@pytest.mark.parametrize(("name", "content", "says"), SPOILT)
def test_a_file_that_cannot_be_read_is_listed_with_its_error_and_stops_no_other(
    files: PolicyFiles, pushed: Place, name: str, content: bytes, says: str
) -> None:
    pushed.write(name, content)
    if name == "bad.json":
        pushed.write("bad.yml", b"")

    listed = {file.name: file for file in files.list()}

    assert listed.keys() == {"a", "bad", "churn", "fraud"}
    assert (listed["bad"].text, listed["bad"].pushed) == ("", True)
    assert re.fullmatch(says, listed["bad"].error or "")
    assert listed["churn"].error is None
    with pytest.raises(PolicyError, match=says):
        files.read("bad")


def test_a_pushed_file_replaces_one_with_another_ending(files: PolicyFiles, pushed: Place) -> None:
    pushed.write("churn.json", b"{}")

    files.push("churn", "new")

    assert files.read("churn") == PolicyFile("churn", "new", pushed=True)
    files.remove("churn")
    assert files.read("churn").text == DEPLOYED["churn.yaml"]
