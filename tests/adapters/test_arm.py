"""ARM's awkward answers, as they were recorded, and what the adapter makes of them."""

import copy
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from rollout.adapters.azure.answers import retry_after
from rollout.adapters.azure.arm import PREVIEW, STABLE, ArmEndpoints, WriteVerb
from rollout.adapters.azure.documents import ABORTED_TAG, TAGS_MAX, WAY_BACK_TAG
from rollout.adapters.azure.pipeline import ArmClient
from rollout.core.creation import Creation
from rollout.core.endpoint import EndpointId, Provisioning
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack
from rollout.errors import Refused, RolloutError, Unavailable, Unknown
from rollout.ports import Accepted, OperationStatus, OtherMap, Withdrawn
from tests.adapters.recorded import (
    CHURN,
    ENDPOINT_PATH,
    TOKEN,
    Recorded,
    Reply,
    TokenOfNobody,
    failed,
    payload,
    recorded,
)

MIRRORED = Traffic(live={"blue": 100}, mirror={"green": 20})
SHIFTED = Traffic(live={"blue": 95, "green": 5})
GREEN_PATH = f"{ENDPOINT_PATH}/deployments/green"
BLUE_PATH = f"{ENDPOINT_PATH}/deployments/blue"


RUNNING = OperationStatus(running=True)
OVER = OperationStatus(running=False)


def failed_with(failure: str) -> OperationStatus:
    return OperationStatus(running=False, failure=failure)


@pytest.fixture
def endpoints(arm: ArmClient) -> ArmEndpoints:
    return ArmEndpoints(arm)


def yes() -> bool:
    return True


def never_asked() -> bool:
    raise AssertionError("a way back asks nobody")


def an_endpoint(**properties: Any) -> Any:
    document = payload("endpoint")
    document["properties"] |= properties
    return document


def a_deployment(**properties: Any) -> Any:
    document = copy.deepcopy(payload("deployments")["value"][0])
    document["properties"] |= properties
    return document


def shown(azure: Recorded, document: Any) -> None:
    azure.give("GET", ENDPOINT_PATH, Reply(200, document))


# -- reading ---------------------------------------------------------------------------------


def test_an_endpoint_is_read_with_its_deployments_on_all_pages(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint())
    green = a_deployment(provisioningState="Updating") | {"name": "green", "sku": None}
    more = f"{azure.url}{ENDPOINT_PATH}/deployments?$skip=a%2Bb%3D%3D&api-version=x"
    first = payload("deployments") | {"nextLink": more}
    pages = Reply(200, first), Reply(200, {"value": [green]})
    azure.give("GET", f"{ENDPOINT_PATH}/deployments", *pages)

    view = endpoints.read(CHURN)

    assert (view.id, view.state, view.traffic) == (CHURN, Provisioning.SUCCEEDED, MIRRORED)
    assert (view.owner, view.managed) == (None, True)
    assert {name: (one.state, one.instances) for name, one in view.deployments.items()} == {
        "blue": (Provisioning.SUCCEEDED, 3),
        "green": (Provisioning.UPDATING, 1),
    }
    assert view.deployments["blue"].concurrency == 4
    assert azure.asked[-1].target == more.removeprefix(azure.url)
    assert all(f"api-version={STABLE}" in asked.target for asked in azure.asked[:2])


