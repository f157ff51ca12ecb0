"""The data plane's answers, and which secret goes where."""

import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.azure.scoring import HttpScoring
from rollout.errors import Refused, RolloutError, Unavailable, Unknown
from tests.adapters.recorded import (
    CHURN,
    ENDPOINT_PATH,
    TOKEN,
    Recorded,
    Reply,
    failed,
    payload,
    recorded,
)

KEYS_PATH = f"{ENDPOINT_PATH}/listKeys"
OLD, NEW = "old-secret-key", "new-secret-key"


@pytest.fixture
def scoring(arm: ArmClient) -> Iterator[HttpScoring]:
    adapter = HttpScoring(arm, answer_max=timedelta(seconds=2))
    yield adapter
    adapter.close()


def shown(azure: Recorded, **properties: Any) -> None:
    document = payload("endpoint")
    document["properties"] |= {"scoringUri": f"{azure.url}/score"} | properties
    azure.give("GET", ENDPOINT_PATH, Reply(200, document))


def keys(primary: str) -> Reply:
    return Reply(200, {"primaryKey": primary, "secondaryKey": "other"})


def test_a_request_goes_to_one_deployment_with_the_endpoints_key(
    azure: Recorded, scoring: HttpScoring
) -> None:
    shown(azure)
    azure.give("POST", KEYS_PATH, keys(OLD))
    azure.give("POST", "/score", Reply(200, [0, 1]))

    answer = scoring.score(CHURN, "green", b'{"data": []}')

    assert (answer.status, answer.body, answer.reason) == (200, b"[0, 1]", "")
    assert timedelta(0) < answer.took < timedelta(seconds=2)
    listed, asked = azure.sent("POST")
    assert (listed.body, listed.headers["Content-Length"]) == (b"", "0")
    assert asked.body == b'{"data": []}'
    assert asked.headers["Authorization"] == f"Bearer {OLD}"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["azureml-model-deployment"] == "green"


@pytest.mark.parametrize("status", [302, 403, 404, 408, 424, 429, 500, 503])
def test_every_status_is_an_answer_and_asked_once(
    azure: Recorded, scoring: HttpScoring, status: int
) -> None:
    shown(azure)
    azure.give("POST", KEYS_PATH, keys(OLD))
    why = {
        "ms-azureml-model-error-statuscode": "500",
        "ms-azureml-model-error-reason": "model_error",
        "Location": f"{azure.url}/elsewhere",
    }
    azure.give("POST", "/score", Reply(status, b"oops", why))

    answer = scoring.score(CHURN, "green", b"{}")

    assert (answer.status, answer.body, answer.reason) == (status, b"oops", "500 model_error")
    assert [asked.path for asked in azure.sent("POST")] == [KEYS_PATH.lower(), "/score"]


def test_address_and_key_are_remembered_until_a_401(azure: Recorded, scoring: HttpScoring) -> None:
    shown(azure)
    azure.give("POST", KEYS_PATH, keys(OLD), keys(NEW))
    azure.give("POST", "/score", Reply(200), Reply(200), Reply(401), Reply(200))

    statuses = [scoring.score(CHURN, "green", b"{}").status for _ in range(3)]

    assert statuses == [200, 200, 200]
    used = [
        asked.headers["Authorization"] for asked in azure.sent("POST") if "/score" in asked.path
    ]
    assert used == [f"Bearer {key}" for key in (OLD, OLD, OLD, NEW)]
    assert len(azure.sent("GET")) == 2


def test_a_401_that_stays_is_the_answer(azure: Recorded, scoring: HttpScoring) -> None:
    shown(azure)
    azure.give("POST", KEYS_PATH, keys(OLD))
    azure.give("POST", "/score", Reply(401, b"key_auth_access_denied"))

    assert scoring.score(CHURN, "green", b"{}").status == 401
    assert len(azure.sent("POST")) == 4


def test_after_its_time_the_key_is_read_anew(azure: Recorded, arm: ArmClient) -> None:
    shown(azure)
    azure.give("POST", KEYS_PATH, keys(OLD), keys(NEW))
    azure.give("POST", "/score", Reply(200))
    scoring = HttpScoring(arm, remembered=timedelta(0))

    for _ in range(2):
        scoring.score(CHURN, "green", b"{}")
    scoring.close()

    assert azure.asked[-1].headers["Authorization"] == f"Bearer {NEW}"


