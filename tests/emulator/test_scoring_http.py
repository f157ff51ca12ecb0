"""The data plane over HTTP, with Microsoft's inference server behind it."""

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.emulator.conftest import a_script
from tests.emulator.running import EmulatorHandle, eventually, running_emulator, scoring_python

BOTH = {"blue": 90, "green": 10}


@pytest.fixture(scope="module")
def churn(emulator: EmulatorHandle, tmp_path_factory: pytest.TempPathFactory) -> EmulatorHandle:
    """An endpoint with two deployments; blue has all the traffic."""
    folder = tmp_path_factory.mktemp("churn")
    emulator.endpoint("churn")
    settings = {"requestTimeout": "PT1S", "maxConcurrentRequestsPerInstance": 1}
    for name in BOTH:
        emulator.deploy("churn", name, a_script(folder, name), requestSettings=settings)
    emulator.endpoint("churn", {"blue": 100})
    return emulator


def minutes(
    emulator: EmulatorHandle, endpoint: str, filter_: str, name: str = "RequestsPerMinute"
) -> dict[tuple[str, ...], float]:
    """The last minutes' values added up, by dimension values."""
    now = datetime.now(UTC)
    ends = (now - timedelta(minutes=5), now + timedelta(minutes=1))
    span = "/".join(f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in ends)
    asked = {"timespan": span, "metricnames": name, "$filter": filter_, "interval": "PT1M"}
    answer = requests.get(
        f"{emulator.url}{emulator.workspace_id}/onlineEndpoints/{endpoint}"
        "/providers/microsoft.Insights/metrics",
        params={"api-version": "2019-07-01", **asked},
        headers={"Authorization": "Bearer x"},
        timeout=10,
    ).json()
    return {
        tuple(one["value"] for one in line["metadatavalues"]): sum(
            point.get("average", 0) for point in line["data"]
        )
        for line in answer["value"][0]["timeseries"]
    }


def test_an_answer_names_its_deployment_and_its_ids(churn: EmulatorHandle) -> None:
    answer = churn.score("churn", {"n": 1}, {"x-ms-client-request-id": "mine"} | bearer(churn))

    assert answer.json()["asked"] == {"n": 1}
    assert answer.headers["azureml-model-deployment"] == "blue"
    assert answer.headers["x-ms-client-request-id"] == "mine"
    assert answer.headers["x-request-id"]
    assert int(answer.headers["ms-azureml-model-time"]) >= 0
    assert answer.headers["x-ms-server-version"] == "azmlinfsrv/1.5.1"


def bearer(emulator: EmulatorHandle, endpoint: str = "churn") -> dict[str, str]:
    return {"Authorization": f"Bearer {emulator.key(endpoint)}"}


def test_both_keys_open_and_others_do_not(churn: EmulatorHandle) -> None:
    keys = churn.arm("POST", "/onlineEndpoints/churn/listKeys").json()
    tried = [keys["primaryKey"], keys["secondaryKey"], "wrong", "", "schlüssel"]

    found = [
        churn.score("churn", {}, {"Authorization": f"Bearer {key}".encode()}).status_code  # type: ignore[dict-item]
        for key in tried
    ]

    assert found == [200, 200, 401, 401, 401]


def test_a_header_reaches_a_deployment_without_traffic(churn: EmulatorHandle) -> None:
    to_green = churn.score("churn", {}, {"azureml-model-deployment": "green"} | bearer(churn))
    to_none = churn.score("churn", {}, {"azureml-model-deployment": "red"} | bearer(churn))

    assert to_green.json()["from"] == "green"
    assert to_none.status_code == 404


def test_a_model_that_fails_is_a_424_with_the_reason(churn: EmulatorHandle) -> None:
    answer = churn.score("churn", {"fail": 1})

    assert answer.status_code == 424
    assert answer.headers["ms-azureml-model-error-statuscode"] == "500"
    assert answer.headers["ms-azureml-model-error-reason"] == "model_error"
    assert "unexpected error" in answer.text


def test_a_model_that_dies_is_a_503_and_is_started_again(churn: EmulatorHandle) -> None:
    answer = churn.score("churn", {"die": 1})

    assert answer.status_code == 503
    assert eventually(lambda: churn.score("churn", {}).status_code == 200)


def test_a_slow_model_is_a_408_and_too_many_callers_get_a_429(churn: EmulatorHandle) -> None:
    headers = bearer(churn)
    with ThreadPoolExecutor(4) as callers:
        answers = callers.map(lambda _: churn.score("churn", {"sleep": 1.5}, headers), range(4))
        found = Counter(answer.status_code for answer in answers)

    assert found == {408: 2, 429: 2}
    assert eventually(lambda: churn.score("churn", {}, headers).status_code == 200)


def test_without_positive_weights_there_is_a_404(emulator: EmulatorHandle) -> None:
    emulator.endpoint("nothing")

    answer = emulator.score("nothing", {})

    assert (answer.status_code, "positive weight" in answer.text) == (404, True)