def test_a_page_elsewhere_gets_no_token(azure: Recorded, endpoints: ArmEndpoints) -> None:
    shown(azure, an_endpoint())
    with recorded() as elsewhere:
        page = {"value": [], "nextLink": f"{elsewhere.url}/more"}
        azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, page))

        with pytest.raises(Refused, match="the token is sent nowhere else"):
            endpoints.read(CHURN)

        assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"model": "/subscriptions/s1/models/churn/versions/7"}, False),
        ({"codeConfiguration": {"scoringScript": "other.py"}}, False),
        ({"environmentId": "/e/versions/5"}, False),
        ({"environmentVariables": {"THRESHOLD": "0.6"}}, False),
        ({"instanceType": "Standard_F2s_v2"}, False),
        ({"requestSettings": {"requestTimeout": "PT9S"}}, False),
        ({"model": a_deployment()["properties"]["model"].upper()}, True),
        ({"scaleSettings": {"scaleType": "TargetUtilization"}}, True),
        ({"provisioningState": "Scaling"}, True),
        ({"description": "", "modelMountPath": None}, True),
    ],
)
def test_a_fingerprint_changes_with_what_makes_a_model_answer_differently(
    azure: Recorded, endpoints: ArmEndpoints, changed: dict[str, Any], same: bool
) -> None:
    shown(azure, an_endpoint())
    before = Reply(200, {"value": [a_deployment()]})
    rescaled = {"sku": {"capacity": 9}, "tags": {"seen": "yes"}}
    after = Reply(200, {"value": [a_deployment(**changed) | rescaled]})
    azure.give("GET", f"{ENDPOINT_PATH}/deployments", before, after)

    prints = [endpoints.read(CHURN).deployments["blue"].fingerprint for _ in range(2)]

    assert (prints[0] == prints[1]) is same


def test_a_kubernetes_endpoint_is_not_managed(azure: Recorded, endpoints: ArmEndpoints) -> None:
    shown(azure, an_endpoint(compute="/subscriptions/s1/computes/k") | {"kind": "K8S"})
    azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, {"value": []}))

    assert endpoints.read(CHURN).managed is False


@pytest.mark.parametrize("state", ["updating", "UPDATING", "SomethingNew"])
def test_a_state_in_any_case_or_unheard_of_is_not_settled(
    azure: Recorded, endpoints: ArmEndpoints, state: str
) -> None:
    shown(azure, an_endpoint(provisioningState=state))
    azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, {"value": []}))

    assert not endpoints.read(CHURN).state.settled


@pytest.mark.parametrize(
    "body",
    [b"<html>oops</html>", b"[]", b"null", b"{}", b'{"properties": {"traffic": {"a": "x"}}}'],
)
def test_an_answer_that_is_not_understood_is_refused(
    azure: Recorded, endpoints: ArmEndpoints, body: bytes
) -> None:
    azure.give("GET", ENDPOINT_PATH, Reply(200, body))

    with pytest.raises(Refused, match="the answer is not understood"):
        endpoints.read(CHURN)


def test_a_map_that_breaks_the_rules_is_refused_by_a_reader_and_mended_by_a_way_back(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint(traffic={"blue": 60}))
    azure.give("PUT", ENDPOINT_PATH, Reply(200, an_endpoint()))

    with pytest.raises(Refused, match="'blue': 60"):
        endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes)
    assert azure.sent("PUT") == []

    endpoints.set_traffic(CHURN, Traffic.all_to("blue"), None, never_asked)
    assert azure.sent("PUT")[0].json["properties"]["traffic"] == {"blue": 100}


# -- writing traffic -------------------------------------------------------------------------

OPERATION = "/subscriptions/S1/x/mfeOperationsStatus/oeidp:1:2?api-version=v&t=a%2Bb&s=c%2Fd%3D&h=e"


def test_the_whole_endpoint_is_written_and_201_is_not_a_new_one(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint())
    headers = {"Azure-AsyncOperation": azure.url + OPERATION, "Location": azure.url + "/resource"}
    answer = Reply(201, an_endpoint(provisioningState="Updating"), headers)
    azure.give("PUT", ENDPOINT_PATH, answer)

    accepted = endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes)

    assert accepted == Accepted(azure.url + OPERATION)
    written, before = azure.sent("PUT")[0], payload("endpoint")
    properties = before["properties"]
    users = before["identity"]["userAssignedIdentities"]
    assert f"api-version={STABLE}" in written.target
    assert written.json == {
        "location": "eastus",
        "kind": "Managed",
        "tags": before["tags"],
        "identity": {
            "type": "SystemAssigned,UserAssigned",
            "userAssignedIdentities": {user: {} for user in users},
        },
        "properties": {
            "authMode": "Key",
            "description": properties["description"],
            "publicNetworkAccess": "Disabled",
            "properties": properties["properties"],
            "traffic": {"blue": 95, "green": 5},
            "mirrorTraffic": {},
        },
    }