@pytest.mark.parametrize(
    ("mode", "secret"),
    [("key", OLD), ("KEY", OLD), ("AMLToken", NEW), ("aadToken", TOKEN), ("AADToken", TOKEN)],
)
def test_each_auth_mode_has_its_secret(
    azure: Recorded, scoring: HttpScoring, mode: str, secret: str
) -> None:
    shown(azure, authMode=mode)
    azure.give("POST", KEYS_PATH, keys(OLD))
    azure.give("POST", f"{ENDPOINT_PATH}/token", Reply(200, {"accessToken": NEW}))
    azure.give("POST", "/score", Reply(200))

    scoring.score(CHURN, "green", b"{}")

    assert azure.asked[-1].headers["Authorization"] == f"Bearer {secret}"


@pytest.mark.parametrize(
    ("properties", "error", "said"),
    [
        ({"scoringUri": "http://churn.example/score"}, Refused, "over https only"),
        ({"scoringUri": None}, Unavailable, "no scoring address yet"),
        ({"authMode": "Guess"}, Refused, "authMode Guess is not known"),
    ],
)
def test_a_key_goes_nowhere_it_should_not(
    azure: Recorded,
    scoring: HttpScoring,
    properties: dict[str, Any],
    error: type[RolloutError],
    said: str,
) -> None:
    shown(azure, **properties)
    azure.give("POST", KEYS_PATH, keys(OLD))

    with pytest.raises(error, match=said):
        scoring.score(CHURN, "green", b"{}")

    assert azure.sent("POST") == []


@pytest.mark.parametrize("name", ["", "a b", "green\r\nx: y", "grün"])
def test_a_name_that_is_none_reaches_nobody(
    azure: Recorded, scoring: HttpScoring, name: str
) -> None:
    with pytest.raises(Unknown, match="cannot be the name of a deployment"):
        scoring.score(CHURN, name, b"{}")
    assert azure.asked == []


def test_no_right_to_the_keys_names_the_action(azure: Recorded, scoring: HttpScoring) -> None:
    shown(azure)
    azure.give("POST", KEYS_PATH, Reply(403, failed("AuthorizationFailed", "no")))

    with pytest.raises(Refused, match="onlineEndpoints/listKeys/action"):
        scoring.score(CHURN, "green", b"{}")


def test_no_connection_and_no_answer_are_unavailable(azure: Recorded, arm: ArmClient) -> None:
    with recorded() as gone:
        pass
    shown(azure, scoringUri=f"{gone.url}/score")
    azure.give("POST", KEYS_PATH, keys(OLD))
    scoring = HttpScoring(arm)

    with pytest.raises(Unavailable, match="no answer"):
        scoring.score(CHURN, "green", b"{}")
    scoring.close()


def test_a_model_that_hangs_is_not_waited_for(
    azure: Recorded, arm: ArmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(azure)
    azure.give("POST", KEYS_PATH, keys(OLD))
    scoring = HttpScoring(arm, answer_max=timedelta(milliseconds=100))
    over, answer = Event(), azure.answer
    monkeypatch.setattr(
        azure, "answer", lambda asked: (asked.path == "/score" and over.wait(5), answer(asked))[1]
    )

    with pytest.raises(Unavailable, match="ReadTimeout"):
        scoring.score(CHURN, "green", b"{}")

    over.set()
    scoring.close()


@pytest.mark.parametrize("key", ["with space", "line\nsecret-part", "schlüssel", ""])
def test_no_secret_is_found_in_errors_or_logs(
    azure: Recorded, scoring: HttpScoring, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown(azure)
    azure.give("POST", KEYS_PATH, keys(OLD), keys(key))
    azure.give("POST", "/score", Reply(401))

    with pytest.raises(RolloutError) as caught:
        scoring.score(CHURN, "green", b"{}")

    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(vars(scoring))
    assert not any(secret in told for secret in (OLD, TOKEN, key) if secret)
