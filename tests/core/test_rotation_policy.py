"""Rotation policies as people write them: names, calendars, and every mistake with its place."""

from datetime import UTC, datetime

import pytest

from rollout.core.rotation.policy import Schedule, Secret
from rollout.core.rotation.policy_text import (
    choose_rotation,
    document_warnings,
    is_rotation,
    parse_document,
    parse_rotation,
)
from rollout.errors import PolicyError
from tests.builders import an_endpoint
from tests.core.rotations import a_rotation_policy

TEXT = """
rotation:
  match: {endpoint: "churn-*"}
  schedule: {cron: "30 2 * * SUN", zone: Europe/Berlin}
  overlap_minutes: 90
  secret: {name: "{workspace}-{endpoint}", expiry_days: 30}
  probe: {requests: smoke/churn.jsonl}
"""


def test_a_file_is_known_by_its_first_key() -> None:
    policy = parse_rotation(TEXT, "keys")

    assert is_rotation(TEXT)
    assert not is_rotation("match: {endpoint: churn}\nstages: []")
    assert (policy.overlap_minutes, policy.secret.expiry_days) == (90, 30)
    assert parse_document(TEXT, "keys").version == parse_document(TEXT + "\n# more", "keys").version


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("overlap_minutes", "overlap_minute", "unknown key; did you mean overlap_minutes?"),
        ("30 2 * * SUN", "0 30 2 * * SUN", "no schedule of five fields"),
        ("30 2 * * SUN", "30 2 30 2 *", "no schedule of five fields"),
        ("Europe/Berlin", "Europe/Bielefeld", "'Europe/Bielefeld' is no time zone"),
        ("{workspace}-{endpoint}", "shared", "would be shared by all"),
        ("{workspace}-{endpoint}", "{endpoint}/key", "cannot be a secret's name"),
        ("90", "-1", "a whole number from 0"),
        ("  probe: {requests: smoke/churn.jsonl}\n", "", "rotation.probe: missing"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, told: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_rotation(TEXT.replace(old, new), "keys")

    assert str(error.value).startswith("keys:")
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (30, ["which is at once: it is rotated when it is over"]),
        (45, ["keys kept there are rotated every 15 days"]),
        (60, []),
    ],
)
def test_a_life_that_ends_soon_after_the_notice_is_warned_about(days: int, told: list[str]) -> None:
    document = parse_document(TEXT.replace("expiry_days: 30", f"expiry_days: {days}"), "keys")

    warned = document_warnings(document)

    assert [part in line for part, line in zip(told, warned, strict=True)] == [True] * len(told)


def test_a_calendar_knows_its_zone_and_the_change_of_its_clocks() -> None:
    schedule = Schedule(cron="30 2 * * SUN", zone="Europe/Berlin")
    before = datetime(2026, 3, 25, tzinfo=UTC)

    summer = schedule.next(datetime(2026, 3, 30, tzinfo=UTC))

    assert schedule.last(before) == datetime(2026, 3, 22, 1, 30, tzinfo=UTC)
    assert summer == datetime(2026, 4, 5, 0, 30, tzinfo=UTC)
    assert schedule.last(summer) == summer


def test_a_secret_is_named_after_its_endpoint_and_as_key_vault_allows() -> None:
    endpoint = an_endpoint().model_copy(update={"workspace": "ml_ops"})

    assert Secret().of(endpoint) == "ml-ops-churn-key"


def test_the_most_specific_policy_counts_and_a_tie_is_an_error() -> None:
    every = a_rotation_policy(match={"endpoint": "*"})
    some, same = (a_rotation_policy(match={"endpoint": text}) for text in ("chur*", "*hurn"))
    own = a_rotation_policy()

    assert choose_rotation({"every": every, "own": own, "some": some}, an_endpoint()) == "own"
    assert choose_rotation({}, an_endpoint()) is None
    with pytest.raises(PolicyError, match="same and some match it equally well"):
        choose_rotation({"some": some, "same": same}, an_endpoint())