def test_the_preview_patch_names_who_loses_their_share(azure: Recorded, arm: ArmClient) -> None:
    shown(azure, an_endpoint(traffic={"blue": 95, "green": 5}, mirrorTraffic={}))
    azure.give("PATCH", ENDPOINT_PATH, Reply(202, None, {"Location": azure.url + OPERATION}))

    endpoints = ArmEndpoints(arm, WriteVerb.PATCH_PREVIEW)
    accepted = endpoints.set_traffic(CHURN, Traffic.all_to("blue"), SHIFTED, yes)

    assert accepted == Accepted(azure.url + OPERATION)
    assert f"api-version={PREVIEW}" in azure.sent("PATCH")[0].target
    maps = {"traffic": {"blue": 100, "green": 0}, "mirrorTraffic": {}}
    tags = an_endpoint()["tags"]
    written = {"location": "eastus", "tags": tags, "properties": maps}
    assert azure.sent("PATCH")[0].json == written


def test_the_preview_patch_clears_a_mirror_by_name(azure: Recorded, arm: ArmClient) -> None:
    mirror = {"green": 20, "red": 0}
    shown(azure, an_endpoint(traffic={"Blue": 100, "teal": 0}, mirrorTraffic=mirror))
    azure.give("PATCH", ENDPOINT_PATH, Reply(202, None, {"Location": azure.url + OPERATION}))

    ArmEndpoints(arm, WriteVerb.PATCH_PREVIEW).set_traffic(CHURN, SHIFTED, None, never_asked)

    maps = {"traffic": {"blue": 95, "green": 5}, "mirrorTraffic": {"green": 0}}
    assert azure.sent("PATCH")[0].json["properties"] == maps


@pytest.mark.parametrize(
    ("reply", "operation"),
    [
        (Reply(201, {}, {"Location": OPERATION}), "{url}" + OPERATION),
        (
            Reply(200, {"properties": {"properties": {"AzureAsyncOperationUri": "https://a/b"}}}),
            "https://a/b",
        ),
        (Reply(200, b"taken"), "{url}" + f"{ENDPOINT_PATH}?api-version={STABLE}"),
        (Reply(202, None), "{url}" + f"{ENDPOINT_PATH}?api-version={STABLE}"),
    ],
)
def test_an_accepted_write_names_where_to_look(
    azure: Recorded, endpoints: ArmEndpoints, reply: Reply, operation: str
) -> None:
    shown(azure, an_endpoint())
    azure.give("PUT", ENDPOINT_PATH, reply)

    accepted = endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes)

    assert accepted == Accepted(operation.format(url=azure.url))


def test_what_is_shown_already_is_not_written(azure: Recorded, endpoints: ArmEndpoints) -> None:
    shown(azure, an_endpoint())

    assert endpoints.set_traffic(CHURN, MIRRORED, SHIFTED, never_asked) == Accepted(None)
    assert endpoints.set_traffic(CHURN, MIRRORED, None, never_asked) == Accepted(None)
    assert azure.sent("PUT") == []


def test_the_old_map_after_a_success_is_shown_as_it_is_and_written_again(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint())
    azure.give("PUT", ENDPOINT_PATH, Reply(201, {}, {"Azure-AsyncOperation": OPERATION}))
    azure.give("GET", OPERATION.partition("?")[0], Reply(200, {"status": "Succeeded"}))

    for _ in range(2):
        accepted = endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes)
        assert accepted == Accepted(azure.url + OPERATION)
        assert endpoints.operation(azure.url + OPERATION) == OVER
    assert len(azure.sent("PUT")) == 2


