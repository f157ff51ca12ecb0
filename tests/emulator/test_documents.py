"""Small readers: JSON as it comes, durations, names, ids."""

import pytest

from emulator.arm import durations, names
from emulator.arm.documents import with_defaults
from emulator.arm.lenient import read_object
from emulator.arm.refusals import Refusal


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2, ], "b": "x,}"}', {"a": [1, 2], "b": "x,}"}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": "quoted \\",}"}', {"a": 'quoted ",}'}),
        ("", {}),
    ],
)
def test_json_is_read_leniently(text: str, found: dict[str, object]) -> None:
    assert read_object(text.encode()) == found


@pytest.mark.parametrize("text", ["[1]", "{", "nonsense", b"\xff"])
def test_what_is_no_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(Refusal, match="JSON"):
        read_object(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("text", "length"), [("PT5S", 5), ("PT0.7S", 0.7), ("PT1M", 60), ("P1DT2H", 93_600)]
)
def test_durations(text: str, length: float) -> None:
    assert durations.seconds(text, "requestTimeout") == length


@pytest.mark.parametrize("text", ["", "5", "P", "PT", "PT-5S"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="ISO 8601"):
        durations.seconds(text, "requestTimeout")


@pytest.mark.parametrize("name", ["abc", "digits-v1", "A1b", "a" * 32])
def test_names_that_are_taken(name: str) -> None:
    assert names.checked(name, "Deployment") == name


@pytest.mark.parametrize("name", ["v1", "1abc", "abc-", "a_b", "a" * 33, "äbc"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        names.checked(name, "Deployment")


def test_the_service_fills_in_what_is_left_out() -> None:
    filled = with_defaults({"requestSettings": {"requestTimeout": "PT9S"}, "livenessProbe": None})

    assert filled["scaleSettings"] == {"scaleType": "Default"}
    assert filled["requestSettings"] == {
        "requestTimeout": "PT9S",
        "maxConcurrentRequestsPerInstance": 1,
        "maxQueueWait": "PT0S",
    }
    assert filled["livenessProbe"]["failureThreshold"] == 30
