"""The control plane over HTTP: long-running operations, refusals, and unpleasant habits."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.emulator.conftest import a_script
from tests.emulator.running import EmulatorHandle, eventually, running_emulator

BROKEN = """
def init():
    raise RuntimeError("no model")

def run(raw):
    return raw
"""


@pytest.fixture
def name() -> str:
    return f"ep-{uuid.uuid4().hex[:8]}"


def test_a_new_endpoint_is_followed_by_its_signed_url(emulator: EmulatorHandle, name: str) -> None:
    body = {"location": "eastus", "properties": {"authMode": "key"}}

    answer = emulator.arm("PUT", f"/onlineEndpoints/{name}", body)

    poll = answer.headers["Azure-AsyncOperation"]
    assert (answer.status_code, answer.headers["Retry-After"]) == (201, "1")
    assert answer.headers["x-ms-async-operation-timeout"] == "PT30M"
    assert answer.json()["properties"]["properties"]["AzureAsyncOperationUri"] == poll
    assert answer.json()["properties"]["scoringUri"] is None
    assert answer.json()["properties"]["provisioningState"] == "Creating"
    assert emulator.done(answer)["status"] == "Succeeded"
    assert emulator.arm("GET", poll.replace("&c=", "&C=")).status_code == 403
    shown = emulator.arm("GET", f"/onlineEndpoints/{name}").json()["properties"]
    assert shown["scoringUri"].endswith(f"/inference/eastus/{name}/score")
    assert (shown["authMode"], shown["keys"], shown["traffic"]) == ("Key", None, {})
    assert "AzureAsyncOperationUri" not in shown["properties"]


def test_paths_may_come_in_any_letter_case(emulator: EmulatorHandle, name: str) -> None:
    emulator.endpoint(name)
    url = f"{emulator.url}{emulator.workspace_id}/onlineEndpoints/{name}?api-version=x"

    assert emulator.arm("GET", url.replace("onlineEndpoints", "ONLINEENDPOINTS")).ok
    assert emulator.arm("GET", url.replace("resourceGroups", "resourcegroups")).ok
    assert emulator.arm("GET", url.replace(name, name.upper())).ok


def test_without_a_token_there_is_a_401(emulator: EmulatorHandle) -> None:
    answer = requests.get(emulator.url + emulator.workspace_id, timeout=10)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "AuthenticationFailed"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "{WS}"),
        ("PUT", "{WS}/onlineEndpoints/versionless"),
        ("GET", "{WS}/onlineEndpoints/any-one/providers/Microsoft.Insights/metrics"),
        ("POST", "/subscriptions/s/metrics:getBatch"),
    ],
)
def test_without_an_api_version_there_is_a_400(
    emulator: EmulatorHandle, method: str, path: str
) -> None:
    url = emulator.url + path.replace("{WS}", emulator.workspace_id)

    answer = requests.request(method, url, headers={"Authorization": "Bearer me"}, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/onlineEndpoints/nobody", 404, "ResourceNotFound"),
        ("/nonsense", 404, "ResourceNotFound"),
        ("/onlineEndpoints/nobody/deployments", 404, "ResourceNotFound"),
    ],
)
def test_what_is_not_there_is_a_404(
    emulator: EmulatorHandle, path: str, status: int, code: str
) -> None:
    answer = emulator.arm("GET", path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["additionalInfo"][0]["type"] == "ComponentName"


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("e", {"location": "x", "properties": {"authMode": "Key"}}, "invalid"),
        ("new-one", {"properties": {"authMode": "Key"}}, "location"),
        ("new-one", {"location": "x", "properties": {"authMode": "Magic"}}, "authMode"),
        ("new-one", {"location": "x", "properties": {"authMode": "Key", "traffic": {"a": 100}}},
         "do not exist"),
        ("new-one", {"location": "x", "properties": {"authMode": "aadToken", "compute": "k8s"}},
         "Kubernetes"),
    ],
)  # fmt: skip
def test_a_wrong_endpoint_is_refused(
    emulator: EmulatorHandle, path: str, body: object, why: str
) -> None:
    answer = emulator.arm("PUT", f"/onlineEndpoints/{path}", body)

    assert answer.status_code == 400
    assert why in answer.json()["error"]["message"]


TAGS = {f"tag-{number}": "x" for number in range(51)}


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        (TAGS, "50 tags at most"),
        ({"way": "x" * 257}, "256"),
        ({"n" * 513: "x"}, "512"),
        (["team"], "object"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_tags_have_the_limits_of_resource_manager(
    emulator: EmulatorHandle, name: str, method: str, tags: object, why: str
) -> None:
    emulator.endpoint(name)
    body = {"location": "x", "tags": tags, "properties": {"authMode": "Key"}}

    answer = emulator.arm(method, f"/onlineEndpoints/{name}", body)

    assert answer.status_code == 400
    assert why in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("", {"properties": {"authMode": "Key"}}, "LocationRequired"),
        ("/deployments/blue", {"properties": {}}, "LocationRequired"),
        ("/deployments/blue", {"location": "x", "properties": {}}, "BadArgument"),
    ],
)
def test_what_a_put_must_name_is_required_of_what_is_there_too(
    emulator: EmulatorHandle, name: str, path: str, body: object, code: str
) -> None:
    emulator.endpoint(name)

    answer = emulator.arm("PUT", f"/onlineEndpoints/{name}{path}", body)

    assert (answer.status_code, answer.json()["error"]["details"][0]["code"]) == (400, code)


def test_a_put_without_maps_erases_them(
    emulator: EmulatorHandle, name: str, tmp_path: Path
) -> None:
    emulator.endpoint(name)
    emulator.deploy(name, "blue", a_script(tmp_path, "blue"))
    emulator.endpoint(name, {"blue": 100})

    emulator.endpoint(name)

    shown = emulator.arm("GET", f"/onlineEndpoints/{name}").json()["properties"]
    assert (shown["traffic"], shown["mirrorTraffic"]) == ({}, {})


def test_a_patch_moves_traffic_under_the_old_preview_only(
    emulator: EmulatorHandle, name: str, tmp_path: Path
) -> None:
    emulator.endpoint(name)
    emulator.deploy(name, "blue", a_script(tmp_path, "blue"))
    wanted = {"tags": {"a": "b"}, "properties": {"traffic": {"blue": 100}}}
    path = f"/onlineEndpoints/{name}"

    answer = emulator.arm("PATCH", path, wanted)
    emulator.done(answer)
    ignored = emulator.arm("GET", path).json()
    emulator.done(emulator.arm("PATCH", path, wanted, "2022-02-01-preview"))
    taken = emulator.arm("GET", path).json()

    assert answer.status_code == 202
    assert "mfeOperationResults" in answer.headers["Location"]
    assert (ignored["properties"]["traffic"], ignored["tags"]) == ({}, {"a": "b"})
    assert taken["properties"]["traffic"] == {"blue": 100}


def test_a_deployment_lives_and_goes(emulator: EmulatorHandle, name: str, tmp_path: Path) -> None:
    emulator.endpoint(name)
    code = a_script(tmp_path, "blue")
    emulator.deploy(name, "blue", code, instanceType="Standard_DS3_v2")
    emulator.deploy(name, "blue", code, instanceType="Standard_F2s_v2")
    emulator.endpoint(name, {"blue": 100})
    path = f"/onlineEndpoints/{name}/deployments/blue"

    shown = emulator.arm("GET", path).json()
    refused = emulator.arm("DELETE", path)
    emulator.endpoint(name, {"blue": 0})
    gone = emulator.done(emulator.arm("DELETE", path))

    assert shown["properties"]["instanceType"] == "Standard_DS3_v2"
    assert shown["properties"]["scaleSettings"] == {"scaleType": "Default"}
    assert shown["sku"] == {"name": "Default", "tier": "Standard", "capacity": 1}
    assert (refused.status_code, "100%" in refused.text) == (400, True)
    assert gone["status"] == "Succeeded"
    assert emulator.arm("GET", path).status_code == 404
    assert emulator.arm("DELETE", path).status_code == 204
    assert emulator.arm("GET", f"/onlineEndpoints/{name}/deployments").json() == {"value": []}


def test_a_failing_init_is_a_failed_deployment_with_a_traceback(
    emulator: EmulatorHandle, name: str, tmp_path: Path
) -> None:
    emulator.endpoint(name)
    broken = a_script(tmp_path, "broken", BROKEN)

    status = emulator.deploy(name, "broken", broken)

    path = f"/onlineEndpoints/{name}/deployments/broken"
    logs = emulator.arm("POST", f"{path}/getLogs", {"containerType": "InferenceServer"}).json()
    assert (status["status"], status["error"]["code"]) == ("Failed", "ResourceNotReady")
    assert emulator.arm("GET", path).json()["properties"]["provisioningState"] == "Failed"
    assert "RuntimeError: no model" in logs["content"]


def test_a_slow_init_is_a_failed_deployment(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("slow-init")
    lone.switch(provision_seconds_max=0.2)
    slow = "import time\ndef init(): time.sleep(30)\ndef run(raw): return raw\n"

    status = lone.deploy("slow-init", "slow", a_script(tmp_path, "slow", slow))

    assert status["status"] == "Failed"
    assert "was not healthy after 0.2 s" in status["error"]["message"]


def test_a_deployment_takes_longer_by_the_switch(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("longer")
    lone.switch(deployment_seconds=1.5)

    status = lone.deploy("longer", "blue", a_script(tmp_path, "blue"))

    began, ended = (datetime.fromisoformat(status[name]) for name in ("startTime", "endTime"))
    assert status["status"] == "Succeeded"
    assert ended - began >= timedelta(seconds=1.5)


def test_a_failed_update_leaves_the_old_instances_serving(
    emulator: EmulatorHandle, name: str, tmp_path: Path
) -> None:
    emulator.endpoint(name)
    code = a_script(tmp_path, "blue")
    emulator.deploy(name, "blue", code)
    emulator.endpoint(name, {"blue": 100})
    a_script(tmp_path, "blue", BROKEN)

    status = emulator.deploy(name, "blue", code)

    assert status["status"] == "Failed"
    assert emulator.score(name, {}).json()["from"] == "blue"


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_one_key_is_renewed_and_its_status_is_lost(
    emulator: EmulatorHandle, name: str, which: str
) -> None:
    emulator.endpoint(name)
    path = f"/onlineEndpoints/{name}"
    before = emulator.arm("POST", f"{path}/listKeys").json()

    answer = emulator.arm("POST", f"{path}/regenerateKeys", {"keyType": which.title()})

    poll = emulator.arm("GET", answer.headers["Location"])
    assert (answer.status_code, answer.text) == (202, "")
    assert poll.json()["error"]["details"][0]["code"] == "OperationNotFound"
    after = eventually(
        lambda: (now := emulator.arm("POST", f"{path}/listKeys").json()) != before and now
    )
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"{which}Key"}


def test_a_regeneration_may_land_after_its_operation_or_never(lone: EmulatorHandle) -> None:
    lone.endpoint("late-keys")
    path = "/onlineEndpoints/late-keys"
    before = lone.arm("POST", f"{path}/listKeys").json()
    lone.switch(operation_seconds=0, regenerate_status_lost=False, key_change_seconds=0.3)

    late = lone.done(lone.arm("POST", f"{path}/regenerateKeys", {"keyType": "Primary"}))
    shown = lone.arm("POST", f"{path}/listKeys").json()
    after = eventually(
        lambda: (now := lone.arm("POST", f"{path}/listKeys").json()) != before and now
    )
    lone.switch(key_change_seconds=0, key_change_lost=True)
    never = lone.done(lone.arm("POST", f"{path}/regenerateKeys", {"keyType": "Primary"}))

    assert (late["status"], never["status"]) == ("Succeeded", "Succeeded")
    assert shown == before
    assert lone.arm("POST", f"{path}/listKeys").json() == after


def test_tokens_open_token_endpoints_until_they_expire(
    lone: EmulatorHandle, tmp_path: Path
) -> None:
    lone.endpoint("tokens", authMode="AMLToken")
    lone.deploy("tokens", "blue", a_script(tmp_path, "blue"))
    lone.endpoint("tokens", {"blue": 100}, authMode="aml_token".replace("_", ""))
    path = "/onlineEndpoints/tokens"
    token = lone.arm("POST", f"{path}/token").json()
    lone.switch(token_seconds=1)
    short = lone.arm("POST", f"{path}/token").json()["accessToken"]

    def status(credential: str) -> int:
        headers = {"Authorization": f"Bearer {credential}"}
        return lone.score("tokens", {}, headers).status_code

    assert token["expiryTimeUtc"] > token["refreshAfterTimeUtc"]
    assert status(token["accessToken"]) == 200
    assert status(token["accessToken"][:-2]) == 401
    assert eventually(lambda: status(short) == 401, 5)
    assert lone.arm("POST", f"{path}/listKeys").status_code == 400


def test_lists_come_in_pages(emulator: EmulatorHandle) -> None:
    emulator.arm("PUT", "", {"location": "northeurope"})
    other = emulator.workspace_id.replace("/local", "/other")
    url = f"{emulator.url}{other}"
    emulator.arm("PUT", f"{url}?api-version=x", {"location": "northeurope"})
    for number in range(3):
        body = {"location": "northeurope", "properties": {"authMode": "Key"}}
        answer = emulator.arm("PUT", f"{url}/onlineEndpoints/page-{number}?api-version=x", body)
        emulator.done(answer)

    first = emulator.arm("GET", f"{url}/onlineEndpoints?api-version=x&count=2").json()
    second = emulator.arm("GET", first["nextLink"]).json()

    names = [one["name"] for one in (*first["value"], *second["value"])]
    assert names == ["page-0", "page-1", "page-2"]
    assert "nextLink" not in second


def test_busy_endpoints_refuse_until_the_switch_says_otherwise(lone: EmulatorHandle) -> None:
    lone.endpoint("busy")
    lone.switch(operation_seconds=1)
    body = {"location": lone.location, "properties": {"authMode": "Key"}}

    first = lone.arm("PUT", "/onlineEndpoints/busy", body)
    second = lone.arm("PUT", "/onlineEndpoints/busy", body)
    lone.switch(busy_refuses=False, retry_after_seconds=-1)
    third = lone.arm("PUT", "/onlineEndpoints/busy", body)

    assert (first.status_code, second.status_code, third.status_code) == (201, 409, 201)
    assert [one.headers.get("Retry-After") for one in (first, second, third)] == ["1", "1", None]
    assert second.json()["error"]["code"] == "Conflict"
    assert "Updating" in second.json()["error"]["message"]


def test_a_read_after_success_may_be_stale(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("stale")
    lone.deploy("stale", "blue", a_script(tmp_path, "blue"))
    lone.switch(stale_read_seconds=0.5)

    lone.endpoint("stale", {"blue": 100})

    def shown() -> object:
        return lone.arm("GET", "/onlineEndpoints/stale").json()["properties"]["traffic"]

    assert shown() == {}
    assert lone.score("stale", {}).status_code == 200
    assert eventually(lambda: shown() == {"blue": 100}, 3)


def test_switches_refuse_throttle_lose_and_fail(lone: EmulatorHandle) -> None:
    lone.endpoint("switched")
    path = "/onlineEndpoints/switched"
    body = {"location": lone.location, "properties": {"authMode": "Key"}}

    lone.switch(throttle_rate=1, retry_after_seconds=7)
    throttled = lone.arm("GET", path)
    lone.switch(throttle_rate=0, arm_down=True)
    down = lone.arm("GET", path)
    lone.switch(arm_down=False, refuse_writes=403)
    refused, read = lone.arm("PUT", path, body), lone.arm("GET", path)
    lone.switch(refuse_writes=0, lost_operation_status=True)
    answer = lone.arm("PUT", path, body)
    lost = lone.arm("GET", answer.headers["Azure-AsyncOperation"])
    lone.switch(lost_operation_status=False, failing_operations=True)
    lone.done(answer)
    failed = lone.endpoint("switched")

    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert down.status_code == 503
    assert (refused.status_code, read.status_code) == (403, 200)
    assert lost.status_code == 404
    assert failed["error"]["code"] == "InternalServerError"


def test_metrics_of_one_resource_are_a_read_of_resource_manager(lone: EmulatorHandle) -> None:
    lone.endpoint("counted")
    one = "/onlineEndpoints/counted/providers/Microsoft.Insights/metrics"
    many = f"{lone.url}/subscriptions/{lone.subscription}/metrics:getBatch"
    body = {"resourceids": [f"{lone.workspace_id}/onlineEndpoints/counted"]}

    def statuses() -> tuple[int, int]:
        return lone.arm("GET", one).status_code, lone.arm("POST", many, body).status_code

    usual = statuses()
    lone.switch(throttle_rate=1)
    throttled = statuses()
    lone.switch(throttle_rate=0, arm_down=True)
    down = statuses()

    assert (usual, throttled, down) == ((200, 200), (429, 200), (503, 200))


@pytest.mark.parametrize(
    "resources", [None, [], ["{WS}/onlineEndpoints/any-one"] * 51, ["/subscriptions/other/x"]]
)
def test_a_batch_asks_for_few_resources_of_its_own_subscription(
    emulator: EmulatorHandle, resources: list[str] | None
) -> None:
    url = f"{emulator.url}/subscriptions/{emulator.subscription}/metrics:getBatch"
    ids = resources and [one.replace("{WS}", emulator.workspace_id) for one in resources]

    answer = emulator.arm("POST", url, {"resourceids": ids})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadRequest"


def test_each_metrics_api_reads_past_the_words_of_the_other(lone: EmulatorHandle) -> None:
    lone.endpoint("worded")
    path = "/onlineEndpoints/worded/providers/Microsoft.Insights/metrics"
    batch = f"{lone.url}/subscriptions/{lone.subscription}/metrics:getBatch"
    body = {"resourceids": [f"{lone.workspace_id}/onlineEndpoints/worded"]}
    wrong, span = "colour eq 'red'", "yesterday/today"

    def statuses(query: str) -> tuple[int, int]:
        one = lone.arm("GET", f"{path}?{query}&api-version=2019-07-01")
        many = lone.arm("POST", f"{batch}?{query}&api-version=2024-02-01", body)
        return one.status_code, many.status_code

    assert statuses(f"$filter={wrong}") == (400, 200)
    assert statuses(f"filter={wrong}") == (200, 400)
    assert statuses(f"timespan={span}") == (400, 200)
    assert statuses("starttime=yesterday") == (200, 400)


def test_a_deletion_that_fails_leaves_a_resource_that_can_be_written_again(
    lone: EmulatorHandle, tmp_path: Path
) -> None:
    lone.endpoint("stays")
    lone.deploy("stays", "blue", a_script(tmp_path, "blue"))
    paths = "/onlineEndpoints/stays/deployments/blue", "/onlineEndpoints/stays"

    lone.switch(failing_operations=True)
    ended = [lone.done(lone.arm("DELETE", path))["status"] for path in paths]
    lone.switch(failing_operations=False)

    shown = [lone.arm("GET", path).json()["properties"]["provisioningState"] for path in paths]
    assert (ended, shown) == (["Failed", "Failed"], ["Failed", "Failed"])
    assert lone.endpoint("stays", {"blue": 100})["status"] == "Succeeded"


def test_what_a_switch_forbids_is_no_permission(lone: EmulatorHandle) -> None:
    lone.endpoint("guarded")
    permissions = "/providers/Microsoft.Authorization/permissions"

    free = lone.arm("GET", permissions).json()["value"]
    lone.switch(refuse_reads=403)
    read, workspace = lone.arm("GET", "/onlineEndpoints/guarded"), lone.arm("GET", "")
    blind = lone.arm("GET", permissions).json()["value"]
    lone.switch(refuse_reads=0, refuse_writes=403)
    bound = lone.arm("GET", permissions).json()["value"]

    assert free == [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}]
    assert (read.status_code, workspace.status_code) == (403, 200)
    assert [name.rpartition("/")[2] for name in blind[0]["notActions"]] == [
        "read",
        "read",
        "action",
    ]
    assert (
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
        in (bound[0]["notActions"])
    )


def test_unknown_switches_are_refused_with_the_known_ones(lone: EmulatorHandle) -> None:
    answer = requests.patch(f"{lone.url}/emulator/switches", json={"gremlins": 1}, timeout=10)

    assert answer.status_code == 400
    assert "known: arm_answer_seconds, arm_down" in answer.json()["error"]["message"]


def test_the_journal_tells_what_was_asked_in_order(lone: EmulatorHandle, tmp_path: Path) -> None:
    lone.endpoint("told")
    lone.deploy("told", "blue", a_script(tmp_path, "blue"))
    requests.delete(f"{lone.url}/emulator/requests", timeout=10)
    lone.endpoint("told", {"blue": 100})
    lone.arm("PUT", "/onlineEndpoints/told", {"location": "x", "properties": {"traffic": {"a": 1}}})

    journal = lone.own("requests")

    asked = [(one["kind"], one["status"], one["traffic"]) for one in journal["written"]]
    assert asked == [("endpoint.put", 201, {"blue": 100}), ("endpoint.put", 400, {"a": 1})]
    assert journal["writes"] == 2
    assert journal["by_kind"]["operation.status"] == journal["reads"]


def test_managed_identity_and_cloud_discovery_have_stand_ins(emulator: EmulatorHandle) -> None:
    headers = {"X-IDENTITY-HEADER": "x"}
    url = f"{emulator.url}/msi/token?api-version=2019-08-01&resource=r"

    token = requests.get(url, headers=headers, timeout=10).json()
    clouds = requests.get(f"{emulator.url}/metadata/endpoints", timeout=10).json()

    assert (token["resource"], token["token_type"]) == ("r", "Bearer")
    assert clouds[0]["resourceManager"] == emulator.url


def test_kubernetes_endpoints_are_taken_and_mirror_nothing(
    lone: EmulatorHandle, tmp_path: Path
) -> None:
    lone.endpoint("kube", compute="/subscriptions/x/computes/k8s")
    lone.deploy("kube", "blue", a_script(tmp_path, "blue"), endpointComputeType="Kubernetes")
    body = {
        "location": lone.location,
        "properties": {"authMode": "Key", "compute": "k8s", "mirrorTraffic": {"blue": 10}},
    }

    refused = lone.arm("PUT", "/onlineEndpoints/kube", body)
    lone.endpoint("kube", {"blue": 100}, compute="k8s")

    assert (refused.status_code, "Kubernetes" in refused.text) == (400, True)
    assert lone.arm("GET", "/onlineEndpoints/kube").json()["kind"] == "Kubernetes"
    assert lone.score("kube", {"fail": 1}).status_code == 502


def test_answers_that_come_late_are_of_what_was_done() -> None:
    with running_emulator("--switch", "operation_seconds=0") as lone:
        lone.endpoint("late")
        url = f"{lone.url}{lone.workspace_id}/onlineEndpoints/late?api-version=2023-04-01"
        points = url.replace("late?", "late/providers/Microsoft.Insights/metrics?")
        lone.switch(arm_answer_seconds=1.5, metrics_answer_seconds=1.5)

        late = [_is_late("DELETE", url), _is_late("GET", points)]
        lone.switch(arm_answer_seconds=0, metrics_answer_seconds=0)
        gone, soon = lone.arm("GET", url), lone.arm("GET", points)

    assert late == [True, True]
    assert (gone.status_code, soon.status_code) == (404, 200)


def _is_late(method: str, url: str) -> bool:
    try:
        requests.request(method, url, headers={"Authorization": "Bearer test"}, timeout=0.5)
    except requests.Timeout:
        return True
    return False


def test_a_short_grain_and_refusals_of_monitoring() -> None:
    with running_emulator("--grain-seconds", "5", "--switch", "operation_seconds=0") as lone:
        lone.endpoint("grain")
        path = f"{lone.url}{lone.workspace_id}/onlineEndpoints/grain"
        url = f"{path}/providers/Microsoft.Insights/metrics?api-version=2019-07-01"

        short = lone.arm("GET", f"{url}&interval=PT5S")
        wrong = lone.arm("GET", f"{url}&interval=PT7S")
        lone.switch(metrics_down=True, logs_down=True)
        down = lone.arm("GET", url)
        logs = f"{lone.url}/v1/workspaces/any/query?api-version=1"
        no_logs = lone.arm("POST", logs, {"query": "AmlOnlineEndpointTrafficLog"})
        lone.switch(logs_down=False)
        bad_query = lone.arm("POST", logs, {"query": "AmlOnlineEndpointTrafficLog | join x"})

    assert (short.status_code, short.json()["interval"]) == (200, "PT5S")
    assert (wrong.status_code, down.status_code, no_logs.status_code) == (400, 503, 503)
    assert bad_query.status_code == 400
    assert "join is not played" in bad_query.json()["error"]["message"]