@pytest.mark.parametrize("mirror", [{}, {"green": 10}])
def test_another_map_than_expected_is_not_overwritten(
    azure: Recorded, endpoints: ArmEndpoints, mirror: dict[str, int]
) -> None:
    shown(azure, an_endpoint(mirrorTraffic=mirror))

    answer = endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, never_asked)

    assert answer == OtherMap(Traffic(live={"blue": 100}, mirror=mirror))
    assert azure.sent("PUT") == []


def test_a_write_that_is_no_longer_wanted_is_withdrawn_after_the_read(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint())

    def withdrawn() -> bool:
        assert len(azure.asked) == 1
        return False

    assert endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, withdrawn) == Withdrawn()
    assert azure.sent("PUT") == []


def test_a_busy_endpoint_is_left_alone_except_by_the_way_back(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint(provisioningState="Updating"))
    busy = Reply(409, failed("Conflict", "endpoint is in Updating provisioning state"))
    azure.give("PUT", ENDPOINT_PATH, busy)

    with pytest.raises(Unavailable, match="Updating"):
        endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes)
    assert azure.sent("PUT") == []

    with pytest.raises(Unavailable, match="409, Conflict: endpoint is in Updating"):
        endpoints.set_traffic(CHURN, MIRRORED, None, never_asked)
    assert len(azure.sent("PUT")) == 1


# -- tags, instances, deletion ---------------------------------------------------------------


def test_a_claim_keeps_all_other_tags(azure: Recorded, endpoints: ArmEndpoints) -> None:
    document = an_endpoint()
    document["tags"]["Rollout-Owner"] = "somebody"
    shown(azure, document)
    azure.give("PATCH", ENDPOINT_PATH, Reply(200, an_endpoint()))

    endpoints.claim(CHURN, "prod")

    tags = {"team": "Customer Value", "Cost-Centre": "4711", "rollout-owner": "prod"}
    assert azure.sent("PATCH")[0].json == {"tags": tags}
    assert f"api-version={STABLE}" in azure.sent("PATCH")[0].target
    assert endpoints.claim(CHURN, "somebody") == Accepted(None)


@pytest.mark.parametrize("tags", [None, {}])
def test_a_claim_of_an_endpoint_without_tags(
    azure: Recorded, endpoints: ArmEndpoints, tags: Any
) -> None:
    shown(azure, an_endpoint() | {"tags": tags})
    azure.give("PATCH", ENDPOINT_PATH, Reply(202, None, {"Location": OPERATION}))

    assert endpoints.claim(CHURN, "prod") == Accepted(azure.url + OPERATION)
    assert azure.sent("PATCH")[0].json == {"tags": {"rollout-owner": "prod"}}


MODEL = f"{ENDPOINT_PATH.rpartition('/onlineendpoints')[0]}/models/churn/versions/7"
CREATION = Creation(
    template="d/churn.yaml",
    body={"sku": {"name": "Default", "capacity": 1}, "properties": {"model": MODEL}},
    model=MODEL,
)


def test_a_deployment_is_created_where_its_endpoint_is(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint())
    azure.give("GET", GREEN_PATH, Reply(404, failed("ResourceNotFound", "no such deployment")))
    azure.give("PUT", GREEN_PATH, Reply(201, {}, {"Azure-AsyncOperation": OPERATION}))

    assert endpoints.create(CHURN, "green", CREATION) == Accepted(azure.url + OPERATION)

    (sent,) = azure.sent("PUT")
    assert sent.json == {"location": an_endpoint()["location"], **CREATION.body}
    assert f"api-version={STABLE}" in sent.target


