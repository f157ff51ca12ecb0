"""What an identity may see and do, from Azure's answers as they are documented."""

from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from rollout.adapters.azure.access import ArmAccess
from rollout.adapters.azure.permissions import NEEDS, Permission, lacks
from rollout.adapters.azure.pipeline import ArmClient
from rollout.errors import Refused, RolloutError, Unavailable, Unknown
from tests.adapters.recorded import CHURN, Recorded, Reply, failed, recorded

WORKSPACE = CHURN.in_workspace
PERMISSIONS = f"{WORKSPACE.arm_id}/providers/Microsoft.Authorization/permissions"
ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"


@pytest.fixture
def access(arm: ArmClient) -> ArmAccess:
    return ArmAccess(arm)


def test_signing_in_tells_how_long_it_holds(access: ArmAccess) -> None:
    assert access.sign_in() == datetime.fromtimestamp(4_000_000_000, UTC)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ClientAuthenticationError("no"), Refused), (ServiceRequestError("no"), Unavailable)],
)
def test_nobody_signed_in_is_told_apart_from_nobody_answering(
    azure: Recorded, error: Exception, kind: type[RolloutError]
) -> None:
    class Credential:
        def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
            raise error

    with pytest.raises(kind, match="no token for"):
        ArmAccess(ArmClient(azure.url, Credential())).sign_in()


def test_a_workspace_tells_the_time(azure: Recorded, access: ArmAccess) -> None:
    azure.give("GET", WORKSPACE.arm_id, Reply(200, {"name": "scoring"}))

    at = access.visit(WORKSPACE)

    assert at is not None
    assert abs((datetime.now(UTC) - at).total_seconds()) < 5


@pytest.mark.parametrize(("status", "kind"), [(403, Refused), (404, Unknown), (503, Unavailable)])
def test_a_workspace_that_cannot_be_read_says_which_leave_it_needs(
    azure: Recorded, access: ArmAccess, status: int, kind: type[RolloutError]
) -> None:
    azure.give("GET", WORKSPACE.arm_id, Reply(status, failed("Code", "Word"), {"Retry-After": "1"}))

    with pytest.raises(kind) as caught:
        access.visit(WORKSPACE)

    named = "Microsoft.MachineLearningServices/workspaces/read" in str(caught.value)
    assert named is (status == 403)


def test_endpoints_are_listed_over_all_pages(azure: Recorded, access: ArmAccess) -> None:
    path = f"{WORKSPACE.arm_id}/onlineEndpoints"
    first = {"value": [{"name": "Churn"}], "nextLink": f"{azure.url}{path}?$skip=1"}
    azure.give("GET", path, Reply(200, first), Reply(200, {"value": [{"name": "fraud"}]}))

    found = access.endpoints(WORKSPACE)

    assert found == [CHURN, CHURN.model_copy(update={"name": "fraud"})]


def test_a_list_that_leads_elsewhere_is_refused(azure: Recorded, access: ArmAccess) -> None:
    with recorded() as elsewhere:
        for path in (f"{WORKSPACE.arm_id}/onlineEndpoints", PERMISSIONS):
            page = {"value": [], "nextLink": f"{elsewhere.url}/more"}
            azure.give("GET", path, Reply(200, page))

        with pytest.raises(Refused, match="nowhere else"):
            access.endpoints(WORKSPACE)
        with pytest.raises(Refused, match="nowhere else"):
            access.lacks(WORKSPACE)
        assert elsewhere.asked == []


def test_rights_of_all_roles_count_together(azure: Recorded, access: ArmAccess) -> None:
    reader = {"actions": ["*/read"], "notActions": []}
    scientist = {
        "actions": ["Microsoft.MachineLearningServices/workspaces/*/action"],
        "notActions": ["Microsoft.MachineLearningServices/workspaces/onlineendpoints/listkeys/*"],
    }
    first = {"value": [reader], "nextLink": f"{azure.url}{PERMISSIONS}?page=2"}
    azure.give("GET", PERMISSIONS, Reply(200, first), Reply(200, {"value": [scientist]}))

    found = {one.action: one.always for one in access.lacks(WORKSPACE)}

    assert found == {
        ENDPOINTS + "write": True,
        ENDPOINTS + "deployments/write": False,
        ENDPOINTS + "deployments/delete": False,
        ENDPOINTS + "listKeys/action": False,
    }


@pytest.mark.parametrize(
    ("permissions", "all_there"),
    [
        ([], False),
        ([{"actions": ["*"]}], True),
        ([{"actions": ["*"], "notActions": ["*/write"]}], False),
        ([{"actions": ["*"], "notActions": ["*/write"]}, {"actions": ["*"]}], True),
        ([{"actions": ["*"], "notActions": [ENDPOINTS.upper() + "WRITE"]}], False),
        ([{"dataActions": ["*"]}], False),
        ([{"actions": list(NEEDS)}], True),
        ([{"actions": ["Microsoft.MachineLearningServices.workspaces/*"]}], False),
    ],
)
def test_what_one_role_takes_away_another_may_give(
    permissions: list[dict[str, list[str]]], all_there: bool
) -> None:
    assert (lacks([Permission.model_validate(one) for one in permissions]) == []) is all_there


def test_leave_for_data_counts_only_where_data_is_asked_for() -> None:
    others = [action for action in NEEDS if not action.endswith("score/action")]
    role = Permission(actions=others, data_actions=[ENDPOINTS + "*"])

    assert lacks([role]) == []
    assert [one.action for one in lacks([Permission(actions=others)])] == [
        ENDPOINTS + "score/action"
    ]