def test_swagger_is_the_models(churn: EmulatorHandle) -> None:
    url = f"{churn.url}/inference/{churn.location}/churn/swagger.json"

    assert requests.get(url, headers=bearer(churn), timeout=10).json()["swagger"] == "2.0"
    assert requests.put(url, headers=bearer(churn), timeout=10).status_code == 405


def test_shares_are_exact_in_blocks_and_are_counted_as_answered(tmp_path: Path) -> None:
    flags = ("--switch", "operation_seconds=0", "--routing", "blocks", "--seed", "3")
    with running_emulator(*flags) as lone:
        lone.endpoint("exact")
        for name in BOTH:
            lone.deploy("exact", name, a_script(tmp_path, name))
        lone.endpoint("exact", BOTH)
        headers = bearer(lone, "exact")

        answers = [lone.score("exact", {"fail": n % 10 == 9}, headers) for n in range(40)]

        drawn = Counter(answer.headers["azureml-model-deployment"] for answer in answers)
        statuses = Counter(
            (a.headers["azureml-model-deployment"], str(a.status_code)) for a in answers
        )
        assert drawn == {"blue": 36, "green": 4}
        by_status = minutes(lone, "exact", "deployment eq '*' and statusCode eq '*'")
        assert by_status == statuses
        assert minutes(lone, "exact", "statusCodeClass eq '*'") == {("2xx",): 36, ("4xx",): 4}
        assert minutes(lone, "exact", "modelStatusCode eq '500'") == {("500",): 4}
        own = minutes(lone, "exact/deployments/green", "envoy_response_code eq '*'")
        assert sum(own.values()) == 4
        latency = minutes(lone, "exact", "deployment eq 'blue'", "RequestLatency_P95")
        assert latency[("blue",)] > 0