def test_a_deployment_that_is_there_with_that_model_is_not_created_again(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    there = a_deployment()
    there["properties"]["model"] = MODEL.upper()
    azure.give("GET", BLUE_PATH, Reply(200, there))

    assert endpoints.create(CHURN, "blue", CREATION) == Accepted(None)
    assert azure.sent("PUT") == []


@pytest.mark.parametrize("model", [None, "/other", {"referenceType": "Id", "assetId": "/other"}])
def test_a_deployment_that_is_there_with_another_model_is_left_alone(
    azure: Recorded, endpoints: ArmEndpoints, model: Any
) -> None:
    there = a_deployment()
    there["properties"]["model"] = model
    azure.give("GET", BLUE_PATH, Reply(200, there))

    with pytest.raises(Refused, match="has a deployment blue already, with the model"):
        endpoints.create(CHURN, "blue", CREATION)
    assert azure.sent("PUT") == []


def test_scaling_changes_the_capacity_alone(azure: Recorded, endpoints: ArmEndpoints) -> None:
    azure.give("GET", BLUE_PATH, Reply(200, a_deployment()))
    azure.give("PATCH", BLUE_PATH, Reply(202, None, {"Location": OPERATION}))

    assert endpoints.scale(CHURN, "blue", 3) == Accepted(None)
    assert endpoints.scale(CHURN, "blue", 5) == Accepted(azure.url + OPERATION)

    sku = {"name": "Default", "tier": "Standard", "capacity": 5}
    assert [asked.json for asked in azure.sent("PATCH")] == [{"sku": sku}]


def test_deleting_twice_is_deleting_once(azure: Recorded, endpoints: ArmEndpoints) -> None:
    gone = Reply(404, failed("ResourceNotFound", "no such deployment"))
    taken = Reply(202, None, {"Location": OPERATION})
    azure.give("DELETE", GREEN_PATH, taken, Reply(204), gone)

    answers = [endpoints.delete(CHURN, "green") for _ in range(3)]

    assert answers == [Accepted(azure.url + OPERATION), Accepted(None), Accepted(None)]


def test_deleting_what_has_live_traffic_is_refused(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    azure.give("DELETE", GREEN_PATH, Reply(400, failed("BadArgument", "green has live traffic")))

    with pytest.raises(Refused, match="400, BadArgument: green has live traffic"):
        endpoints.delete(CHURN, "green")


@pytest.mark.parametrize("name", ["", ".", "..", "../blue", "a/b", "a?b", "a b", "é", "a\n", "-a"])
def test_a_name_that_is_none_reaches_nobody(
    azure: Recorded, endpoints: ArmEndpoints, name: str
) -> None:
    with pytest.raises(Unknown, match="cannot be the name of a deployment"):
        endpoints.delete(CHURN, name)
    with pytest.raises(Unknown, match="cannot be the name of a deployment"):
        endpoints.scale(CHURN, name, 1)
    assert azure.asked == []


@pytest.mark.parametrize("name", [".", "..", "a\\b"])
def test_an_endpoint_whose_name_is_none_is_unknown(
    azure: Recorded, endpoints: ArmEndpoints, name: str
) -> None:
    with pytest.raises(Unknown, match="is no name of a resource"):
        endpoints.read(CHURN.model_copy(update={"name": name}))
    assert azure.asked == []


# -- operations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(404, payload("operation_not_found")), OVER),
        (
            Reply(200, payload("operation_failed")),
            failed_with("ModelRegistryError: The model could not be read."),
        ),
        (Reply(200, {"status": "Updating", "percentComplete": 0.0}), RUNNING),
        (Reply(200, {"status": "succeeded"}), OVER),
        (
            Reply(200, {"status": "Canceled"}),
            failed_with("the operation ended as Canceled"),
        ),
        (Reply(202, None), RUNNING),
        (Reply(204), OVER),
        (Reply(200, b""), OVER),
        (Reply(200, an_endpoint()), OVER),
        (Reply(200, an_endpoint(provisioningState="Updating")), RUNNING),
    ],
)
def test_an_operation_tells_how_it_goes_on(
    azure: Recorded, endpoints: ArmEndpoints, reply: Reply, status: OperationStatus
) -> None:
    azure.give("GET", OPERATION.partition("?")[0], reply)

    assert endpoints.operation(azure.url + OPERATION) == status
    assert azure.asked[0].target == OPERATION


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "http://127.0.0.1:1/x",
        "https://127.0.0.1/x",
        "{url}@evil.example/x",
        "{url}\\@evil.example/x",
        "{url}.evil.example/x",
        "//evil.example/x",
        "nonsense",
        "",
    ],
)
def test_an_operation_elsewhere_gets_no_token(
    azure: Recorded, endpoints: ArmEndpoints, url: str
) -> None:
    with pytest.raises(Refused):
        endpoints.operation(url.format(url=azure.url))
    assert azure.asked == []


