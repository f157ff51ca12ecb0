"""Keys that changed: which of them the front end takes, and when."""

from typing import Any

import pytest

from emulator.arm.keys import _opens
from emulator.arm.resources import KeyChange, Keys
from emulator.switches import Switches

OLD, NEW, OTHER = "old", "new", "other"


@pytest.mark.parametrize(
    ("switches", "seconds", "opens"),
    [
        ({}, 0, {NEW, OTHER}),
        ({"new_key_refused_seconds": 5}, 4, {OTHER}),
        ({"new_key_refused_seconds": 5}, 5, {NEW, OTHER}),
        ({"old_key_accepted_seconds": 5}, 4, {OLD, NEW, OTHER}),
        ({"old_key_accepted_seconds": 5}, 5, {NEW, OTHER}),
        ({"new_key_refused_seconds": 5, "old_key_accepted_seconds": 5}, 4, {OLD, OTHER}),
    ],
)
def test_news_of_a_changed_key_comes_late(
    switches: dict[str, Any], seconds: float, opens: set[str]
) -> None:
    keys = Keys(NEW, OTHER, [KeyChange(OLD, NEW, at=100.0)])
    tried = {OLD, NEW, OTHER, "strange", "schlüssel"}

    taken = {key for key in tried if _opens(keys, key, 100 + seconds, Switches(**switches))}

    assert taken == opens
