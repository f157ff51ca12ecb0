"""What policies make of news: one rule that fits, none, or too many; and how rules are written."""

from typing import Any

import pytest

from rollout.core.creation import CreateWish
from rollout.core.deployment_file import check, render
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.core.news import News, Wanted, start_of
from rollout.core.policy import Policy
from rollout.core.policy_text import parse_policy
from rollout.core.start_on import CONDITIONS, Source, StartRule
from rollout.errors import PolicyError
from tests.builders import CANARY_5, an_endpoint
from tests.fakes import NOON

ML = WorkspaceId(subscription="s", resource_group="rg", workspace="ml")
RUN = {
    "repository": "contoso/churn",
    "workflow": "release",
    "branch": "main",
    "action": "completed",
    "conclusion": "success",
    "run_number": "41",
}


def rule(deployment: str | None = "churn-{run_number}", **keys: Any) -> dict[str, Any]:
    source = keys or {"github_workflow_run": {"repository": "contoso/churn"}}
    return {**source, **({"deployment": deployment} if deployment else {})}


def policy(*rules: dict[str, Any], match: str = "churn") -> Policy:
    text = {"match": {"endpoint": match}, "stages": [CANARY_5], "start_on": rules}
    return Policy.model_validate(text)


def a_run(**values: str) -> News:
    told = {**RUN, **values}
    return News(id="github:1", source=Source.GITHUB_WORKFLOW_RUN, values=told, who="octo", at=NOON)


# -- which rule fits ---------------------------------------------------------------------------


def test_a_run_that_fits_starts_what_the_rule_says() -> None:
    assert start_of(a_run(), {"churn": policy(rule())}) == Wanted("churn", "churn", "churn-41")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"conclusion": "failure"}, "conclusion is 'failure', not 'success'"),
        ({"action": "requested"}, "action is 'requested', not 'completed'"),
        ({"repository": "contoso/other"}, "repository is 'contoso/other', not 'contoso/churn'"),
    ],
)
def test_news_that_fit_no_rule_say_which_condition(values: dict[str, str], told: str) -> None:
    answer = start_of(a_run(**values), {"churn": policy(rule())})

    assert answer == f"no rule fits github_workflow_run github:1: churn: start_on[0]: {told}"


def test_where_no_policy_starts_on_it_that_is_said() -> None:
    assert start_of(a_run(), {"churn": policy()}) == "no policy starts on github_workflow_run"


def test_names_are_patterns_in_either_case() -> None:
    wide = rule(github_workflow_run={"repository": "Contoso/*", "branch": "release/*"})

    assert isinstance(start_of(a_run(branch="release/7"), {"churn": policy(wide)}), Wanted)
    assert isinstance(start_of(a_run(branch="main"), {"churn": policy(wide)}), str)