def test_copies_reach_the_mirror_and_never_the_caller(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("copied")
    lone.deploy("copied", "blue", a_script(tmp_path, "blue"))
    slow = {"requestTimeout": "PT1S"}
    lone.deploy("copied", "green", a_script(tmp_path, "green"), requestSettings=slow)
    lone.endpoint("copied", {"blue": 100}, {"green": 50})
    headers = bearer(lone, "copied")

    aimed = [
        lone.score("copied", {}, headers | {"azureml-model-deployment": "blue"}) for _ in range(20)
    ]
    assert lone.own("mirror") == {}  # a request that names a deployment is never copied
    answers = [lone.score("copied", {}, headers) for _ in range(60)]

    def copies() -> float:
        return minutes(lone, "copied", "deployment eq 'green'").get(("green",), 0)

    def sent() -> int:
        (tally,) = lone.own("mirror").values()
        return int(tally["sent"])

    (tally,) = lone.own("mirror").values()
    assert {a.headers["azureml-model-deployment"] for a in answers + aimed} == {"blue"}
    assert 15 <= tally["sent"] + tally["dropped_stale"] <= 45
    assert eventually(lambda: copies() == sent())


def test_a_hanging_mirror_slows_nobody(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("hung")
    lone.deploy("hung", "blue", a_script(tmp_path, "blue"))
    hanging = "import time\ndef init(): pass\ndef run(raw): time.sleep(30)\n"
    lone.deploy("hung", "green", a_script(tmp_path, "green", hanging))
    lone.endpoint("hung", {"blue": 100}, {"green": 50})
    lone.switch(mirror_queue_max=2)
    headers = bearer(lone, "hung")

    started = time.monotonic()
    found = {lone.score("hung", {}, headers).status_code for _ in range(60)}

    (tally,) = lone.own("mirror").values()
    assert found == {200}
    assert time.monotonic() - started < 5
    assert tally["dropped_full"] + tally["sent"] > 10


def test_copies_too_large_to_wait_are_dropped(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("large")
    for name in BOTH:
        lone.deploy("large", name, a_script(tmp_path, name))
    lone.endpoint("large", {"blue": 100}, {"green": 50})
    lone.switch(mirror_bytes_max=1)
    headers = bearer(lone, "large")

    found = {lone.score("large", {"n": 1}, headers).status_code for _ in range(20)}

    (tally,) = lone.own("mirror").values()
    assert found == {200}
    assert (tally["sent"], tally["dropped_full"] > 0) == (0, True)


@pytest.mark.parametrize("lone", [("--grain-seconds", "1")], indirect=True)
def test_a_minute_is_shown_after_its_lag_and_never_in_a_gap(
    lone: EmulatorHandle, tmp_path: Path
) -> None:
    lone.endpoint("late")
    lone.deploy("late", "blue", a_script(tmp_path, "blue"))
    lone.endpoint("late", {"blue": 100})
    lone.score("late", {})
    everything = "2020-01-01T00:00Z/2100-01-01T00:00Z"

    def shown() -> float:
        return minutes(lone, "late", "deployment eq 'blue'").get(("blue",), 0.0)

    assert shown() == 1
    lone.switch(metrics_lag_seconds=600)
    assert shown() == 0
    lone.switch(metrics_lag_seconds=1)
    assert eventually(lambda: shown() == 1)
    lone.switch(metrics_gap=everything)
    assert shown() == 0


def test_an_update_in_place_loses_no_request(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("rolling")
    code = a_script(tmp_path, "blue")
    settings = {"maxConcurrentRequestsPerInstance": 4}
    lone.deploy("rolling", "blue", code, requestSettings=settings)
    lone.endpoint("rolling", {"blue": 100})
    headers, stop = bearer(lone, "rolling"), threading.Event()
    seen: Counter[int] = Counter()
    pids = set()

    def call() -> None:
        while not stop.is_set():
            answer = lone.score("rolling", {}, headers)
            seen[answer.status_code] += 1
            pids.add(answer.json()["pid"])

    caller = threading.Thread(target=call)
    caller.start()
    lone.deploy("rolling", "blue", code, requestSettings=settings)
    eventually(lambda: len(pids) == 2)
    stop.set()
    caller.join()

    assert set(seen) == {200}


def test_capacity_is_processes_up_to_the_switch(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.switch(processes_max=2)
    lone.endpoint("wide")
    lone.deploy("wide", "blue", a_script(tmp_path, "blue"), capacity=1)
    lone.endpoint("wide", {"blue": 100})
    path = "/onlineEndpoints/wide/deployments/blue"

    lone.done(lone.arm("PATCH", path, {"sku": {"capacity": 3}}))

    headers = bearer(lone, "wide")
    with ThreadPoolExecutor(3) as callers:
        answers = list(callers.map(lambda _: lone.score("wide", {"sleep": 0.1}, headers), range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["pid"] for answer in answers}) == 2
    assert lone.arm("GET", path).json()["sku"]["capacity"] == 3


def test_a_scikit_learn_model_is_served(lone: EmulatorHandle, tmp_path: Path) -> None:
    train = (
        "import pickle, sys; from sklearn.linear_model import LogisticRegression;"
        "m = LogisticRegression().fit([[0], [1], [2], [3]], [0, 0, 1, 1]);"
        "pickle.dump(m, open(sys.argv[1], 'wb'))"
    )
    model = tmp_path / "model.pkl"
    subprocess.run([scoring_python(), "-c", train, model], check=True, timeout=60)
    script = """
import json, os, pickle

def init():
    global model
    model = pickle.load(open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.pkl"), "rb"))

def run(raw):
    return model.predict(json.loads(raw)["data"]).tolist()
"""
    lone.arm("PUT", "/models/step/versions/4", {"properties": {"modelUri": model.as_uri()}})
    reference = f"{lone.workspace_id}/models/step/versions/4"
    lone.endpoint("sklearn")
    lone.deploy("sklearn", "forest", a_script(tmp_path, "code", script), model=reference)
    lone.endpoint("sklearn", {"forest": 100})

    assert lone.score("sklearn", {"data": [[0.1], [2.9]]}).json() == [0, 1]


def test_a_killed_server_is_started_again(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("killed")
    lone.deploy("killed", "blue", a_script(tmp_path, "blue"))
    lone.endpoint("killed", {"blue": 100})
    first = lone.score("killed", {}).json()["pid"]

    os.kill(os.getpgid(first), signal.SIGKILL)

    def another() -> bool:
        answer = lone.score("killed", {})
        return answer.ok and answer.json()["pid"] != first

    assert eventually(another)


def test_a_deployment_that_is_not_ready_is_a_424(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("unready")
    broken = "def init(): raise RuntimeError\ndef run(raw): pass\n"
    lone.deploy("unready", "blue", a_script(tmp_path, "blue", broken))

    headers = bearer(lone, "unready") | {"azureml-model-deployment": "blue"}
    answer = lone.score("unready", {}, headers)

    assert answer.status_code == 424
    assert answer.headers["ms-azureml-model-error-reason"] == "model_not_ready"


def test_a_body_of_more_than_ten_mebibytes_is_refused(churn: EmulatorHandle) -> None:
    url = f"{churn.url}/inference/{churn.location}/churn/score"

    answer = requests.post(url, data=b"x" * (10 * 2**20 + 1), headers=bearer(churn), timeout=30)

    assert answer.status_code == 413


def test_instances_that_are_replaced_or_deleted_are_gone(
    lone: EmulatorHandle, tmp_path: Path
) -> None:
    lone.endpoint("tidy")
    code = a_script(tmp_path, "blue")
    path = "/onlineEndpoints/tidy/deployments/blue"
    headers = bearer(lone, "tidy") | {"azureml-model-deployment": "blue"}
    pids = []
    for _ in range(2):
        lone.deploy("tidy", "blue", code)
        pids.append(lone.score("tidy", {}, headers).json()["pid"])

    assert eventually(lambda: not alive(pids[0]), 5)
    assert alive(pids[1])
    lone.done(lone.arm("DELETE", path))
    assert eventually(lambda: not alive(pids[1]), 5)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
