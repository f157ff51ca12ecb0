"""Requests drawn from our own OpenAPI document, right ones and wrong ones: every answer fits it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    positive_data_acceptance,
)

from rollout.api.limits import Buckets
from rollout.core.callers import LocalToken, Role
from tests.doors.callers import DOCUMENT, Caller, a_caller
from tests.hostile.served import served
from tests.simulation.world import POLICY

EXAMPLES = 6
PATIENT = 1_000_000
TOKEN = "rollout_of-a-named-admin"
ENTRY = LocalToken.of("anna", Role.ADMIN, TOKEN)
# What it cannot know: that paths overlap (policies/check is also policies/{name}), which endpoints
# have a policy, that a text has to be one, that of two keys there must be one, both schemas of
# Event Grid, and that a permit is one line.
EXCUSED = {
    "PUT /api/policies/{name}": [positive_data_acceptance],
    "POST /api/keys/{ref}/rotate": [positive_data_acceptance],
    "POST /api/rollouts": [positive_data_acceptance],
    "POST /api/hooks/event-grid": [positive_data_acceptance],
    "POST /api/plans": [positive_data_acceptance],
    "GET /api/events": [positive_data_acceptance],
    "POST /api/approval": [positive_data_acceptance],
}
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Caller:
    folder = tmp_path_factory.mktemp("api")
    made = a_caller(folder, POLICY, tokens=(ENTRY,), requests_per_minute=PATIENT)
    made.api = replace(made.api, strangers=Buckets(PATIENT))
    return made


@pytest.fixture(scope="module")
def url(caller: Caller, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(caller.api, tmp_path_factory.mktemp("host")) as told:
        yield told


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case: Any, url: str) -> None:
    case.call_and_validate(
        base_url=url,
        headers={"Authorization": f"Bearer {TOKEN}"},
        excluded_checks=[allow_header_conformance, *EXCUSED.get(case.operation.label, ())],
    )
