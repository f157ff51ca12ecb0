"""The doors of CI and Event Grid over the real engine: who may knock, and what starts."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rollout.api import callers
from rollout.api.callers import Locks
from rollout.api.exchange import Request
from rollout.arrivals import RETRIES_MAX
from rollout.core.actions import CreateDeployment
from rollout.core.creation import Creation
from rollout.core.endpoint import Provisioning
from rollout.core.events import AbortRequested
from rollout.core.head import HEARD_MAX, SEEN_MAX
from rollout.core.rollout import Phase
from rollout.errors import Denied, Malformed, Unavailable
from rollout.settings import Settings
from rollout.wakes import EVENTS_QUEUE
from tests.doors.callers import TOKEN, Caller, a_caller, read
from tests.doors.payloads import about, payload, raw
from tests.fakes import NOON
from tests.simulation.azure import Deployment
from tests.simulation.world import CHURN, POLICY

SECRET = "a webhook's secret"
NEXT = "the one that follows"
START_ON = """
start_on:
  - github_workflow_run: {repository: contoso/churn, workflow: release, branch: main}
    deployment: "v{run_number}"
    endpoint: churn
  - github_deployment_status: {environment: production}
    deployment: "{payload.deployment}"
    endpoint: churn
  - azure_build: {definition: churn-release}
    deployment: "b{build_id}"
    endpoint: churn
  - model_registered: {model: churn}
    endpoint: churn
    create: {template: deployments/churn.yaml}
    deployment: "churn-v{model_version}"
  - deployment_written: {deployment: "g*"}