def test_several_rules_that_fit_are_an_error_that_names_them() -> None:
    both = {"a": policy(rule()), "b": policy(rule(), rule("churn-x"), match="fraud")}

    with pytest.raises(PolicyError) as caught:
        start_of(a_run(), both)

    assert "a: start_on[0] and b: start_on[0] and b: start_on[1] all start on it" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("written", "values", "told"),
    [
        ("churn-{run_id}", {}, "has no {run_id}; it has action, branch"),
        ("{branch}", {"branch": "a/b"}, "'a/b' cannot be the name of a deployment"),
    ],
)
def test_a_value_that_gives_no_name_is_told(
    written: str, values: dict[str, str], told: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        start_of(a_run(**values), {"churn": policy(rule(written))})

    assert "churn: start_on[0].deployment: " in str(caught.value)
    assert told in str(caught.value)


def test_the_endpoint_may_come_from_the_news() -> None:
    wide = {**rule(), "endpoint": "{workflow}"}

    found = start_of(a_run(), {"all": policy(wide, match="*")})

    assert found == Wanted("all", "release", "churn-41")


def test_a_model_is_rolled_out_in_its_own_workspace() -> None:
    news = News(
        id="event:1",
        source=Source.MODEL_REGISTERED,
        values={"workspace": "ml", "model": "churn", "model_version": "7"},
        who="Event Grid",
        at=NOON,
        workspace=ML,
    )
    made = rule("churn-v{model_version}", model_registered={"model": "churn"})
    made["create"] = {"template": "deployments/churn.yaml"}

    found = start_of(news, {"churn": policy(made)})

    assert found == Wanted("churn", "ml/churn", "churn-v7", "deployments/churn.yaml")


def written(endpoint: EndpointId | None = None) -> News:
    where = endpoint or an_endpoint()
    values = {"workspace": where.workspace, "endpoint": where.name, "deployment": "green"}
    return News(
        id="event:2",
        source=Source.DEPLOYMENT_WRITTEN,
        values=values,
        who="Event Grid",
        at=NOON,
        endpoint=where,
    )


def test_of_a_written_deployment_the_closest_policy_decides() -> None:
    any_write = rule(None, deployment_written={})
    policies = {"all": policy(any_write, match="*"), "churn": policy(any_write, match="churn")}

    assert start_of(written(), policies) == Wanted("churn", an_endpoint().arm_id, "green")
    fraud = an_endpoint("fraud")
    assert start_of(written(fraud), policies) == Wanted("all", fraud.arm_id, "green")


def test_the_closest_policy_may_say_no() -> None:
    policies = {
        "all": policy(rule(None, deployment_written={}), match="*"),
        "churn": policy(match="churn"),
    }

    assert start_of(written(), policies) == "no policy starts on deployment_written"


# -- how rules are written ---------------------------------------------------------------------

TEXT = """
match: {{endpoint: "{match}"}}
stages: [{{canary: {{weight: 5}}}}]
start_on:
  - {rule}
"""


@pytest.mark.parametrize(
    ("written", "match", "told"),
    [
        (
            "{github_workflow_run: {brnch: main}, deployment: x}",
            "churn",
            "start_on[0].github_workflow_run.brnch: unknown key; did you mean branch? known: repo",
        ),
        ("{gitlab: {}, deployment: x}", "churn", "start_on[0].gitlab: unknown key;"),
        ("{deployment: x}", "churn", "a rule has exactly one source, not none; known: github_w"),
        (
            "{azure_build: {}, azure_release: {}, deployment: x}",
            "churn",
            "a rule has exactly one source, not azure_build and azure_release",
        ),
        ("{azure_build: {}}", "churn", "deployment is missing; write which one is new"),
        (
            '{azure_build: {}, deployment: "v{run_number}"}',
            "churn",
            "deployment: azure_build brings no {run_number}; it brings {project}, {definition}",
        ),
        (
            '{github_deployment: {}, deployment: "{payload.}"}',
            "churn",
            "brings no {payload.}",
        ),
        ("{azure_build: {}, deployment: x}", "churn-*", "start_on[0].endpoint: missing; match is"),
        ("{deployment_written: {}, deployment: x}", "churn", "leave out endpoint, deployment and"),
    ],
)
def test_a_wrong_rule_is_told_where_and_what_to_do(written: str, match: str, told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(TEXT.format(match=match, rule=written), "churn")

    assert told in str(caught.value)


@pytest.mark.parametrize("source", Source)
def test_every_source_has_its_conditions_and_its_key(source: Source) -> None:
    assert source.value in StartRule.model_fields
    assert CONDITIONS[source].model_fields


def test_a_rule_that_was_stored_is_read_again() -> None:
    known = policy(rule(), rule(None, deployment_written={"deployment": "v*"}))

    assert Policy.model_validate_json(known.text()) == known


# -- the file of a deployment ------------------------------------------------------------------

YAML = """
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: ignored
endpoint_name: churn
model: azureml:{model}:{model_version}
code_configuration: {code: "azureml:churn-code:3", scoring_script: score.py}
environment: azureml:sklearn:12
environment_variables: {VERSION: "{model_version}"}
instance_type: Standard_DS3_v2
instance_count: 2
request_settings: {request_timeout_ms: 3000, max_concurrent_requests_per_instance: 4}
liveness_probe: {initial_delay: 10}
"""
VALUES = {"model": "churn", "model_version": "7", "deployment": "churn-v7"}


def wish(**values: str) -> CreateWish:
    return CreateWish(template="d/churn.yaml", values={**VALUES, **values})


def test_the_yaml_of_azure_ml_becomes_the_body_of_arm() -> None:
    creation = render(YAML, wish(), ML)

    model = f"{ML.arm_id}/models/churn/versions/7"
    assert creation.model == model
    assert creation.body == {
        "sku": {"name": "Default", "capacity": 2},
        "tags": {},
        "properties": {
            "endpointComputeType": "Managed",
            "model": model,
            "codeConfiguration": {
                "codeId": f"{ML.arm_id}/codes/churn-code/versions/3",
                "scoringScript": "score.py",
            },
            "environmentId": f"{ML.arm_id}/environments/sklearn/versions/12",
            "environmentVariables": {"VERSION": "7"},
            "instanceType": "Standard_DS3_v2",
            "requestSettings": {
                "requestTimeout": "PT3S",
                "maxConcurrentRequestsPerInstance": 4,
            },
            "livenessProbe": {"initialDelay": "PT10S"},
        },
    }


def test_a_body_of_arm_is_taken_as_it_is() -> None:
    text = '{"properties": {"endpointComputeType": "Managed", "model": "/m/{model_version}"}}'

    creation = render(text, wish(), ML)

    assert (creation.model, creation.body["sku"]) == ("/m/7", {"name": "Default", "capacity": 1})


def test_a_value_cannot_write_yaml_of_its_own() -> None:
    creation = render(
        "{description: '{model}', model: azureml:m:1}", wish(model="x\ntags: {a: b}"), ML
    )

    assert creation.body["tags"] == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: ./model.pkl", "model: './model.pkl' must be registered: azureml:NAME:VERSION"),
        ("model: azureml:churn@latest", "must be registered"),
        ("modle: x", "modle: not known here; write the file as ARM's body, or use description"),
        ("model: /m/{mdl}", "nothing brings {mdl}; known: {deployment}, {model}, {model_version}"),
        ("request_settings: {timeout: 3}", "request_settings.timeout: unknown key; known: request"),
        ("liveness_probe: {period: soon}", "liveness_probe.period: 'soon' is no whole number"),
        ("code_configuration: {code: a}", "code_configuration: has code and scoring_script"),
        ("{properties: {}, propertis: 1}", "propertis: unknown key; the body of ARM has location"),
        ("[1]", "this has none"),
        ("a: [", "d/churn.yaml:1"),
        ("description: " + "x" * 9000, "bytes as a request; at most 8192"),
    ],
)
def test_a_wrong_file_is_told_where_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        render(text, wish(), ML)

    assert "d/churn.yaml" in str(caught.value)
    assert told in str(caught.value)


def test_a_file_is_checked_before_any_news_come() -> None:
    check(YAML, "d/churn.yaml", Source.MODEL_REGISTERED)

    with pytest.raises(PolicyError, match=r"nothing brings \{model\}"):
        check(YAML, "d/churn.yaml", Source.AZURE_BUILD)
