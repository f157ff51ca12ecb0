"""The ports against the emulator over HTTP, with real scoring processes."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.azure.arm import ArmEndpoints, WriteVerb
from rollout.adapters.azure.identity import EmulatorCredential
from rollout.adapters.azure.monitor import MonitorMetrics
from rollout.adapters.azure.pipeline import ArmClient
from rollout.adapters.azure.scoring import HttpScoring
from rollout.core.creation import CreateWish
from rollout.core.deployment_file import render
from rollout.core.endpoint import EndpointId, Provisioning, WorkspaceId
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack
from rollout.errors import Refused, Unavailable, Unknown
from rollout.ports import Accepted, OperationStatus, OtherMap
from tests.emulator.running import EmulatorHandle, eventually, running_emulator

pytestmark = pytest.mark.journey

MINUTE = timedelta(seconds=2)
PATIENCE_SECONDS = 30.0
BLUE, GREEN = "digits-v1", "digits-v2"
ALL_BLUE = Traffic.all_to(BLUE)
SPLIT = Traffic(live={BLUE: 80, GREEN: 20})
MIRRORED = ALL_BLUE.mirrored_to(GREEN, 50)
SCRIPT = """
import json


def init():
    pass


def run(data):
    if json.loads(data).get("fail"):
        raise ValueError("as asked")
    return "{name}"
"""


class Team:
    """What the endpoint's owners do, and what they see."""

    def __init__(self, arm: ArmClient, emulator: EmulatorHandle, code: Path) -> None:
        self.endpoints = ArmEndpoints(arm)
        self.emulator = emulator
        self.workspace = WorkspaceId.parse(emulator.workspace_id)
        self._code = code

    def deploy(self, endpoint: EndpointId, name: str) -> None:
        folder = self._code / name
        folder.mkdir(exist_ok=True)
        (folder / "score.py").write_text(SCRIPT.replace("{name}", name))
        settings = {"maxConcurrentRequestsPerInstance": 8}
        self.emulator.deploy(endpoint.name, name, folder, requestSettings=settings)

    def document(self, endpoint: EndpointId) -> Any:
        return self.emulator.arm("GET", f"/onlineEndpoints/{endpoint.name}").json()

    def shift(self, endpoint: EndpointId, traffic: Traffic) -> None:
        """Ask until it is shown."""
        self.until(lambda: self.endpoints.read(endpoint).state.settled)
        self.endpoints.set_traffic(endpoint, traffic, None, bool)
        self.until(lambda: self.shows(endpoint, traffic))

    def shows(self, endpoint: EndpointId, traffic: Traffic) -> bool:
        view = self.endpoints.read(endpoint)
        return view.state.settled and view.traffic == traffic

    def until(self, seen: Callable[[], bool]) -> None:
        eventually(seen, PATIENCE_SECONDS)

    @contextmanager
    def switched(self, **switches: object) -> Iterator[None]:
        """Azure has those habits for a while."""
        before = self.emulator.own("switches")
        self.emulator.switch(**switches)
        try:
            yield
        finally:
            self.emulator.switch(**before)


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorHandle]:
    with running_emulator("--grain-seconds", f"{MINUTE.total_seconds()}") as running:
        yield running


@pytest.fixture(scope="module")
def arm(emulator: EmulatorHandle) -> Iterator[ArmClient]:
    client = ArmClient(emulator.url, EmulatorCredential())
    yield client
    client.close()


@pytest.fixture(scope="module")
def scoring(arm: ArmClient) -> Iterator[HttpScoring]:
    adapter = HttpScoring(arm)
    yield adapter
    adapter.close()