# -- every no --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (302, Refused, "302"),
        (400, Refused, "400, Code: Word"),
        (401, Refused, "sign in again"),
        (403, Refused, "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"),
        (404, Unknown, "not found"),
        (408, Unavailable, "408"),
        (409, Unavailable, "409"),
        (429, Unavailable, "429"),
        (500, Unavailable, "500"),
        (503, Unavailable, "503"),
        (529, Unavailable, "529"),
    ],
)
def test_each_no_has_its_error_and_a_write_is_not_repeated(
    azure: Recorded, endpoints: ArmEndpoints, status: int, error: type[RolloutError], said: str
) -> None:
    shown(azure, an_endpoint())
    azure.give("PUT", ENDPOINT_PATH, Reply(status, failed("Code", "Word"), {"Retry-After": "17"}))

    with pytest.raises(error, match=said) as caught:
        endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes)

    assert len(azure.sent("PUT")) == 1
    if isinstance(caught.value, Unavailable):
        assert caught.value.after == timedelta(seconds=17)


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("0", timedelta(0)),
        ("1.5", timedelta(seconds=1.5)),
        ("999999999", timedelta(hours=1)),
        ("Mon, 01 Jan 2001 00:00:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("1.2.3", None),
    ],
)
def test_a_throttled_read_is_not_repeated_and_tells_when(
    azure: Recorded, endpoints: ArmEndpoints, header: str, after: timedelta | None
) -> None:
    throttled = Reply(429, failed("TooManyRequests", "slow down"), {"Retry-After": header})
    azure.give("GET", ENDPOINT_PATH, throttled)

    with pytest.raises(Unavailable) as caught:
        endpoints.read(CHURN)

    assert (caught.value.after, len(azure.asked)) == (after, 1)


def test_a_read_that_failed_is_asked_again_at_once(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    azure.give("GET", ENDPOINT_PATH, Reply(500), Reply(200, an_endpoint()))
    azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, {"value": []}))

    assert endpoints.read(CHURN).traffic == MIRRORED


def test_no_connection_is_unavailable() -> None:
    with recorded() as gone:
        pass
    arm = ArmClient(gone.url, TokenOfNobody())

    with pytest.raises(Unavailable, match="no answer"):
        ArmEndpoints(arm).read(CHURN)
    arm.close()


def test_many_threads_share_one_client(azure: Recorded, endpoints: ArmEndpoints) -> None:
    shown(azure, an_endpoint())
    azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, payload("deployments")))

    with ThreadPoolExecutor(8) as threads:
        views = list(threads.map(lambda _: endpoints.read(CHURN), range(40)))

    assert views == [endpoints.read(CHURN)] * 40


def test_a_closed_client_opens_again(azure: Recorded, arm: ArmClient) -> None:
    azure.give("GET", "/x", Reply(200, {}))

    for _ in range(2):
        assert arm.send("GET", arm.url("/x", {}), "read").status_code == 200
        arm.close()


# -- answers that are odd --------------------------------------------------------------------


@pytest.mark.parametrize("part", [1, 40, 400])
def test_an_answer_that_breaks_off_is_asked_for_again_and_then_waited_for(
    azure: Recorded, endpoints: ArmEndpoints, part: int
) -> None:
    azure.give("GET", ENDPOINT_PATH, Reply(200, an_endpoint(), cut=part))

    with pytest.raises(Unavailable, match="no answer"):
        endpoints.read(CHURN)
    assert len(azure.asked) == 3


