"""Each part of an installation: well, and each way in which it is not, with the remedy."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout import marks
from rollout.access_ports import Lack
from rollout.core.head import Wake
from rollout.core.notify import Targets
from rollout.doctor import Condition, Diagnosis, Doctor, Report
from rollout.errors import Conflict, Refused, RolloutError, Unavailable, Unknown
from rollout.ports import Message, PolicyFile
from rollout.wakes import STEPS_QUEUE
from tests.doctor.patients import FakeAccess, a_doctor, a_well_world
from tests.fakes import NOON, FakeStore
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.key_world import ROTATION
from tests.simulation.world import CHURN, World

SCOPE = "/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/w"
WRITE = Lack("Microsoft.X/onlineEndpoints/write", "changing the traffic", always=True)
SCALE = Lack("Microsoft.X/deployments/write", "capacity: scale", always=False)
METRICS = Lack("Microsoft.Insights/metrics/read", "judging a canary", always=True)


def conditions(report: Report) -> dict[str, str]:
    return {one.part: one.condition.value for one in report.diagnoses}


def the(part: str, report: Report) -> Diagnosis:
    return next(one for one in report.diagnoses if one.part == part)


def seen(world: World, **access: Any) -> Report:
    return a_doctor(world, access=FakeAccess(world.clock, **access)).examine()


# -- well ------------------------------------------------------------------------------------


def test_a_well_installation_is_told_part_by_part() -> None:
    report = seen(a_well_world())

    assert report.well
    assert conditions(report) == {
        "identity": "ok",
        "workspace w": "ok",
        "clock": "ok",
        "rights on w": "ok",
        "endpoints of w": "ok",
        "metrics of w/churn": "ok",
        "logs": "not checked",
        "store": "ok",
        "queue": "ok",
        "dead letters": "ok",
        "sweep": "ok",
        "steps": "ok",
        "policies": "ok",
        "places": "ok",
        "alerts": "ok",
        "secrets": "ok",  # pragma: allowlist secret
        "keys of w/churn": "ok",
    }
    assert the("identity", report).told == "has a token for Azure, good for 75 more minutes"
    assert "began 3 minutes ago" in the("metrics of w/churn", report).told


def test_every_part_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/doctor.md").read_text()
    written = re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE)

    parts = [one.part for one in seen(a_well_world()).diagnoses]

    assert written == [re.split(r" (?:of|on|w$)", part)[0] for part in parts]


def test_looking_disturbs_nothing() -> None:
    world = a_well_world()
    world.start()
    before, history = world.head, world.told

    for _ in range(3):
        world.clock.advance(timedelta(seconds=1))
        seen(world)
        while delivery := world.queue.receive(STEPS_QUEUE, world.clock.now(), timedelta(minutes=1)):
            wake = Wake.model_validate_json(delivery.message.body)
            if wake.endpoint != CHURN:
                world.engine.wake(wake)
            world.queue.complete(delivery)

    assert (world.head, world.told) == (before, history)
    assert [head.endpoint for head in world.store.live(10)] == [CHURN]
    assert not world.store.ended(10)


# -- before Azure ----------------------------------------------------------------------------


def test_without_an_identity_nothing_else_is_asked_of_azure() -> None:
    world = a_well_world()
    access = FakeAccess(world.clock, failing={"sign_in": Refused("nobody has signed in")})

    report = a_doctor(world, access=access).examine()

    assert access.asked == ["sign_in"]
    assert not report.well
    assert the("identity", report).condition is Condition.FAILED
    assert "az login" in the("identity", report).remedy
    assert the("workspaces", report).condition is Condition.NOT_CHECKED
    assert the("store", report).condition is Condition.OK


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (Unknown("no such workspace"), "az ml workspace list --resource-group g --subscription s"),
        (Refused("403"), f"--assignee 0c11e47 --scope {SCOPE}"),
        (Unavailable("503"), "ROLLOUT_ARM_URL"),
    ],
)
def test_a_workspace_that_cannot_be_read_is_named_with_the_remedy(
    error: RolloutError, remedy: str
) -> None:
    report = seen(a_well_world(), failing={"visit": error})

    assert not report.well
    found = the("workspace w", report)
    assert (found.condition, found.told) == (Condition.FAILED, str(error))
    assert remedy in found.remedy
    assert "rights on w" not in conditions(report)


@pytest.mark.parametrize(
    ("ahead", "condition", "told"),
    [
        (timedelta(seconds=29), Condition.OK, "within 30 s"),
        (timedelta(seconds=40), Condition.WARNING, "40 s ahead of Azure's"),
        (timedelta(seconds=-40), Condition.WARNING, "40 s behind Azure's"),
        (timedelta(minutes=3), Condition.FAILED, "180 s ahead of Azure's"),
        (None, Condition.NOT_CHECKED, "does not tell the time"),
    ],
)
def test_a_clock_that_is_wrong_is_told(
    ahead: timedelta | None, condition: Condition, told: str
) -> None:
    found = the("clock", seen(a_well_world(), ahead=ahead))

    assert found.condition is condition
    assert told in found.told


@pytest.mark.parametrize(
    ("lacking", "condition", "role"),
    [
        ([WRITE, SCALE], Condition.FAILED, "AzureML Data Scientist"),
        ([METRICS], Condition.FAILED, "Monitoring Reader"),
        ([SCALE], Condition.WARNING, "AzureML Data Scientist"),
    ],
)
def test_rights_that_are_missing_are_named_with_the_role_that_has_them(
    lacking: list[Lack], condition: Condition, role: str
) -> None:
    found = the("rights on w", seen(a_well_world(), lacking=lacking))

    assert found.condition is condition
    assert all(f"{one.action} ({one.purpose})" in found.told for one in lacking)
    assert f'--role "{role}"' in found.remedy


def test_rights_that_azure_does_not_tell_are_not_guessed() -> None:
    report = seen(a_well_world(), failing={"lacks": Unknown("404")})

    assert report.well
    assert the("rights on w", report).condition is Condition.NOT_CHECKED


def test_endpoints_that_cannot_be_listed_are_told() -> None:
    report = seen(a_well_world(), failing={"endpoints": Refused("403")})

    assert the("endpoints of w", report).condition is Condition.FAILED
    assert "metrics of w/churn" not in conditions(report)


def test_a_workspace_without_endpoints_and_one_with_too_many() -> None:
    many = [CHURN.model_copy(update={"name": f"e{number}"}) for number in range(23)]

    none = the("endpoints of w", seen(a_well_world(), found=()))
    found = seen(a_well_world(), found=many)

    assert none.condition is Condition.WARNING
    assert "and 3 more" in the("endpoints of w", found).told
    assert sum(part.startswith("metrics of") for part in conditions(found)) == 20


def test_silent_metrics_are_a_warning_and_broken_ones_a_failure() -> None:
    silent, refused = a_well_world(), a_well_world()
    silent.azure.faults.silent = (NOON - timedelta(hours=3), NOON + timedelta(hours=1))
    refused.azure.faults.metrics_refused = True

    quiet = the("metrics of w/churn", seen(silent))
    broken = the("metrics of w/churn", seen(refused))

    assert quiet.condition is Condition.WARNING
    assert "az monitor metrics list" in quiet.remedy
    assert (broken.condition, broken.told) == (Condition.FAILED, "403 Monitoring Reader is missing")


# -- at home ---------------------------------------------------------------------------------


def test_a_store_that_does_not_answer_is_told_and_the_rest_is_still_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = a_well_world()

    def down(*_: object) -> Any:
        raise Unavailable("the table is not there")

    monkeypatch.setattr(world.store, "save", down)
    report = seen(world)

    assert the("store", report).condition is Condition.FAILED
    assert the("store", report).told == "the table is not there"
    assert the("queue", report).condition is Condition.OK


def test_two_doctors_at_once_are_no_illness(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_well_world()

    def taken(*_: object) -> Any:
        raise Conflict("another worker wrote first")

    monkeypatch.setattr(world.store, "save", taken)

    assert the("store", seen(world)).condition is Condition.OK


@pytest.mark.parametrize("looked_before", [False, True])
def test_a_store_that_forgets_is_told(looked_before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_well_world()
    if looked_before:
        seen(world)
        world.clock.advance(timedelta(minutes=1))
    monkeypatch.setattr(world.store, "save", lambda held, *_: held)

    found = the("store", seen(world))

    assert (found.condition, found.told) == (
        Condition.FAILED,
        "a row that was written is not read back",
    )


def test_a_queue_that_takes_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_well_world()

    def down(_: object) -> None:
        raise Unavailable("no connection to the namespace")

    monkeypatch.setattr(world.queue, "send", down)

    found = the("queue", seen(world))
    assert (found.condition, found.told) == (Condition.FAILED, "no connection to the namespace")


def test_dead_letters_are_a_warning() -> None:
    world = a_well_world()
    world.queue.deliveries_max = 1
    world.queue.send(Message(STEPS_QUEUE, "s", "m", b""))
    delivery = world.queue.receive(STEPS_QUEUE, NOON, timedelta(minutes=1))
    assert delivery
    world.queue.abandon(delivery, "no JSON")

    report = seen(world)

    assert report.well
    assert the("dead letters", report).told == "1, the oldest of 2026-03-02 12:00 UTC: no JSON"


def _has_not_swept(world: World) -> None:
    assert isinstance(world.store, FakeStore)
    world.store.heads.clear()


def _swept_long_ago(world: World) -> None:
    world.clock.advance(timedelta(minutes=6))


@pytest.mark.parametrize(
    ("done", "condition", "told"),
    [
        (_has_not_swept, Condition.WARNING, "has not run yet"),
        (_swept_long_ago, Condition.FAILED, "ran 360 s ago: 0 late"),
    ],
)
def test_a_sweep_that_does_not_run_is_told(
    done: Callable[[World], None], condition: Condition, told: str
) -> None:
    world = a_well_world()
    done(world)

    found = the("sweep", seen(world))

    assert found.condition is condition
    assert told in found.told


def test_a_step_that_nobody_takes_is_told() -> None:
    world = a_well_world()
    world.start()
    world.clock.advance(timedelta(minutes=3))
    world.engine.sweep()

    found = the("steps", seen(world))

    assert found.condition is Condition.FAILED
    assert found.told.startswith("1 are late, w/churn by 1")
    assert "rollout get w/churn" in found.remedy
    assert the("sweep", seen(world)).told == "ran 0 s ago: 1 late"


@pytest.mark.parametrize("minutes", [-0.1, 1])
def test_a_step_that_is_due_or_has_just_been_is_not_late(minutes: float) -> None:
    world = a_well_world()
    world.start()
    assert world.head.due_at is not None
    world.clock.time = world.head.due_at + timedelta(minutes=minutes)

    assert the("steps", seen(world)).condition is Condition.OK


def test_a_broken_policy_fails_and_none_at_all_is_a_warning() -> None:
    world = a_well_world()

    class Files:
        files: tuple[PolicyFile, ...] = ()

        def __getattr__(self, name: str) -> Any:
            return lambda: self.files

    none, files = Files(), Files()
    files.files = (
        PolicyFile("bad", "stagse: []"),
        PolicyFile("churn", world.policies.text),
        PolicyFile("keys", ROTATION),
    )

    empty: Any = a_doctor(world, none).examine()
    broken = the("policies", a_doctor(world, files).examine())

    assert the("policies", empty).condition is Condition.WARNING
    assert "keys: " not in broken.told
    assert broken.condition is Condition.FAILED
    assert broken.told.startswith("bad: ")
    assert "churn" not in broken.told


def test_an_alert_that_never_came_is_not_called_well() -> None:
    world = World()

    found = the("alerts", seen(world))

    assert found.condition is Condition.NOT_CHECKED
    assert "Action groups" in found.remedy


# -- the sweep's mark ------------------------------------------------------------------------


def test_a_sweep_goes_on_where_its_mark_cannot_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.start()
    world.queue.rows.clear()
    world.clock.advance(timedelta(minutes=1))

    def down(*_: object) -> Any:
        raise Unavailable("the table is not there")

    monkeypatch.setattr(world.store, "save", down)

    assert world.engine.sweep() == 1
    assert world.queue.rows


def test_a_mark_is_the_last_one_and_short() -> None:
    world = World()

    marks.note(world.store, "alert", NOON, "first")
    marks.note(world.store, "alert", NOON + timedelta(hours=1), "x" * 900)

    found = marks.recall(world.store, "alert")
    assert found == marks.Mark(NOON + timedelta(hours=1), "x" * 200)
    assert marks.recall(world.store, "sweep") is None


def test_logs_that_are_configured_are_looked_at_like_metrics() -> None:
    world = a_well_world()
    doctor = a_doctor(world)
    logs = SimulatedMetrics(world.azure, source="logs")
    platform = type(doctor.platform)(
        access=doctor.platform.access,
        clock=world.clock,
        metrics=(*doctor.platform.metrics, logs),
        workspaces=doctor.platform.workspaces,
        assignee="x",
    )

    report = Doctor(doctor.house, platform, doctor.vault).examine()

    assert conditions(report)["logs of w/churn"] == "ok"
    world.azure.faults.metrics_refused = True
    broken = the("logs of w/churn", Doctor(doctor.house, platform, doctor.vault).examine())
    assert "az monitor diagnostic-settings list" in broken.remedy
    assert "logs" not in conditions(report)


# -- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "condition", "told"),
    [
        ("", Condition.OK, "the settings name every place"),
        ("notify: [{teams: room}]", Condition.WARNING, "churn: notify[0]: the settings know no"),
        ("hooks: [{confirm: gate}]", Condition.FAILED, "churn: hooks[0].confirm: the settings"),
    ],
)
def test_a_place_that_the_settings_do_not_name_is_found_before_it_is_needed(
    more: str, condition: Condition, told: str
) -> None:
    world = a_well_world()
    world.policies.text = f"{world.policies.text}\n{more}\n"
    doctor = a_doctor(world)
    house = replace(doctor.house, missing=Targets().missing)

    found = the("places", replace(doctor, house=house).examine())

    assert found.condition is condition
    assert found.told.startswith(told)
    assert ("ROLLOUT_NOTIFY" in found.remedy) is (condition is not Condition.OK)
