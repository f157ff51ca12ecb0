"""The keys of an endpoint by ARM's protocol: what is asked, and what each answer means."""

import logging
from typing import Any

import pytest
from pydantic import SecretStr

from rollout.adapters.azure.keys import ArmKeys
from rollout.adapters.azure.pipeline import ArmClient
from rollout.core.rotation.state import KeyName
from rollout.errors import Refused, Unavailable, Unknown
from rollout.key_ports import NotTaken
from rollout.ports import Accepted
from tests.adapters.recorded import (
    CHURN,
    ENDPOINT_PATH,
    Recorded,
    Reply,
    failed,
    payload,
)

KEYS_PATH, REGENERATE_PATH = f"{ENDPOINT_PATH}/listKeys", f"{ENDPOINT_PATH}/regenerateKeys"
KEY = SecretStr("a-very-secret-key")
LISTED = Reply(200, {"primaryKey": "one-secret", "secondaryKey": "other-secret"})


@pytest.fixture
def keys(arm: ArmClient) -> ArmKeys:
    return ArmKeys(arm)


def shown(azure: Recorded, **properties: Any) -> None:
    document = payload("endpoint")
    document["properties"] |= {"scoringUri": f"{azure.url}/score"} | properties
    azure.give("GET", ENDPOINT_PATH, Reply(200, document))


def test_both_keys_are_read_and_shown_by_nothing(azure: Recorded, keys: ArmKeys) -> None:
    shown(azure, traffic={"blue": 30, "green": 70})
    azure.give("POST", KEYS_PATH, LISTED)

    pair = keys.read(CHURN)

    assert (pair.mode, pair.busiest) == ("key", "green")
    assert pair.keys[KeyName.PRIMARY].get_secret_value() == "one-secret"
    assert "secret" not in repr(pair).replace("SecretStr", "")


@pytest.mark.parametrize("mode", ["AMLToken", "aadToken", "aad_token"])
def test_an_endpoint_with_tokens_is_not_asked_for_keys(
    azure: Recorded, keys: ArmKeys, mode: str
) -> None:
    shown(azure, authMode=mode)

    pair = keys.read(CHURN)

    assert (pair.mode, pair.keys) == (mode.lower().replace("_", ""), {})
    assert azure.sent("POST") == []


def test_a_regeneration_names_one_key_and_gives_it_no_value(azure: Recorded, keys: ArmKeys) -> None:
    where = f"{azure.url}/operations/1?s=signed"
    azure.give("POST", REGENERATE_PATH, Reply(202, None, {"Location": where}))

    answer = keys.regenerate(CHURN, KeyName.SECONDARY)

    assert answer == Accepted(where)
    (asked,) = azure.sent("POST")
    assert asked.json == {"keyType": "Secondary", "keyValue": None}


@pytest.mark.parametrize("status", [409, 429])
def test_where_azure_says_that_it_did_nothing_it_was_not_taken(
    azure: Recorded, keys: ArmKeys, status: int
) -> None:
    azure.give("POST", REGENERATE_PATH, Reply(status, failed("Conflict", "it is Updating")))

    answer = keys.regenerate(CHURN, KeyName.PRIMARY)

    assert isinstance(answer, NotTaken)
    assert "it is Updating" in answer.why
    assert len(azure.sent("POST")) == 1


@pytest.mark.parametrize("status", [408, 500, 503])
def test_any_other_later_leaves_it_open_and_is_never_asked_again_here(
    azure: Recorded, keys: ArmKeys, status: int
) -> None:
    azure.give("POST", REGENERATE_PATH, Reply(status, failed("Busy", "later")))

    with pytest.raises(Unavailable):
        keys.regenerate(CHURN, KeyName.PRIMARY)

    assert len(azure.sent("POST")) == 1


def test_a_missing_right_is_named(azure: Recorded, keys: ArmKeys) -> None:
    azure.give("POST", REGENERATE_PATH, Reply(403, failed("AuthorizationFailed", "no")))

    with pytest.raises(Refused, match="regenerateKeys/action"):
        keys.regenerate(CHURN, KeyName.PRIMARY)


def test_a_probe_shows_that_key_to_one_deployment_over_a_connection_of_its_own(
    azure: Recorded, keys: ArmKeys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown(azure)
    azure.give("POST", "/score", Reply(401, {"message": "no"}))

    answers = [keys.probe(CHURN, "blue", KEY, b'{"n": 1}') for _ in range(2)]

    assert [answer.status for answer in answers] == [401, 401]
    for asked in azure.sent("POST"):
        assert asked.headers["Authorization"] == f"Bearer {KEY.get_secret_value()}"
        assert asked.headers["azureml-model-deployment"] == "blue"
        assert asked.headers["Connection"] == "close"
    assert KEY.get_secret_value() not in caplog.text


def test_ten_probes_go_over_ten_connections_and_what_is_asked_of_arm_over_one(
    azure: Recorded, keys: ArmKeys
) -> None:
    """Behind one connection may be one front end, which knows the new key before the others."""
    shown(azure)
    azure.give("POST", "/score", Reply(200, {}))

    for _ in range(10):
        keys.probe(CHURN, "blue", KEY, b"{}")

    assert len({asked.client for asked in azure.sent("POST")}) == 10
    assert len({asked.client for asked in azure.sent("GET")}) == 1


@pytest.mark.parametrize(
    ("uri", "reaction"), [("http://elsewhere.example/score", Refused), (None, Unavailable)]
)
def test_a_key_goes_to_no_address_that_is_not_safe(
    azure: Recorded, keys: ArmKeys, uri: str | None, reaction: type[Exception]
) -> None:
    shown(azure, scoringUri=uri)

    with pytest.raises(reaction):
        keys.probe(CHURN, "blue", KEY, b"{}")


def test_a_deployment_with_a_strange_name_is_refused_unsent(azure: Recorded, keys: ArmKeys) -> None:
    with pytest.raises(Unknown):
        keys.probe(CHURN, "blue\r\nX: y", KEY, b"{}")

    assert azure.asked == []


def test_the_endpoints_of_a_workspace_are_listed_page_by_page(
    azure: Recorded, keys: ArmKeys
) -> None:
    path = f"{CHURN.in_workspace.arm_id}/onlineEndpoints"
    other = CHURN.arm_id.replace("churn", "fraud")
    more = f"{azure.url}{path}?page=2"
    first = Reply(200, {"value": [{"id": CHURN.arm_id}], "nextLink": more})
    azure.give("GET", path, first, Reply(200, {"value": [{"id": other}]}))

    found = keys.list(CHURN.in_workspace)

    assert [one.name for one in found] == ["churn", "fraud"]
