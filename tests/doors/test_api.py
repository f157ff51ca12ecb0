"""The HTTP API without a server: the real engine behind it, and every answer as documented."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from rollout.api import callers, openapi
from rollout.api.installation import VERSION
from rollout.api.problems import without_secrets
from rollout.api.routes import BY_NAME, ROUTES
from rollout.core.endpoint import EndpointId
from rollout.core.notify import Targets
from rollout.core.rollout import Phase
from rollout.core.traffic import Traffic
from rollout.errors import Conflict, Malformed, PolicyError, Refused, RolloutError, Unavailable
from rollout.inbox import BYTES_MAX, COMMANDS
from rollout.ports import Message
from rollout.rehearsal.recording import parse_recording
from tests.doors.callers import DOCUMENT, ROOT, TOKEN, Caller, a_caller, read
from tests.fakes import FakeStore
from tests.simulation.world import CHURN, POLICY, World

BROKEN = "match: {endpoint: churn}\nstagse: []\n"


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return a_caller(tmp_path, POLICY, {"broken": BROKEN})


# -- who may ask ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer "},
        {"authorization": "Bearer \udcff"},
    ],
)
@pytest.mark.parametrize("name", [route.name for route in ROUTES if route.check is callers.token])
def test_without_the_token_nothing_is_answered(
    caller: Caller, name: str, headers: dict[str, str]
) -> None:
    caller.headers = headers

    answer = caller.ask(name, b"not even read")

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_doctor_looks_at_this_installation(caller: Caller) -> None:
    report = read(caller.ask("doctor"))

    found = {one["part"]: one for one in report["diagnoses"]}
    assert report["well"] is False
    assert found["store"]["condition"] == "ok"
    assert found["policies"]["condition"] == "failed"
    assert found["policies"]["told"].startswith("broken: ")


def test_an_alert_leaves_its_mark(caller: Caller) -> None:
    caller.ask("take_alert", _alert(CHURN, caller.world))

    report = read(caller.ask("doctor"))

    told = next(one for one in report["diagnoses"] if one["part"] == "alerts")
    assert told["condition"] == "ok"
    assert "w/churn" in told["told"]


def test_only_health_and_the_document_are_open(caller: Caller) -> None:
    caller.headers = {}

    open_to_all = [route.name for route in ROUTES if route.check is callers.anyone]
    assert open_to_all == ["health", "openapi", "event_grid_origin"]
    assert read(caller.ask("health")) == {"status": "ok"}
    assert read(caller.ask("openapi")) == DOCUMENT


def test_an_empty_token_lets_nobody_in(caller: Caller) -> None:
    settings = caller.api.settings.model_copy(update={"api_token": SecretStr("")})
    caller.api = replace(caller.api, settings=settings)
    caller.headers = {"authorization": "Bearer "}

    assert caller.ask("about").status == 401


# -- the document --------------------------------------------------------------------------------


def test_the_document_is_kept_as_it_is_generated() -> None:
    """Write it anew with: python -m rollout.api > docs/reference/openapi.json."""
    assert openapi() == DOCUMENT


def test_the_document_is_valid() -> None:
    openapi_spec_validator.validate(DOCUMENT)


def test_every_name_in_the_table_is_there_once() -> None:
    assert len(BY_NAME) == len(ROUTES) == len({(one.method, one.path) for one in ROUTES})


# -- start ---------------------------------------------------------------------------------------


def test_a_start_creates_a_rollout_and_says_where(caller: Caller) -> None:
    answer = caller.start(why="release 41")

    view = read(answer)
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/rollouts/{view['id']}"
    assert (view["canary"], view["who"], view["why"]) == ("green", "ci", "release 41")
    assert caller.world.phase is Phase.PREPARING


@pytest.mark.parametrize("name", ["w/churn", CHURN.arm_id, CHURN.arm_id.upper()])
def test_a_start_takes_every_name_of_an_endpoint(caller: Caller, name: str) -> None:
    assert caller.start(endpoint=name).status == 201


def test_a_repeated_start_is_answered_alike(caller: Caller) -> None:
    first, again = caller.start(key="run-1"), caller.start(key="run-1")

    assert (first.status, again.status) == (201, 201)
    assert read(first)["id"] == read(again)["id"]
    assert caller.world.head.generation == 1


def test_a_repeat_after_its_rollout_is_over_shows_that_one(caller: Caller) -> None:
    first = read(caller.start(key="run-1"))
    caller.command("abort")
    caller.world.run(minutes=30)
    caller.start(key="run-2", why="again")

    answer = caller.start(key="run-1")

    assert answer.status == 201
    assert (read(answer)["id"], read(answer)["outcome"]) == (first["id"], "aborted")


def test_a_second_start_waits_behind_the_first(caller: Caller) -> None:
    first = read(caller.start())

    caller.world.azure.deployments["red"] = caller.world.azure.deployments["green"]
    answer = caller.start("red")

    assert answer.status == 202
    assert read(answer) == {
        "queued": "red",
        "order": "start:id2",
        "behind": first["id"],
        "until": None,
        "why": f"red waits until {first['id']} is over",
    }


def test_what_is_being_rolled_out_already_is_a_conflict(caller: Caller) -> None:
    caller.start()

    answer = caller.start()

    assert (answer.status, read(answer)["type"]) == (409, "urn:rollout:problem:conflict")


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"deployment": "purple"}, 422, "has no deployment 'purple'"),
        ({"deployment": "blue"}, 422, "serves all traffic already"),
        ({"endpoint": "other/churn"}, 404, "no endpoint 'other/churn'"),
        ({"endpoint": "a b"}, 400, "cannot be an endpoint"),
        ({"adopt": 1}, 400, "adopt: "),
    ],
)
def test_what_cannot_be_started_is_told_why(
    caller: Caller, changes: dict[str, Any], status: int, told: str
) -> None:
    answer = caller.start(**changes)

    assert answer.status == status
    assert told in read(answer)["detail"]
    assert caller.world.phase is Phase.IDLE


def test_a_broken_policy_refuses_the_start(caller: Caller) -> None:
    caller.world.policies.text = BROKEN

    answer = caller.start(policy="churn")

    assert (answer.status, read(answer)["type"]) == (422, "urn:rollout:problem:policy")


@pytest.mark.parametrize("key", ["x" * 65, "a b", "ä"])
def test_a_strange_idempotency_key_is_refused(caller: Caller, key: str) -> None:
    assert caller.start(key=key).status == 400


def test_too_large_a_body_is_refused(caller: Caller) -> None:
    assert caller.ask("start_rollout", b" " * (BYTES_MAX + 1)).status == 413


# -- see -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ref", ["churn", "w~churn", "CHURN"])
def test_a_rollout_is_shown_by_its_endpoint(caller: Caller, ref: str) -> None:
    begun = read(caller.start())

    assert read(caller.ask("show_rollout", ref=ref))["id"] == begun["id"]
    assert read(caller.ask("show_rollout", ref=begun["id"]))["id"] == begun["id"]


@pytest.mark.parametrize(
    ("ref", "status"),
    [
        ("churn", 404),
        ("fraud", 404),
        (f"{CHURN.key}-7", 404),
        ("x-0123456789-1", 404),
        ("a b", 400),
        ("x~y~z", 400),
    ],
)
def test_what_is_not_there_is_said(caller: Caller, ref: str, status: int) -> None:
    assert caller.ask("show_rollout", ref=ref).status == status


def test_a_look_that_does_not_come_makes_what_is_told_old(caller: Caller) -> None:
    caller.start()
    late = read(caller.ask("show_rollout", ref="churn"))["late_seconds"]
    due = caller.world.head.due_at
    assert due is not None

    caller.world.clock.advance(due + timedelta(minutes=2) - caller.world.clock.now())
    in_time = read(caller.ask("show_rollout", ref="churn"))["late_seconds"]
    caller.world.clock.advance(timedelta(seconds=1))

    assert (late, in_time) == (None, None)
    assert read(caller.ask("show_rollout", ref="churn"))["late_seconds"] == 121


def test_a_finished_rollout_stays_known_by_its_id(caller: Caller) -> None:
    first = _ended(caller)
    second = read(caller.start(why="again"))

    old = read(caller.ask("show_rollout", ref=first))

    assert (old["id"], old["outcome"]) == (first, "aborted")
    assert read(caller.ask("show_rollout", ref="churn"))["id"] == second["id"]


def _ended(caller: Caller) -> str:
    rollout_id: str = read(caller.start())["id"]
    caller.command("abort")
    caller.world.run(minutes=30)
    return rollout_id


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 2),
        ({"state": "all"}, 2),
        ({"state": "live"}, 1),
        ({"state": "ended"}, 1),
        ({"limit": "1"}, 1),
    ],
)
def test_rollouts_are_listed_by_state(caller: Caller, query: dict[str, str], count: int) -> None:
    _ended(caller)
    caller.start(why="again")

    answer = caller.ask("list_rollouts", query=query)

    assert len(read(answer)["rollouts"]) == count


@pytest.mark.parametrize("query", [{"state": "dead"}, {"limit": "0"}, {"limit": "many"}])
def test_a_strange_list_is_refused(caller: Caller, query: dict[str, str]) -> None:
    assert caller.ask("list_rollouts", query=query).status == 400


def test_the_history_is_that_of_one_rollout(caller: Caller) -> None:
    first = _ended(caller)
    second = read(caller.start(why="again"))["id"]

    entries = read(caller.ask("rollout_history", ref=first))["entries"]
    later = read(caller.ask("rollout_history", ref=second))["entries"]

    assert {entry["rollout_id"] for entry in entries} == {first}
    assert [entry["event"] for entry in later] == ["StartRequested"]


def test_the_history_goes_on_after_a_number(caller: Caller) -> None:
    ref = _ended(caller)
    entries = read(caller.ask("rollout_history", ref=ref))["entries"]

    after = {"after": str(entries[0]["number"])}
    rest = read(caller.ask("rollout_history", ref=ref, query=after))["entries"]

    assert rest == entries[1:]


# -- commands ------------------------------------------------------------------------------------


def test_a_command_is_decided_and_shown(caller: Caller) -> None:
    caller.start()
    caller.world.run(minutes=5)

    answer = caller.command("pause")

    assert answer.status == 200
    assert read(answer)["decided"] == "paused by anna"
    assert read(answer)["rollout"]["phase"] == "holding"


def test_a_repeated_command_is_taken_once(caller: Caller) -> None:
    caller.start()
    caller.world.run(minutes=5)

    first, again = caller.command("pause", key="k"), caller.command("pause", key="k")

    assert (first.status, again.status) == (200, 200)
    assert read(again)["decided"] == "it is decided already"


@pytest.mark.parametrize("name", ["resume", "approve", "reject", "undo"])
def test_a_command_that_means_nothing_now_is_a_conflict(caller: Caller, name: str) -> None:
    caller.start()

    assert caller.command(name).status == 409


def test_every_command_is_known(caller: Caller) -> None:
    told = read(caller.command("fly"))

    assert told["status"] == 404
    assert all(name in told["detail"] for name in [*COMMANDS, "retry", "undo"])


def test_retry_starts_the_last_order_again(caller: Caller) -> None:
    _ended(caller)

    answer = caller.command("retry")

    assert answer.status == 200
    assert read(answer)["rollout"]["outcome"] is None
    assert caller.world.head.generation > 1


def test_a_command_to_an_old_rollout_is_a_conflict(caller: Caller) -> None:
    first = _ended(caller)
    caller.start(why="again")

    answer = caller.command("abort", ref=first)

    assert answer.status == 409
    assert "is over" in read(answer)["detail"]


# -- alerts --------------------------------------------------------------------------------------


def _alert(endpoint: EndpointId, world: World, **essentials: Any) -> dict[str, Any]:
    told = {
        "alertId": "a1",
        "alertRule": "errors",
        "severity": "Sev1",
        "monitorCondition": "Fired",
        "alertTargetIDs": [endpoint.arm_id],
        "firedDateTime": world.clock.now().isoformat(),
        **essentials,
    }
    return {"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": told}}


def test_a_fired_alert_rolls_back(caller: Caller) -> None:
    caller.start()
    caller.world.run(minutes=10)

    answer = caller.ask("take_alert", _alert(CHURN, caller.world))

    assert answer.status == 202
    assert "alert errors (Sev1) fired" in read(answer)["decided"]
    assert caller.world.rollout.rollback is not None


@pytest.mark.parametrize(
    ("essentials", "told"),
    [
        ({"monitorCondition": "Resolved"}, "alert errors (Sev1) is resolved"),
        ({"alertTargetIDs": []}, "no online endpoint"),
        ({"alertTargetIDs": [CHURN.arm_id.replace("/w/", "/x/")]}, "in no workspace"),
    ],
)
def test_an_alert_that_concerns_nobody_is_acknowledged(
    caller: Caller, essentials: dict[str, Any], told: str
) -> None:
    answer = caller.ask("take_alert", _alert(CHURN, caller.world, **essentials))

    assert answer.status == 202
    assert told in read(answer)["decided"]


# -- policies ------------------------------------------------------------------------------------


def test_policies_are_listed_with_what_is_wrong(caller: Caller) -> None:
    rows = {row["name"]: row for row in read(caller.ask("list_policies"))["policies"]}

    assert rows["churn"]["match"] == "churn*"
    assert rows["churn"]["error"] is None
    assert any("smoke/churn.jsonl" in one for one in rows["churn"]["warnings"])
    assert rows["broken"]["version"] is None
    assert "stagse" in rows["broken"]["error"]


def test_a_pushed_policy_wins_and_can_be_taken_back(caller: Caller) -> None:
    text = POLICY.replace('"churn*"', '"churn"')
    files = {"smoke/churn.jsonl": '{"body": {"rows": [1]}}\n'}

    stored = caller.ask("push_policy", {"text": text, "attachments": files}, name="churn")
    removed = caller.ask("remove_policy", name="churn")

    view = read(stored)
    assert (stored.status, removed.status) == (200, 204)
    assert (view["pushed"], view["text"]) == (True, text)
    assert view["normalised"]["match"] == {"endpoint": "churn"}
    assert not any("jsonl" in warning for warning in view["warnings"])
    assert read(caller.ask("show_policy", name="churn"))["text"] == POLICY
    assert caller.ask("remove_policy", name="churn").status == 404


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("new", {"text": BROKEN}, 422),
        ("new", {"text": POLICY, "attachments": {"smoke/churn.jsonl": "{"}}, 422),
        ("new", {"text": POLICY, "attachments": {"../evil": "x"}}, 400),
        ("schema", {"text": POLICY}, 400),
        ("a b", {"text": POLICY}, 400),
        ("new", {"txt": POLICY}, 400),
    ],
)
def test_a_wrong_policy_is_not_stored(
    caller: Caller, name: str, body: dict[str, Any], status: int
) -> None:
    assert caller.ask("push_policy", body, name=name).status == status
    assert caller.ask("show_policy", name=name).status == 404


def test_a_policy_is_checked_and_not_stored(caller: Caller) -> None:
    good = read(caller.ask("check_policy", {"name": "mine", "text": POLICY}))
    bad = read(caller.ask("check_policy", {"name": "mine", "text": BROKEN}))

    assert (good["ok"], good["errors"]) == (True, [])
    assert good["version"] == read(caller.ask("show_policy", name="churn"))["version"]
    assert not bad["ok"]
    assert bad["errors"][0].startswith("mine:")
    assert caller.ask("show_policy", name="mine").status == 404


def test_the_schema_of_a_policy_is_a_schema(caller: Caller) -> None:
    schema = read(caller.ask("policy_schema"))

    Draft202012Validator.check_schema(schema)
    assert "stages" in schema["properties"]


# -- the installation ----------------------------------------------------------------------------


def test_about_tells_which_controller_this_is(caller: Caller) -> None:
    assert read(caller.ask("about")) == {
        "installation": "test",
        "version": VERSION,
        "clock_speed": 1.0,
        "minute_seconds": 60.0,
        "arm_url": "https://management.azure.com",
        "workspaces": [CHURN.in_workspace.arm_id],
        "now": "2026-03-02T12:00:00Z",
        "unknown_events": {},
    }


def test_the_version_is_that_of_the_package() -> None:
    assert f'\nversion = "{VERSION}"\n' in (ROOT / "pyproject.toml").read_text()


def test_a_dead_letter_is_listed_and_sent_again(caller: Caller) -> None:
    queue, clock = caller.world.queue, caller.world.clock
    queue.send(Message("steps", "s", "churn:1:2:0", b"{}"))
    while delivery := queue.receive("steps", clock.now(), timedelta(minutes=1)):
        queue.abandon(delivery, "Malformed: it")

    (letter,) = read(caller.ask("list_dead_letters"))["dead_letters"]
    sent = caller.ask("resend_dead_letter", queue="steps", id="churn:1:2:0")

    assert (letter["id"], letter["reason"], letter["deliveries"]) == (
        "churn:1:2:0",
        "Malformed: it",
        10,
    )
    assert sent.status == 204
    assert read(caller.ask("list_dead_letters")) == {"dead_letters": []}
    assert caller.ask("resend_dead_letter", queue="steps", id="x").status == 404


# -- saying no -----------------------------------------------------------------------------------


@dataclass
class Failing:
    """An engine that raises whatever it is asked."""

    error: Exception

    def __getattr__(self, name: str) -> Any:
        def fail(*_args: Any, **_kwargs: Any) -> Any:
            raise self.error

        return fail


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Malformed("m"), 400, "malformed"),
        (PolicyError("p"), 422, "policy"),
        (Conflict("c"), 409, "conflict"),
        (Refused("r ***"), 502, "refused"),
        (Unavailable("u"), 503, "unavailable"),
        (RolloutError("?"), 500, "fault"),
    ],
)
def test_every_error_is_a_problem(
    caller: Caller, error: RolloutError, status: int, kind: str
) -> None:
    said = type(error)(str(error).replace("***", TOKEN))
    caller.api = replace(caller.api, engine=Failing(said))

    answer = caller.start()

    told = read(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status, told["status"], told["detail"]) == (status, status, str(error))
    assert told["type"] == f"urn:rollout:problem:{kind}"


@pytest.mark.parametrize(
    ("after", "told"), [(None, "5"), (timedelta(seconds=7.2), "8"), (timedelta(0), "5")]
)
def test_later_says_when(caller: Caller, after: timedelta | None, told: str) -> None:
    caller.api = replace(caller.api, engine=Failing(Unavailable("later", after)))

    assert caller.start().headers["Retry-After"] == told


def test_a_fault_of_ours_has_a_number_and_tells_no_secret(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caller.api = replace(caller.api, engine=Failing(KeyError(f"{TOKEN} sig=abc")))

    answer = caller.start()

    told = read(answer)
    assert (answer.status, told["instance"]) == (500, "urn:rollout:incident:id1")
    assert "incident id1" in caplog.text
    assert "KeyError" in caplog.text
    assert TOKEN not in caplog.text + told["detail"]
    assert "abc" not in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer S3CRET",
        "https://x/?a=1&sig=S3CRET&b",
        "'password': 'S3CRET'",  # pragma: allowlist secret
    ],  # pragma: allowlist secret
)
def test_what_looks_like_a_key_is_blotted_out(text: str) -> None:
    assert "S3CRET" not in without_secrets(text, "")


# -- before a rollout, and after it ----------------------------------------------------------------


def test_a_plan_reads_the_traffic_of_the_endpoint(caller: Caller) -> None:
    answer = caller.ask("plan_rollout", {"policy": "churn", "endpoint": "churn"})

    plan = read(answer)
    assert answer.status == 200
    assert (plan["policy"], plan["endpoint"]) == ("churn", "w/churn")
    traffic = plan["traffic"]
    assert (traffic["baseline"], traffic["minutes"], traffic["lag_minutes"]) == ("blue", 120, 2)
    assert traffic["requests_per_minute"] == pytest.approx(3000, rel=0.01)
    assert traffic["error_rate"] == pytest.approx(0.002, rel=0.1)
    assert plan["at_risk"]["canary_requests"] == 0  # it is mirrored first
    assert caller.world.azure.writes == []


def test_a_plan_of_a_text_needs_no_endpoint(caller: Caller) -> None:
    answer = caller.ask("plan_rollout", {"text": POLICY, "rps": 50, "error_rate": 0.002})

    plan = read(answer)
    assert (answer.status, plan["policy"], plan["endpoint"]) == (200, "policy", None)
    assert plan["traffic"]["requests_per_minute"] == 3000


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"endpoint": "churn"}, 400, "policy: give either the name of a policy, or its text"),
        ({"policy": "churn", "text": POLICY, "endpoint": "churn"}, 400, "policy: give either"),
        ({"policy": "churn"}, 400, "endpoint: missing; give it, or both rps and error_rate"),
        ({"policy": "churn", "rps": 5}, 400, "endpoint: missing"),
        ({"policy": "churn", "endpoint": "churn", "rps": 5}, 400, "its traffic is read"),
        ({"policy": "churn", "rps": 0, "error_rate": 0.1}, 400, "rps: 0 is no traffic"),
        ({"policy": "churn", "rps": 5, "error_rate": 4}, 400, "error_rate: 4 is not from 0 to 1"),
        ({"policy": "churn", "endpoint": "other"}, 404, "other"),
        ({"policy": "nobody", "endpoint": "churn"}, 404, "nobody"),
        ({"text": BROKEN, "endpoint": "churn"}, 422, "stagse"),
        ({"policy": "broken", "endpoint": "churn"}, 422, "stagse"),
    ],
)
def test_a_plan_that_cannot_be_made(
    caller: Caller, body: dict[str, Any], status: int, detail: str
) -> None:
    answer = caller.ask("plan_rollout", body)

    assert answer.status == status
    assert detail in read(answer)["detail"]


def test_an_endpoint_without_traffic_has_no_plan(caller: Caller) -> None:
    caller.world.azure.requests_per_minute = 0

    answer = caller.ask("plan_rollout", {"policy": "churn", "endpoint": "churn"})

    assert answer.status == 422
    assert read(answer)["detail"] == (
        "w/churn: blue has answered no request in the last 120 minutes;"
        " give rps and error_rate instead of the endpoint"
    )


def test_an_endpoint_with_two_baselines_has_no_plan(caller: Caller) -> None:
    caller.world.azure.set_by_hand(Traffic(live={"blue": 60, "green": 40}))

    answer = caller.ask("plan_rollout", {"policy": "churn", "endpoint": "churn"})

    assert answer.status == 422
    assert "name it in the policy (baseline)" in read(answer)["detail"]


def test_a_plan_for_a_named_baseline(caller: Caller) -> None:
    both = Traffic(live={"blue": 60, "green": 40})
    caller.world.azure.maps = [(caller.world.clock.now() - timedelta(days=1), both)]
    text = f"{POLICY}baseline: green\n"

    answer = caller.ask("plan_rollout", {"text": text, "endpoint": "churn"})

    assert read(answer)["traffic"]["baseline"] == "green"


def test_a_plan_waits_for_azure(caller: Caller) -> None:
    caller.world.azure.faults.throttled = 1.0

    assert caller.ask("plan_rollout", {"policy": "churn", "endpoint": "churn"}).status == 503


def test_the_minutes_of_a_rollout_are_a_recording(caller: Caller) -> None:
    caller.start()
    caller.world.run(20)

    answer = caller.ask("rollout_minutes", ref="churn")

    recording = parse_recording(answer.body.decode(), "answer")
    assert (recording.endpoint, recording.canary, recording.baseline) == (
        "w/churn",
        "green",
        "blue",
    )
    assert len(recording.history) == 120
    first, last = recording.minutes[0], recording.minutes[-1]
    assert (first.share, first.mirrored) == (20, True)
    assert (last.share, last.mirrored) == (25, False)
    assert last.canary is not None
    assert last.canary.requests > 0
    assert [share.percent for share in recording.shares] == [20, 5, 25]


def test_a_rollout_without_a_share_has_no_minutes(caller: Caller) -> None:
    caller.start()

    assert read(caller.ask("rollout_minutes", ref="churn"))["minutes"] == []


def test_of_an_unknown_rollout_there_are_no_minutes(caller: Caller) -> None:
    assert caller.ask("rollout_minutes", ref="churn").status == 404


def _full(*_: object) -> None:
    raise Unavailable("the disk is full")


def test_an_abort_that_cannot_be_saved_is_taken_by_azure_and_the_answer_says_where_it_is_kept(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.start()
    caller.world.run(minutes=12)
    monkeypatch.setattr(caller.world.store, "save", _full)

    answer = caller.command("abort")

    told = read(answer)
    assert answer.status == 200
    assert told["decided"].endswith("because it cannot be saved here: the disk is full")
    assert told["rollout"]["phase"] == "rolling_back"
    assert caller.world.azure.writes[-1].traffic == Traffic.all_to("blue")


def test_an_alert_that_cannot_be_saved_gives_the_traffic_back_all_the_same(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.start()
    caller.world.run(minutes=12)
    monkeypatch.setattr(caller.world.store, "save", _full)

    caller.world.tell(caller.world.alert())

    assert caller.world.azure.writes[-1].traffic == Traffic.all_to("blue")
    assert caller.world.azure.aborted
    assert caller.world.azure.aborted.who == "rollout"


def test_an_abort_that_nobody_takes_names_the_ways_that_need_no_store(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.start()
    caller.world.run(minutes=12)
    monkeypatch.setattr(caller.world.store, "save", _full)
    caller.world.azure.faults.busy = 1.0

    answer = caller.command("abort")

    assert answer.status == 503
    detail = read(answer)["detail"]
    assert detail.startswith("the disk is full. Azure was asked to take the traffic back, and said")
    assert "The abort is not decided; if it cannot wait, run: rollout abort --direct" in detail
    assert "rollout abort --direct s/g/w/churn; or az ml online-endpoint update" in detail
    assert '--traffic "blue=100 green=0"' in detail


@pytest.mark.parametrize(
    "says", [Unavailable("the store is away"), Refused("table rollout: 403 AuthorizationFailure")]
)
def test_an_abort_where_nothing_can_be_read_names_the_way_without_a_controller(
    says: RolloutError, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise says

    monkeypatch.setattr(caller.world.store, "load", away)

    answer = caller.command("abort")

    assert (answer.status, "rollout abort --direct S/RG/W/ENDPOINT" in str(answer.body)) == (
        503,
        True,
    )


def test_an_audit_names_what_was_changed_in_the_store(caller: Caller) -> None:
    caller.start()
    caller.world.run(minutes=12)

    whole = read(caller.ask("audit_endpoint", ref="churn"))
    page = read(caller.ask("audit_entries", ref="churn", query={"after": "2"}))
    store = caller.world.store
    assert isinstance(store, FakeStore)
    third = store.entries[CHURN.key][3]
    store.entries[CHURN.key][3] = third.model_copy(update={"who": "nobody"})
    changed = read(caller.ask("audit_endpoint", ref="churn"))

    assert (whole["faults"], whole["unchained"]) == ([], 0)
    assert whole["entries"] == whole["written"] > 3
    assert next(entry["number"] for entry in page["entries"]) == 3
    assert changed["faults"] == ["entry 3 was changed: entry 4 knows another"]


def test_where_nothing_was_rolled_out_there_is_nothing_to_audit(caller: Caller) -> None:
    answer = caller.ask("audit_endpoint", ref="churn")

    assert answer.status == 404


def test_a_check_tells_of_places_that_the_settings_do_not_name(tmp_path: Path) -> None:
    caller = a_caller(tmp_path, POLICY)
    text = f"{POLICY}\nhooks: [{{confirm: gate}}]\n"

    told = read(caller.ask("check_policy", {"name": "mine", "text": text}))["warnings"]

    assert [one for one in told if one.startswith("hooks[0].confirm: the settings know no")]


@pytest.mark.parametrize(("kind", "status"), [("confirm", 422), ("before", 201)])
def test_a_start_is_refused_where_nobody_could_be_asked(
    kind: str, status: int, tmp_path: Path
) -> None:
    caller = a_caller(tmp_path, POLICY)
    world = caller.world
    world.missing = Targets().missing
    world.policies.text = f"{POLICY}\nhooks: [{{{kind}: gate}}]\n"
    knowing = replace(caller, api=replace(caller.api, engine=world.new_worker()))

    answer = knowing.start()

    assert answer.status == status
    if status == 422:
        assert "nobody can be asked: hooks[0].confirm: the settings" in read(answer)["detail"]
        assert world.head.rollout is None
    else:
        assert "not everybody will be told: hooks[0].before" in world.told[0]