@pytest.fixture(scope="module")
def team(
    emulator: EmulatorHandle, arm: ArmClient, tmp_path_factory: pytest.TempPathFactory
) -> Team:
    return Team(arm, emulator, tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def digits(team: Team) -> EndpointId:
    """An endpoint with tags, an identity and two deployments; the first has all traffic."""
    body = {
        "location": team.emulator.location,
        "tags": {"team": "digits"},
        "identity": {"type": "SystemAssigned"},
        "properties": {"authMode": "Key", "description": "reads digits"},
    }
    team.emulator.done(team.emulator.arm("PUT", "/onlineEndpoints/Digits", body))
    endpoint = team.workspace.endpoint("Digits")
    for deployment in (BLUE, GREEN):
        team.deploy(endpoint, deployment)
    return endpoint


@pytest.fixture(autouse=True)
def _as_at_first(team: Team, digits: EndpointId) -> None:
    team.shift(digits, ALL_BLUE)


def test_an_endpoint_is_read_with_its_deployments(team: Team, digits: EndpointId) -> None:
    view = team.endpoints.read(digits)

    assert (view.id, view.state, view.traffic) == (digits, Provisioning.SUCCEEDED, ALL_BLUE)
    assert view.managed
    assert set(view.deployments) == {BLUE, GREEN}
    assert (view.deployments[BLUE].instances, view.deployments[BLUE].concurrency) == (1, 8)
    assert view.deployments[BLUE].fingerprint != view.deployments[GREEN].fingerprint


def test_an_endpoint_that_is_not_there_is_unknown(team: Team) -> None:
    with pytest.raises(Unknown, match="nothing-here"):
        team.endpoints.read(team.workspace.endpoint("nothing-here"))


@pytest.mark.parametrize("verb", WriteVerb)
def test_traffic_is_set_and_seen_and_the_rest_stays(
    team: Team, arm: ArmClient, digits: EndpointId, verb: WriteVerb
) -> None:
    before = team.document(digits)

    endpoints = ArmEndpoints(arm, verb)
    accepted = endpoints.set_traffic(digits, SPLIT, ALL_BLUE, lambda: True)

    assert isinstance(accepted, Accepted)
    assert accepted.operation
    assert endpoints.operation(accepted.operation) == OperationStatus(running=True)
    team.until(lambda: team.shows(digits, SPLIT))
    assert endpoints.operation(accepted.operation) == OperationStatus(running=False)
    assert endpoints.set_traffic(digits, SPLIT, ALL_BLUE, lambda: True) == Accepted(None)
    after = team.document(digits)
    kept = "location", "kind", "tags", "identity"
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["properties"]["description"] == "reads digits"


def test_a_foreign_map_is_not_overwritten(team: Team, digits: EndpointId) -> None:
    answer = team.endpoints.set_traffic(digits, ALL_BLUE.mirrored_to(GREEN, 5), SPLIT, bool)

    assert answer == OtherMap(ALL_BLUE)


@pytest.mark.parametrize("verb", WriteVerb)
def test_a_mirror_is_set_and_cleared(
    team: Team, arm: ArmClient, digits: EndpointId, verb: WriteVerb
) -> None:
    for before, after in ((ALL_BLUE, MIRRORED), (MIRRORED, ALL_BLUE)):
        ArmEndpoints(arm, verb).set_traffic(digits, after, before, lambda: True)
        team.until(lambda wanted=after: team.shows(digits, wanted))  # type: ignore[misc]


@pytest.mark.parametrize("merges", [False, True])
def test_the_preview_patch_goes_there_and_back_however_the_maps_are_taken(
    team: Team, arm: ArmClient, digits: EndpointId, merges: bool
) -> None:
    patching = ArmEndpoints(arm, WriteVerb.PATCH_PREVIEW)
    with team.switched(patch_merges=merges):
        for before, after in pairwise((ALL_BLUE, MIRRORED, ALL_BLUE, SPLIT, ALL_BLUE)):
            patching.set_traffic(digits, after, before, lambda: True)
            team.until(lambda wanted=after: team.shows(digits, wanted))  # type: ignore[misc]


def test_a_full_set_of_tags_keeps_no_traffic_where_it_is(team: Team) -> None:
    tags = {f"tag-{number}": "x" for number in range(49)}
    body = {"location": team.emulator.location, "properties": {"authMode": "Key"}, "tags": tags}
    team.emulator.done(team.emulator.arm("PUT", "/onlineEndpoints/tagged", body))
    tagged = team.workspace.endpoint("tagged")
    for deployment in (BLUE, GREEN):
        team.deploy(tagged, deployment)
    team.shift(tagged, ALL_BLUE)
    way_back = WayBack(rollout_id="churn-1", canary=GREEN, traffic=ALL_BLUE)

    team.endpoints.set_traffic(tagged, SPLIT, ALL_BLUE, lambda: True, way_back)
    team.until(lambda: team.shows(tagged, SPLIT))
    left = team.endpoints.read(tagged).way_back
    team.endpoints.give_back(tagged, ALL_BLUE, AbortedAtAzure(rollout_id="churn-1", who="anna"))
    team.until(lambda: team.shows(tagged, ALL_BLUE))

    seen = team.endpoints.read(tagged)
    assert left == way_back
    assert (seen.way_back, seen.aborted and seen.aborted.who) == (None, "anna")


def test_a_busy_endpoint_says_later_to_both_ways(team: Team, digits: EndpointId) -> None:
    with team.switched(operation_seconds=3):
        team.endpoints.set_traffic(digits, SPLIT, ALL_BLUE, lambda: True)

        with pytest.raises(Unavailable, match="Updating"):
            team.endpoints.set_traffic(digits, MIRRORED, ALL_BLUE, lambda: True)
        with pytest.raises(Unavailable, match="409") as caught:
            team.endpoints.set_traffic(digits, MIRRORED, None, bool)

    assert caught.value.after == timedelta(seconds=1)


def test_a_stale_read_shows_the_old_map_after_the_success(team: Team, digits: EndpointId) -> None:
    with team.switched(stale_read_seconds=1):
        accepted = team.endpoints.set_traffic(digits, SPLIT, ALL_BLUE, lambda: True)
        assert isinstance(accepted, Accepted)
        url = accepted.operation or ""
        team.until(lambda: not team.endpoints.operation(url).running)

        assert team.endpoints.read(digits).traffic == ALL_BLUE
        team.until(lambda: team.shows(digits, SPLIT))


def test_an_operation_that_is_lost_is_neither_running_nor_failed(
    team: Team, digits: EndpointId
) -> None:
    with team.switched(lost_operation_status=True):
        accepted = team.endpoints.set_traffic(digits, SPLIT, ALL_BLUE, lambda: True)
        assert isinstance(accepted, Accepted)

        status = team.endpoints.operation(accepted.operation or "")

    assert status == OperationStatus(running=False)


def test_an_operation_that_failed_says_why(team: Team, digits: EndpointId) -> None:
    with team.switched(failing_operations=True):
        accepted = team.endpoints.set_traffic(digits, SPLIT, ALL_BLUE, lambda: True)
        assert isinstance(accepted, Accepted)
        url = accepted.operation or ""
        team.until(lambda: not team.endpoints.operation(url).running)

        failure = team.endpoints.operation(url).failure

    assert failure
    assert failure.startswith("InternalServerError: ")


@pytest.mark.parametrize(("status", "said"), [(400, "BadArgument"), (403, "onlineEndpoints/write")])
def test_a_refused_write_is_refused(team: Team, digits: EndpointId, status: int, said: str) -> None:
    with (
        team.switched(refuse_writes=status),
        pytest.raises(Refused, match=said),
    ):
        team.endpoints.set_traffic(digits, SPLIT, ALL_BLUE, lambda: True)


@pytest.mark.parametrize("switch", [{"throttle_rate": 1.0}, {"arm_down": True}])
def test_an_arm_that_is_down_or_throttles_is_unavailable(
    team: Team, digits: EndpointId, switch: dict[str, Any]
) -> None:
    with team.switched(**switch), pytest.raises(Unavailable):
        team.endpoints.read(digits)


def test_a_claim_is_read_back_and_keeps_the_tags(team: Team, digits: EndpointId) -> None:
    team.endpoints.claim(digits, "prod")

    team.until(lambda: team.endpoints.read(digits).owner == "prod")
    assert team.document(digits)["tags"] == {"team": "digits", "rollout-owner": "prod"}
    assert team.endpoints.read(digits).traffic == ALL_BLUE


def test_a_deployment_is_scaled_and_keeps_its_fingerprint(team: Team, digits: EndpointId) -> None:
    before = team.endpoints.read(digits).deployments[GREEN]

    team.endpoints.scale(digits, GREEN, 2)

    team.until(lambda: team.endpoints.read(digits).deployments[GREEN].instances == 2)
    assert team.endpoints.read(digits).deployments[GREEN].fingerprint == before.fingerprint


def test_a_deployment_without_traffic_is_deleted_once(team: Team, digits: EndpointId) -> None:
    team.deploy(digits, "digits-v3")

    with pytest.raises(Refused):
        team.endpoints.delete(digits, BLUE)
    team.endpoints.delete(digits, "digits-v3")

    team.until(lambda: set(team.endpoints.read(digits).deployments) == {BLUE, GREEN})
    team.until(lambda: team.endpoints.delete(digits, "digits-v3") == Accepted(None))


def test_a_request_reaches_the_named_deployment_alone(
    digits: EndpointId, scoring: HttpScoring
) -> None:
    good = scoring.score(digits, GREEN, b"{}")
    bad = scoring.score(digits, GREEN, b'{"fail": true}')
    lost = scoring.score(digits, "digits-v9", b"{}")

    assert (good.status, good.body) == (200, f'"{GREEN}"'.encode())
    assert (bad.status, bad.reason) == (424, "500 model_error")
    assert lost.status == 404


def test_real_requests_are_counted_by_minute_deployment_and_status(
    team: Team, arm: ArmClient, digits: EndpointId, scoring: HttpScoring
) -> None:
    since, metrics = datetime.now(UTC), MonitorMetrics(arm, MINUTE)
    team.until(lambda: datetime.now(UTC) > since + MINUTE)  # no earlier request is in what is read
    wanted = {(BLUE, 200): 7, (GREEN, 200): 3, (GREEN, 424): 2}
    for (deployment, status), number in wanted.items():
        body = b"{}" if status == 200 else b'{"fail": true}'
        for _ in range(number):
            assert scoring.score(digits, deployment, body).status == status

    def counted() -> Counter[tuple[str, int]]:
        found: Counter[tuple[str, int]] = Counter()
        for arms in metrics.read(digits, since, datetime.now(UTC)).values():
            for name, counts in arms.items():
                found.update({(name, code): count for code, count in counts.statuses.items()})
                assert not counts.requests or counts.latency
        return found

    team.until(lambda: counted().total() >= sum(wanted.values()))
    assert counted() == wanted


def test_metrics_that_are_down_are_unavailable(
    team: Team, arm: ArmClient, digits: EndpointId
) -> None:
    now = datetime.now(UTC)
    with team.switched(metrics_down=True), pytest.raises(Unavailable):
        MonitorMetrics(arm, MINUTE).read(digits, now - 3 * MINUTE, now)


def test_a_copy_is_counted_under_its_target(team: Team, arm: ArmClient, digits: EndpointId) -> None:
    team.shift(digits, MIRRORED)
    since = datetime.now(UTC)

    for _ in range(20):
        assert team.emulator.score(digits.name, {}).status_code == 200

    def copies() -> int:
        minutes = MonitorMetrics(arm, MINUTE).read(digits, since - MINUTE, datetime.now(UTC))
        return sum(arms[GREEN].requests for arms in minutes.values() if GREEN in arms)

    team.until(lambda: copies() > 0)


def test_a_deployment_is_created_from_a_template_once(
    team: Team, digits: EndpointId, tmp_path: Path
) -> None:
    (tmp_path / "score.py").write_text(SCRIPT.replace("{name}", "teal"))
    code = {"properties": {"codeUri": tmp_path.as_uri()}}
    team.emulator.arm("PUT", "/codes/teal/versions/1", code)
    model = {"properties": {"modelUri": tmp_path.as_uri()}}
    team.emulator.arm("PUT", "/models/digits/versions/7", model)
    template = (
        "model: azureml:digits:{model_version}\ncode_configuration:"
        " {code: 'azureml:teal:1', scoring_script: score.py}\ninstance_count: 1\n"
    )
    wishes = [CreateWish(template="t", values={"model_version": number}) for number in "78"]
    creations = [render(template, wish, team.workspace) for wish in wishes]
    team.until(lambda: team.endpoints.read(digits).state.settled)

    asked = team.endpoints.create(digits, "teal", creations[0])
    again = team.endpoints.create(digits, "teal", creations[0])
    with pytest.raises(Refused, match="has a deployment teal already"):
        team.endpoints.create(digits, "teal", creations[1])
    team.until(lambda: _teal(team, digits) is Provisioning.SUCCEEDED)
    team.endpoints.delete(digits, "teal")
    team.until(lambda: _teal(team, digits) is None)

    assert (asked.operation is not None, again) == (True, Accepted(None))


def _teal(team: Team, endpoint: EndpointId) -> Provisioning | None:
    found = team.endpoints.read(endpoint).deployments.get("teal")
    return found.state if found else None
