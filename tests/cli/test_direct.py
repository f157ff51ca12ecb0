"""The way back without a controller: asked for until Azure shows it, and never the wrong one."""

from collections import deque
from pathlib import Path

import pytest

from rollout.cli.direct import AtAzure, WentBack, give_back
from rollout.cli.endings import Exit, Failure
from rollout.cli.session import Session
from rollout.core.endpoint import EndpointId, EndpointView, Provisioning
from rollout.core.traffic import Traffic
from rollout.core.way_back import AbortedAtAzure, WayBack
from rollout.errors import Refused, RolloutError, Unavailable
from tests.builders import BLUE, a_view, an_endpoint, split

LEFT = WayBack(rollout_id="churn-1", canary="green", traffic=BLUE)
FOUND = a_view(split(25), way_back=LEFT)
UNDER_WAY = a_view(split(25), state=Provisioning.UPDATING)
MARK = AbortedAtAzure(rollout_id="churn-1", who="anna", why="night")

Answer = EndpointView | RolloutError


class FakeAzure:
    """Shows one view after the other, or raises; what it is asked to write is kept."""

    def __init__(self, *shown: Answer) -> None:
        self.shown = deque(shown)
        self.written = list[tuple[Traffic, AbortedAtAzure | None]]()

    def read(self, endpoint: EndpointId) -> EndpointView:
        assert endpoint == an_endpoint()
        one = self.shown.popleft()
        if isinstance(one, RolloutError):
            raise one
        return one

    def give_back(
        self, endpoint: EndpointId, traffic: Traffic, mark: AbortedAtAzure | None
    ) -> None:
        assert endpoint == an_endpoint()
        self.written.append((traffic, mark))


def gone_back(azure: AtAzure, slept: list[float], to: str | None = None) -> WentBack:
    def serve(**_: object) -> None:
        raise AssertionError

    session = Session(environment={}, serve=serve, folder=Path(), sleep=slept.append)
    return give_back(azure, session, an_endpoint(), to, "anna", "night")


def test_it_is_done_when_a_read_shows_it() -> None:
    azure, slept = FakeAzure(FOUND, UNDER_WAY, UNDER_WAY, a_view(BLUE)), list[float]()

    done = gone_back(azure, slept)

    assert (done.found, done.now, done.rollout_id) == (FOUND.traffic, BLUE, "churn-1")
    assert azure.written == [(BLUE, MARK)]
    assert slept == [5.0, 5.0]


def test_what_lands_otherwise_is_asked_for_again() -> None:
    azure = FakeAzure(FOUND, a_view(split(50)), a_view(BLUE))

    assert gone_back(azure, []).now == BLUE
    assert azure.written == [(BLUE, MARK)] * 2


def test_a_busy_azure_is_asked_again_and_said_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    busy, slept = Unavailable("429 TooManyRequests"), list[float]()

    gone_back(FakeAzure(busy, busy, busy, busy, FOUND, a_view(BLUE)), slept)

    assert slept == [1.0, 2.0, 5.0, 5.0]
    assert capsys.readouterr().err == (
        "asking again, Ctrl-C ends it: 429 TooManyRequests\n"
        "ml/churn: blue 75 %, green 25 % → blue 100 %\n"
    )


def test_the_deployment_on_trial_does_not_get_everything() -> None:
    azure = FakeAzure(FOUND)

    with pytest.raises(Failure, match="green is the deployment on trial"):
        gone_back(azure, [], to="green")
    assert azure.written == []


def test_what_azure_refuses_names_a_command_for_other_rights() -> None:
    with pytest.raises(Failure, match="403") as refused:
        gone_back(FakeAzure(Refused("403 no right to read")), [])

    assert refused.value.exit_code == Exit.UNREACHABLE
    assert refused.value.remedy.startswith("with other rights: az ml online-endpoint update")
