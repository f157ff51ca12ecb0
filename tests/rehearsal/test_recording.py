"""A recording is read whole or refused with the place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollout.errors import Malformed
from rollout.rehearsal.recording import MINUTES_MAX, parse_recording
from tests.rehearsal.builders import a_minute, a_recording, legs_of

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "plan-a-rollout.md"
Change = Callable[[dict[str, Any]], object]


def told(change: Change) -> str:
    """What is said of a recording that was changed so."""
    written = json.loads(a_recording(legs_of((5, 3))).model_dump_json())
    change(written)
    with pytest.raises(Malformed) as refused:
        parse_recording(json.dumps(written), "churn.json")
    return str(refused.value)


def test_what_is_written_is_read() -> None:
    recording = a_recording((a_minute(0, 20, mirrored=True), a_minute(1, 5), a_minute(2, 5)))

    assert parse_recording(recording.model_dump_json(), "churn.json") == recording


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "rollout-minutes/2"}'])
def test_what_is_no_recording_is_told(text: str) -> None:
    with pytest.raises(Malformed, match=r"^churn.json: not (JSON|a recording)"):
        parse_recording(text, "churn.json")


def _at(place: int, as_of: int) -> Change:
    def change(written: dict[str, Any]) -> None:
        written["minutes"][place]["at"] = written["minutes"][as_of]["at"]

    return change


def _set(place: int, name: str, value: Any) -> Change:
    return lambda written: written["minutes"][place].update({name: value})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_at(1, 0), "minutes[1]: 2026-03-02 12:00:00+00:00 comes twice; each minute comes once"),
        (
            _at(0, 2),
            "12:01:00+00:00 stands after 2026-03-02 12:02:00+00:00; oldest first",
        ),
        (
            _set(1, "canary", {"statuses": {"200": -5}}),
            "minutes[1].canary: -5 answers under 200: a count is 0 or more",
        ),
        (
            _set(1, "canary", {"statuses": {"200": 5}, "latency": {"p95": -1}}),
            "minutes[1].canary.latency: a latency is a number of milliseconds, not -1.0",
        ),
        (_set(2, "share", 101), "minutes[2].share: Input should be less than or equal to 100"),
        (_set(2, "shares", 1), "minutes[2].shares: Extra inputs are not permitted"),
        (
            _set(2, "at", "2026-03-02T12:02:30Z"),
            "2026-03-02 12:02:30+00:00 is not the start of a minute of 60 s",
        ),
        (
            lambda written: written["minutes"][2].update(share=60, mirrored=True),
            "minutes[2]: 60 % mirrored; at most 50 % are copied",
        ),
        (
            lambda written: written["history"].append(written["minutes"][0] | {"share": 5}),
            "history[120].share: Extra inputs are not permitted",
        ),
        (
            lambda written: written.update(history=[{"at": "2026-03-02T12:00:00Z"}]),
            "history: it ends before the first of the minutes",
        ),
        (
            lambda written: written.update(baseline="canary"),
            "canary and baseline are both 'canary'",
        ),
        (
            lambda written: written.update(baseline=None),
            "minutes[0]: 5 % without a baseline beside it",
        ),
        (
            lambda written: (
                written.update(managed=False),
                written["minutes"][0].update(mirrored=True),
            ),
            "minutes[0]: a Kubernetes endpoint mirrors nothing",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(change: Change, sentence: str) -> None:
    assert sentence in told(change)


def test_minutes_far_apart_are_refused() -> None:
    sentence = told(lambda one: one["minutes"][2].update(at="2027-03-02T12:02:00Z"))

    assert "minutes: they span 525603 minutes; at most 1440" in sentence


def test_more_than_a_day_is_refused() -> None:
    assert "at most 1440" in told(lambda one: one.update(minutes=one["minutes"] * MINUTES_MAX))


def test_the_example_of_the_documentation_is_read() -> None:
    example = HOWTO.read_text("utf-8").partition("```json\n")[2].partition("```")[0]

    recording = parse_recording(example, "example")

    assert (recording.canary, recording.minutes[0].share, len(recording.history)) == ("green", 5, 1)