def test_a_write_whose_answer_breaks_off_is_not_sent_twice(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint())
    azure.give("PUT", ENDPOINT_PATH, Reply(201, an_endpoint(), cut=100))

    with pytest.raises(Unavailable, match="no answer"):
        endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes)
    assert len(azure.sent("PUT")) == 1


@pytest.mark.parametrize("part", [0, 1, 2], ids=["nothing", "half", "all but the end"])
def test_an_answer_that_breaks_off_is_no_answer_and_not_half_read(
    azure: Recorded, endpoints: ArmEndpoints, part: int
) -> None:
    whole = json.dumps(an_endpoint()).encode()
    azure.give("GET", ENDPOINT_PATH, Reply(200, whole[: part * (len(whole) - 1) // 2]))

    with pytest.raises(Unavailable, match="the answer breaks off"):
        endpoints.read(CHURN)


def test_a_write_whose_answer_breaks_off_was_taken(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    shown(azure, an_endpoint())
    azure.give("PUT", ENDPOINT_PATH, Reply(201, b'{"properties": '))

    assert isinstance(endpoints.set_traffic(CHURN, SHIFTED, None, yes), Accepted)


def test_what_is_given_back_and_marked_already_is_not_written_again(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    mark = AbortedAtAzure(rollout_id="churn-1", who="anna", why="it is night")
    there = an_endpoint(traffic={"blue": 100}, mirrorTraffic={})
    azure.give("GET", ENDPOINT_PATH, Reply(200, {**there, "tags": {"rollout-aborted": mark.tag}}))

    assert endpoints.give_back(CHURN, Traffic.all_to("blue"), mark) == Accepted(None)
    assert azure.sent("PUT") == []


FULL = {f"tag-{number}": "x" for number in range(TAGS_MAX)}
LEFT = WayBack(rollout_id="churn-1", canary="green", traffic=MIRRORED)
MARK = AbortedAtAzure(rollout_id="churn-1", who="anna")


@pytest.mark.parametrize(
    ("tags", "on_the_way", "given_back"),
    [
        (dict(list(FULL.items())[:48]), {WAY_BACK_TAG}, {WAY_BACK_TAG, ABORTED_TAG}),
        (dict(list(FULL.items())[:49]), {WAY_BACK_TAG}, {ABORTED_TAG}),
        (FULL, set(), set()),
    ],
)
def test_no_tag_is_written_that_azure_would_refuse_the_traffic_for(
    azure: Recorded,
    endpoints: ArmEndpoints,
    tags: dict[str, str],
    on_the_way: set[str],
    given_back: set[str],
) -> None:
    azure.give("PUT", ENDPOINT_PATH, Reply(200, an_endpoint()))
    shown(azure, an_endpoint() | {"tags": tags})
    shown(azure, an_endpoint() | {"tags": {**tags, **dict.fromkeys(on_the_way, LEFT.tag)}})

    endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes, LEFT)
    endpoints.give_back(CHURN, MIRRORED, MARK)

    written = [one.json["tags"].keys() for one in azure.sent("PUT")]
    assert written == [tags.keys() | on_the_way, tags.keys() | given_back]


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (404, Unknown), (502, Unavailable)])
def test_a_no_that_is_a_page_of_a_proxy_is_told_short(
    azure: Recorded, endpoints: ArmEndpoints, status: int, kind: type[RolloutError]
) -> None:
    page = b"<html>" + b"bad gateway \n" * 100_000
    azure.give("GET", ENDPOINT_PATH, Reply(status, page, {"Retry-After": "1"}))

    with pytest.raises(kind) as caught:
        endpoints.read(CHURN)

    assert len(str(caught.value)) < 800
    assert "\n" not in str(caught.value)


def test_an_answer_of_megabytes_is_read_whole(azure: Recorded, endpoints: ArmEndpoints) -> None:
    shown(azure, an_endpoint())
    variables = {f"V{number}": "x" * 1000 for number in range(200)}
    many = [a_deployment(environmentVariables=variables) | {"name": f"d{n}"} for n in range(20)]
    azure.give("GET", f"{ENDPOINT_PATH}/deployments", Reply(200, {"value": many}))

    assert len(endpoints.read(CHURN).deployments) == 20


def test_pages_that_lead_back_to_themselves_end(
    azure: Recorded, endpoints: ArmEndpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollout.adapters.azure.arm.PAGES_MAX", 5)
    shown(azure, an_endpoint())
    path = f"{ENDPOINT_PATH}/deployments"
    azure.give("GET", path, Reply(200, {"value": [], "nextLink": f"{azure.url}{path}"}))

    with pytest.raises(Refused, match="do not end after 5 pages"):
        endpoints.read(CHURN)
    assert len(azure.asked) == 6


def test_a_patch_that_is_taken_and_changes_nothing_is_never_called_done(
    azure: Recorded, arm: ArmClient
) -> None:
    endpoints = ArmEndpoints(arm, WriteVerb.PATCH_PREVIEW)
    shown(azure, an_endpoint())
    azure.give("PATCH", ENDPOINT_PATH, Reply(200, an_endpoint()))

    answers = [endpoints.set_traffic(CHURN, SHIFTED, MIRRORED, yes) for _ in range(3)]

    assert all(isinstance(one, Accepted) and one.operation for one in answers)
    assert len(azure.sent("PATCH")) == 3


def test_names_in_any_letter_case_are_the_same_endpoint(
    azure: Recorded, endpoints: ArmEndpoints
) -> None:
    document = an_endpoint(traffic={"BLUE": 100}, mirrorTraffic={}) | {"name": "CHURN"}
    shown(azure, document)
    shouted = azure.url.replace("http://", "HTTP://") + OPERATION.upper()
    azure.give("GET", OPERATION.partition("?")[0], Reply(200, {"status": "SUCCEEDED"}))
    shouting = EndpointId.parse(CHURN.arm_id.upper())

    assert shouting == CHURN
    assert endpoints.operation(shouted) == OVER
    assert azure.asked[-1].target == OPERATION.upper()


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("30", 30),
        ("0", 0),
        ("Sat, 21 Nov 2026 12:00:45 GMT", 45),
        ("Saturday, 21-Nov-26 12:00:45 GMT", 45),
        ("Sat, 21 Nov 2026 14:00:45 +0200", 45),
        ("Sat, 21 Nov 2026 11:59:00 GMT", None),
        ("Sat, 21 Nov 2027 12:00:00 GMT", 3600),
        ("tomorrow", None),
        ("", None),
        ("٣", None),
        ("1e9", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_azures_own_clock(
    header: str, after: float | None
) -> None:
    found = retry_after({"Retry-After": header, "Date": "Sat, 21 Nov 2026 12:00:00 GMT"})

    assert found == (None if after is None else timedelta(seconds=after))


# -- secrets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://management.azure.com", "http://10.0.0.1:80", "ftp://x"])
def test_a_token_is_never_sent_over_plain_http_to_another_machine(url: str) -> None:
    with pytest.raises(Refused, match="https only"):
        ArmClient(url, TokenOfNobody())


def test_no_secret_is_found_in_errors_or_logs(
    azure: Recorded, endpoints: ArmEndpoints, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "azure"):
        caplog.set_level(logging.DEBUG, logger=name)
    azure.give("GET", ENDPOINT_PATH, Reply(400, failed("Bad", f"header 'Bearer {TOKEN}'")))
    azure.give("DELETE", GREEN_PATH, Reply(500, f"echo {TOKEN}".encode()))

    texts = []
    for call in (lambda: endpoints.read(CHURN), lambda: endpoints.delete(CHURN, "green")):
        with pytest.raises(RolloutError) as caught:
            call()
        texts.append(repr(caught.value))

    assert azure.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "super-secret" not in "\n".join([*texts, caplog.text])
    assert "onlineendpoints/churn" in caplog.text