"""
TEMPLATE = "model: azureml:{model}:{model_version}\ninstance_type: Standard_DS3_v2\n"


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    made = a_caller(
        tmp_path,
        POLICY + START_ON,
        github_secret=SecretStr(SECRET),
        github_secret_next=SecretStr(NEXT),
        azure_devops_secret=SecretStr(SECRET),
    )
    made.world.policies.template = TEMPLATE.encode()
    made.world.azure.deployments["v41"] = Deployment()
    return made


def signed(
    caller: Caller,
    event: str,
    body: bytes,
    secret: str = SECRET,
    delivery: str = "d-1",
    **changed: str,
) -> Any:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    caller.headers = {
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": f"sha256={signature}",
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    return caller.ask("take_github", body)


def a_run(**changes: Any) -> bytes:
    run = payload("github/workflow_run")
    run["workflow_run"].update(changes)
    return raw(run)


# -- GitHub: who may knock -----------------------------------------------------------------------


def test_the_signature_is_that_of_githubs_own_example() -> None:
    secret = SecretStr("It's a Secret to Everybody")
    settings = Settings(
        api_token=SecretStr("t"), workspaces=(CHURN.in_workspace,), github_secret=secret
    )
    # pragma: allowlist nextline secret
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={digest}"}

    callers.github(Locks(settings), Request("POST", headers=headers, body=b"Hello, World!"))
    with pytest.raises(Denied):
        callers.github(Locks(settings), Request("POST", headers=headers, body=b"Hello, World?"))


@pytest.mark.parametrize("secret", [SECRET, NEXT])
def test_both_secrets_count_while_they_change(caller: Caller, secret: str) -> None:
    assert signed(caller, "ping", raw(payload("github/ping")), secret).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"x_hub_signature_256": ""},
        {"x_hub_signature_256": "sha256=00"},
        {"x_hub_signature_256": "\udcff"},
        {"x_hub_signature_256": "", "authorization": f"Bearer {TOKEN}"},
    ],
)
def test_a_foreign_signature_starts_nothing(caller: Caller, headers: dict[str, str]) -> None:
    answer = signed(caller, "workflow_run", a_run(), **headers)

    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "HMAC-SHA256")
    assert "X-Hub-Signature-256" in read(answer)["detail"]
    assert caller.world.phase is Phase.IDLE


def test_another_secret_starts_nothing(caller: Caller) -> None:
    assert signed(caller, "workflow_run", a_run(), "guessed").status == 401
    assert caller.world.phase is Phase.IDLE


def test_without_a_secret_the_doors_are_closed_and_say_which_setting_opens_them(
    tmp_path: Path,
) -> None:
    closed = a_caller(tmp_path, POLICY, github_secret=SecretStr(""))

    answer = signed(closed, "ping", b"{}", "")
    devops = closed.ask("take_azure_devops", b"{}")

    assert (answer.status, devops.status) == (401, 401)
    assert "ROLLOUT_GITHUB_SECRET" in read(answer)["detail"]
    assert "ROLLOUT_AZURE_DEVOPS_SECRET" in read(devops)["detail"]


# -- GitHub: what starts -------------------------------------------------------------------------


def test_a_signed_run_starts_what_the_policy_says(caller: Caller) -> None:
    answer = signed(caller, "workflow_run", a_run())

    view = read(answer)
    assert (answer.status, view["canary"], view["policy"]) == (201, "v41", "churn")
    assert (view["who"], view["why"]) == ("anna (GitHub)", "workflow_run of contoso/churn")
    assert caller.world.phase is Phase.PREPARING


def test_the_same_delivery_starts_once(caller: Caller) -> None:
    first, again = (signed(caller, "workflow_run", a_run()) for _ in range(2))

    assert (first.status, again.status) == (201, 201)
    assert read(first)["id"] == read(again)["id"]
    assert caller.world.head.generation == 1


def test_a_recorded_delivery_starts_nothing_again_under_another_id(caller: Caller) -> None:
    signed(caller, "workflow_run", a_run())
    replayed = signed(caller, "workflow_run", a_run(), delivery="d-2")

    assert replayed.status == 201
    assert caller.world.head.generation == 1


def _run_of(minute: int) -> bytes:
    """One of a run in that minute of the hour before, all for the same deployment."""
    return a_run(updated_at=(NOON - timedelta(minutes=60 - minute)).isoformat())


def _has_served_and_lost(caller: Caller) -> None:
    """So that whatever asks for the canary now would start it again."""
    caller.world.tell(AbortRequested(id=f"stop {caller.world.clock.now()}", who="anna"))
    caller.world.run(minutes=20)
    caller.world.clock.advance(timedelta(minutes=10))


def test_a_recorded_delivery_starts_nothing_again_however_much_was_heard_since(
    caller: Caller,
) -> None:
    signed(caller, "workflow_run", _run_of(0))
    _has_served_and_lost(caller)
    for number in range(2 * SEEN_MAX):
        caller.world.tell(caller.world.alert(id=f"a{number}", severity="Sev4"))

    replayed = signed(caller, "workflow_run", _run_of(0), delivery="d-2")

    assert replayed.status == 201
    assert caller.world.head.generation == 2  # begun, and given back
    assert not caller.world.head.live


def test_one_that_is_older_than_all_that_are_remembered_starts_nothing(caller: Caller) -> None:
    signed(caller, "workflow_run", _run_of(0))
    _has_served_and_lost(caller)
    caller.world.azure.deployments["v41"].state = Provisioning.FAILED
    for minute in range(1, HEARD_MAX + 1):
        assert signed(caller, "workflow_run", _run_of(minute)).status == 422
    caller.world.azure.deployments["v41"].state = Provisioning.SUCCEEDED

    replayed = signed(caller, "workflow_run", _run_of(0), delivery="d-2")
    refused = signed(caller, "workflow_run", _run_of(2), delivery="d-3")
    newer = signed(caller, "workflow_run", _run_of(HEARD_MAX + 1))

    assert (replayed.status, refused.status, newer.status) == (422, 422, 201)
    assert "whether it was decided is not known any more" in read(replayed)["detail"]
    assert caller.world.head.generation == 3


def test_a_delivery_that_tells_no_time_starts_nothing(caller: Caller) -> None:
    """Sent again after a hundred others it would not be known."""
    answer = signed(caller, "workflow_run", a_run(created_at=None, updated_at=None))

    assert answer.status == 400
    assert "without it a repeat would not be known" in read(answer)["detail"]
    assert caller.world.phase is Phase.IDLE


@pytest.mark.parametrize("days", [4, -1])
def test_a_delivery_of_another_time_starts_nothing(caller: Caller, days: int) -> None:
    at = NOON - timedelta(days=days)

    answer = signed(caller, "workflow_run", a_run(updated_at=at.isoformat()))

    assert answer.status == 400
    assert "taken for 72 hours (ROLLOUT_HOOK_AGE_HOURS)" in read(answer)["detail"]
    assert caller.world.phase is Phase.IDLE
    assert _late_ones(caller) == 1


def _late_ones(caller: Caller) -> int:
    caller.headers = {"authorization": f"Bearer {TOKEN}"}
    return int(read(caller.ask("about"))["unknown_events"].get("too old or of the future", 0))


@pytest.mark.parametrize("days", [4, -1])
def test_a_build_of_another_time_starts_nothing(caller: Caller, days: int) -> None:
    caller.world.azure.deployments["b2"] = Deployment()
    caller.headers = _basic(SECRET)
    told = payload("azure_devops/build_complete")

    late = caller.ask(
        "take_azure_devops",
        {**told, "createdDate": (NOON - timedelta(days=days)).isoformat()},
    )
    timely = caller.ask("take_azure_devops", told)
    again = caller.ask("take_azure_devops", told)

    assert (late.status, timely.status, again.status) == (400, 201, 201)
    assert caller.world.head.generation == 1
    assert _late_ones(caller) == 1


@pytest.mark.parametrize("days", [4, -1])
def test_an_event_of_another_time_starts_nothing_and_keeps_no_other_waiting(
    caller: Caller, days: int
) -> None:
    (event,) = _written()
    at = (NOON - timedelta(days=days)).isoformat()

    told = events(caller, [{**event, "id": "late", "eventTime": at}, event])

    assert "ROLLOUT_HOOK_AGE_HOURS" in told
    assert "Event Grid starts green" in told
    assert caller.world.head.generation == 1
    assert _late_ones(caller) == 1


def test_the_window_is_a_setting(tmp_path: Path) -> None:
    at = NOON - timedelta(hours=2)
    narrow = a_caller(tmp_path, POLICY, hook_age_hours=1, azure_devops_secret=SecretStr(SECRET))
    narrow.headers = _basic(SECRET)
    told = {**payload("azure_devops/build_complete"), "createdDate": at.isoformat()}

    answer = narrow.ask("take_azure_devops", told)

    assert "taken for 1 hours" in read(answer)["detail"]


def test_the_name_may_come_from_the_deployments_payload(caller: Caller) -> None:
    answer = signed(caller, "deployment_status", raw(payload("github/deployment_status")))

    assert (answer.status, read(answer)["canary"]) == (201, "green")


@pytest.mark.parametrize(
    ("event", "body", "told"),
    [
        ("push", b"{}", "the event push starts nothing"),
        ("workflow_run", a_run(conclusion="failure"), "conclusion is 'failure', not 'success'"),
        ("deployment", raw(payload("github/deployment")), "no policy starts on github_deployment"),
    ],
)
def test_what_fits_no_rule_is_acknowledged_with_the_reason(
    caller: Caller, event: str, body: bytes, told: str
) -> None:
    answer = signed(caller, event, body)

    assert answer.status == 202
    assert told in read(answer)["decided"]
    assert caller.world.phase is Phase.IDLE


def test_what_fits_several_rules_is_an_error_that_names_them(caller: Caller) -> None:
    text = POLICY + START_ON + START_ON.partition("\n  - github_deployment_status")[0][10:]
    caller.world.policies.text = text

    answer = signed(caller, "workflow_run", a_run())

    assert answer.status == 422
    assert "churn: start_on[0] and churn: start_on[5] all start on it" in read(answer)["detail"]
    assert caller.world.phase is Phase.IDLE


@pytest.mark.parametrize(
    ("changes", "status"), [({"run_number": 99}, 422), ({"run_number": "4/1"}, 422)]
)
def test_a_start_that_is_refused_is_refused_to_github(
    caller: Caller, changes: dict[str, Any], status: int
) -> None:
    assert signed(caller, "workflow_run", a_run(**changes)).status == status
    assert caller.world.phase is Phase.IDLE


# -- Azure DevOps --------------------------------------------------------------------------------


def _basic(secret: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'hook:{secret}'.encode()).decode()}"}


@pytest.mark.parametrize("headers", [_basic(SECRET), {"x-rollout-secret": SECRET}])
def test_a_build_starts_what_the_policy_says(caller: Caller, headers: dict[str, str]) -> None:
    caller.world.azure.deployments["b2"] = Deployment()
    caller.headers = headers

    answer = caller.ask("take_azure_devops", payload("azure_devops/build_complete"))

    assert (answer.status, read(answer)["canary"]) == (201, "b2")
    assert read(answer)["who"] == "Anna Adler"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _basic("guessed"),
        {"x-rollout-secret": "guessed"},  # pragma: allowlist secret
        {"authorization": "Basic ?"},
        {"authorization": f"Bearer {TOKEN}"},
    ],
)
def test_a_foreign_hook_starts_nothing(caller: Caller, headers: dict[str, str]) -> None:
    caller.headers = headers

    answer = caller.ask("take_azure_devops", payload("azure_devops/build_complete"))

    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="rollout"')
    assert caller.world.phase is Phase.IDLE


# -- Event Grid ----------------------------------------------------------------------------------


def test_the_handshake_of_event_grid_is_answered_at_once(caller: Caller) -> None:
    caller.headers = {"aeg-event-type": "SubscriptionValidation"}

    answer = caller.ask("take_events", payload("azure/event_validation"))

    code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
    assert (answer.status, read(answer)["validationResponse"]) == (200, code)


def test_behind_the_header_of_a_handshake_no_event_comes_in(caller: Caller) -> None:
    caller.headers = {"aeg-event-type": "SubscriptionValidation"}
    events = about(CHURN.arm_id, payload("azure/event_deployment_written"))

    answer = caller.ask("take_events", [*payload("azure/event_validation"), *events])

    assert answer.status == 400
    assert caller.ask("take_events", events).status == 400
    assert caller.world.phase is Phase.IDLE


def test_the_handshake_of_cloud_events_allows_event_grid(caller: Caller) -> None:
    caller.headers = {"webhook-request-origin": "eventgrid.azure.net"}

    answer = caller.ask("event_grid_origin", b"")

    assert answer.status == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"


@pytest.mark.parametrize("origin", ["", "evil.example", "eventgrid.\u00e4"])
def test_no_other_origin_is_allowed(caller: Caller, origin: str) -> None:
    caller.headers = {"webhook-request-origin": origin}

    assert caller.ask("event_grid_origin", b"").status == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-rollout-token": TOKEN}, 200),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"x-rollout-token": "guessed"}, 401),
        ({}, 401),
        ({"aeg-event-type": "Notification"}, 401),
    ],
)
def test_events_need_the_token_in_a_header(
    caller: Caller, headers: dict[str, str], status: int
) -> None:
    caller.headers = headers

    answer = caller.ask("take_events", _written())

    assert answer.status == status
    assert (caller.world.phase is Phase.PREPARING) == (status == 200)


def _written(deployment: str = "green", number: str = "1") -> Any:
    (event,) = about(CHURN.arm_id, payload("azure/event_deployment_written"))
    event = json.loads(
        json.dumps(event).replace("/deployments/green", f"/deployments/{deployment}")
    )
    return [{**event, "id": number}]


def _registered(version: int = 7) -> Any:
    (event,) = about(CHURN.arm_id, payload("azure/event_model_registered"))
    event["data"]["ModelVersion"] = version
    return [{**event, "id": f"m{version}"}]


def events(caller: Caller, body: Any) -> str:
    caller.headers = {"x-rollout-token": TOKEN, "authorization": f"Bearer {TOKEN}"}
    answer = caller.ask("take_events", body)
    assert answer.status == 200, answer.body
    return "; ".join(read(answer)["decided"])


def test_a_written_deployment_starts_the_closest_policy(caller: Caller) -> None:
    assert events(caller, _written()) == "Event Grid starts green against blue under churn"


@pytest.mark.parametrize(
    ("deployment", "told"),
    [
        ("blue", "deployment is 'blue', not 'g*'"),
        ("grey", "has no deployment 'grey'"),
    ],
)
def test_a_written_deployment_that_is_not_meant_starts_nothing(
    caller: Caller, deployment: str, told: str
) -> None:
    assert told in events(caller, _written(deployment))
    assert caller.world.phase is Phase.IDLE


def test_what_we_write_ourselves_starts_nothing(caller: Caller) -> None:
    caller.start("green")
    caller.world.run(minutes=5)

    during = events(caller, _written("green", "2"))
    caller.command("abort")
    caller.world.run(minutes=2)
    just_after = events(caller, _written("green", "3"))
    caller.world.run(minutes=30)
    unchanged = events(caller, _written("green", "4"))
    caller.world.azure.deployments["green"].fingerprint = "made anew"
    anew = events(caller, _written("green", "5"))

    assert "is part of" in during
    assert "is part of" in just_after
    assert unchanged == (
        "green was there already and is what it was; start it by hand if it is meant"
    )
    assert anew == "Event Grid starts green against blue under churn"


def test_an_old_deployment_that_someone_scales_starts_nothing(caller: Caller) -> None:
    caller.world.azure.deployments["grey"] = Deployment(fingerprint="old")
    caller.start("green")
    caller.command("abort")
    caller.world.run(minutes=30)

    assert "grey was there already" in events(caller, _written("grey", "2"))


# -- a model is registered: its deployment is created --------------------------------------------

MODEL = f"{CHURN.in_workspace.arm_id}/models/churn/versions/7"


def test_a_registered_model_is_deployed_and_then_rolled_out(caller: Caller) -> None:
    told = events(caller, _registered())
    rollout = caller.world.run(minutes=200)

    assert told == "Event Grid starts churn-v7 against blue under churn"
    assert caller.world.azure.created == ["churn-v7"]
    assert caller.world.azure.deployments["churn-v7"].model == MODEL
    assert rollout.phase is Phase.PROMOTED
    assert caller.world.azure.traffic.share("churn-v7") == 100


def test_while_its_deployment_is_being_created_the_rollout_waits(caller: Caller) -> None:
    events(caller, _registered())
    caller.world.run(minutes=2)

    assert caller.world.phase is Phase.PREPARING
    assert caller.world.azure.writes == []


def test_the_same_event_creates_once(caller: Caller) -> None:
    events(caller, _registered())

    assert events(caller, _registered()) == "it is decided already"
    caller.world.run(minutes=2)
    assert caller.world.azure.created == ["churn-v7"]


def test_a_deployment_of_that_name_with_that_model_is_taken_as_it_is(caller: Caller) -> None:
    caller.world.azure.deployments["churn-v7"] = Deployment(model=MODEL.upper())

    events(caller, _registered())
    caller.world.run(minutes=5)

    assert caller.world.azure.created == []
    assert caller.world.rollout.ready


def test_a_deployment_of_that_name_with_another_model_is_refused(caller: Caller) -> None:
    caller.world.azure.deployments["churn-v7"] = Deployment(model="/other")

    told = events(caller, _registered())

    assert "has a deployment churn-v7 already, with the model /other" in told
    assert caller.world.phase is Phase.IDLE


def test_a_creation_that_azure_puts_off_is_owed_until_it_is_done(caller: Caller) -> None:
    _creating(caller)
    caller.world.run(minutes=10)
    waiting = caller.world.phase
    caller.world.azure.create_fails = False

    caller.world.run(minutes=15)

    assert waiting is Phase.PREPARING
    assert caller.world.azure.created == ["churn-v7"]
    assert caller.world.rollout.ready


def test_a_creation_survives_a_pause(caller: Caller) -> None:
    decided = _creating(caller)

    paused = caller.command("pause")

    assert paused.status == 200
    assert decided in [debt.action for debt in caller.world.head.owed]


def _creating(caller: Caller) -> CreateDeployment:
    """Started while Azure takes no deployment."""
    caller.world.azure.create_fails = True
    events(caller, _registered())
    (action,) = [
        debt.action for debt in caller.world.head.owed if isinstance(debt.action, CreateDeployment)
    ]
    assert isinstance(action.creation, Creation)
    return action


def test_a_deployment_that_never_comes_ends_the_rollout_untouched(caller: Caller) -> None:
    caller.world.azure.create_fails = True

    events(caller, _registered())
    rollout = caller.world.run(minutes=60)

    assert rollout.phase is Phase.REFUSED
    assert caller.world.azure.writes == []


def test_a_broken_template_starts_nothing_and_is_asked_again(caller: Caller) -> None:
    caller.world.policies.template = b"modle: x"
    caller.headers = {"x-rollout-token": TOKEN}

    answer = caller.ask("take_events", _registered())

    assert (answer.status, caller.world.phase) == (422, Phase.IDLE)
    assert "modle: not known here" in read(answer)["detail"]


# -- what is not known ---------------------------------------------------------------------------


def test_unknown_events_are_acknowledged_and_counted(caller: Caller) -> None:
    (event,) = _registered()
    strange = {**event, "eventType": "Microsoft.Storage.BlobCreated"}

    told = events(caller, [strange, strange])

    assert told.count("means nothing here") == 2
    caller.headers = {"authorization": f"Bearer {TOKEN}"}
    counted = read(caller.ask("about"))["unknown_events"]
    assert counted == {"Microsoft.Storage.BlobCreated": 2}


def test_one_event_that_fails_keeps_no_other_waiting(caller: Caller) -> None:
    caller.world.policies.template = b"modle: x"
    caller.headers = {"x-rollout-token": TOKEN}

    answer = caller.ask("take_events", [*_registered(), *_written()])

    assert (answer.status, caller.world.phase) == (422, Phase.PREPARING)


def test_an_event_of_a_foreign_workspace_is_acknowledged(caller: Caller) -> None:
    assert "in the workspaces of this controller" in events(
        caller, payload("azure/event_model_registered")
    )


def test_what_a_rule_started_a_person_may_try_again(caller: Caller) -> None:
    events(caller, _written())
    caller.command("abort")
    caller.world.run(minutes=30)

    assert caller.command("retry").status == 200


def test_a_deployment_on_its_way_at_the_last_start_is_still_new(caller: Caller) -> None:
    soon = caller.world.clock.now() + timedelta(minutes=5)
    caller.world.azure.deployments["grey"] = Deployment(ready_at=soon)
    caller.start("green")

    assert events(caller, _written("grey", "2")).startswith("grey waits until ")


def test_a_setting_that_is_not_understood_is_named() -> None:
    environment = {
        "ROLLOUT_API_TOKEN": "t",
        "ROLLOUT_WORKSPACES": CHURN.in_workspace.arm_id,
        "ROLLOUT_ALERT_LABELS": "page=high",
    }

    with pytest.raises(Malformed, match=r"ROLLOUT_ALERT_LABELS .*page is no label"):
        Settings.load(environment)
    known = Settings.load({**environment, "ROLLOUT_ALERT_LABELS": "page=Sev0"})
    assert known.alert_labels.words["page"] == "Sev0"


# -- the queue of events -------------------------------------------------------------------------


def test_an_event_that_comes_too_early_comes_again_later(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps(_written()).encode()
    monkeypatch.setattr(caller.world.azure, "read", _busy)

    for name in ("e", "e~1", "e~2", "e~3:r9"):
        caller.api.arrivals.hear(body, name)

    sent = [row.message for row in caller.world.queue.rows.values()]
    waits = [(one.not_before or NOON) - NOON for one in sent]
    assert [one.id for one in sent] == ["e~1", "e~2", "e~3", "e~3:r9~1"]
    assert [wait.total_seconds() for wait in waits] == [2, 4, 8, 2]
    assert {(one.queue, one.body) for one in sent} == {(EVENTS_QUEUE, body)}


def test_an_event_that_came_again_is_decided(caller: Caller) -> None:
    caller.api.arrivals.hear(json.dumps(_written()).encode(), "e~7")

    assert caller.world.rollout.canary == "green"


def test_an_event_that_waited_too_often_is_left_to_the_dead_letters(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller.world.azure, "read", _busy)

    with pytest.raises(Unavailable):
        caller.api.arrivals.hear(json.dumps(_written()).encode(), f"e~{RETRIES_MAX}")


def test_what_is_no_event_is_not_taken_as_done(caller: Caller) -> None:
    with pytest.raises(Malformed):
        caller.api.arrivals.hear(b"?", "e")


def _busy(_: object) -> None:
    raise Unavailable("429 too many requests")
