"""A small function app on the host of one machine, over real HTTP and a real queue."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
import requests

from rollout.adapters.clock import SystemClock
from rollout.adapters.sqlite.queue import Delivery, SqliteQueue
from rollout.errors import Malformed, Unavailable
from rollout.host import Host, HostSettings
from rollout.host.timers import next_time
from rollout.ports import Message

ROOT = Path(__file__).parents[2]
DEADLINE = 20
SETTINGS = HostSettings(names={"STEPS": "steps"})


def eventually(condition: Callable[[], bool]) -> None:
    tick, ticks = threading.Event(), DEADLINE * 100
    while not condition():
        ticks -= 1
        assert ticks, "it did not come to be"
        tick.wait(0.01)


@dataclass
class Gate:
    """Tells that somebody came, and lets nobody on before it is opened."""

    came: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.came.set()
        assert self.opened.wait(DEADLINE)


@dataclass
class Small:
    """An app of a few functions, which note what they are given."""

    app: func.FunctionApp = field(
        default_factory=lambda: func.FunctionApp(func.AuthLevel.ANONYMOUS)
    )
    messages: "queue.Queue[func.ServiceBusMessage]" = field(default_factory=queue.Queue)
    ticks: "queue.Queue[bool]" = field(default_factory=queue.Queue)
    gate: Gate = field(default_factory=Gate)
    on_message: Callable[[func.ServiceBusMessage], None] = lambda _: None
    schedule: str = "0 * * * * *"

    def __post_init__(self) -> None:
        app = self.app

        @app.route("things/{name}", methods=["GET", "POST"])
        def things(req: func.HttpRequest) -> func.HttpResponse:
            told = [
                req.method,
                req.route_params["name"],
                req.params.get("q"),
                req.get_body().decode(),
            ]
            return func.HttpResponse(
                str(told), status_code=201, headers={"X-Was": req.headers["x-is"]}
            )

        @app.route("things/special", methods=["GET"])
        def special(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse(b"{}", headers={"Content-Type": "application/problem+json"})

        @app.route("gate", methods=["GET"])
        def gate(req: func.HttpRequest) -> func.HttpResponse:
            self.gate()
            return func.HttpResponse("passed")

        @app.route("broken", methods=["GET"])
        def broken(req: func.HttpRequest) -> func.HttpResponse:
            raise ValueError("a secret")

        @app.service_bus_queue_trigger(
            arg_name="message", queue_name="%STEPS%", connection="BUS", is_sessions_enabled=True
        )
        def step(message: func.ServiceBusMessage) -> None:
            self.messages.put(message)
            self.on_message(message)

        @app.timer_trigger(arg_name="timer", schedule=self.schedule)
        def tick(timer: func.TimerRequest) -> None:
            self.ticks.put(timer.past_due)


@dataclass
class Running:
    url: str
    host: Host
    thread: threading.Thread

    def ask(self, path: str, method: str = "GET", **given: Any) -> requests.Response:
        return requests.request(method, f"{self.url}/api/{path}", timeout=DEADLINE, **given)

    def refuses(self) -> bool:
        try:
            requests.get(f"{self.url}/api/things/special", timeout=1)
        except requests.ConnectionError:
            return True
        except requests.Timeout:  # taken on just before the end, and not answered
            pass
        return False

    def join(self) -> None:
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()


@contextmanager
def running(
    small: Small, bus: SqliteQueue, clock: SystemClock, settings: HostSettings = SETTINGS
) -> Iterator[Running]:
    urls: queue.Queue[str] = queue.Queue()
    host = Host(small.app, bus, clock, settings)
    thread = threading.Thread(target=host.run, args=(0, urls.put))
    thread.start()
    try:
        yield Running(urls.get(timeout=DEADLINE), host, thread)
    finally:
        small.gate.opened.set()
        host.stop()
        thread.join(DEADLINE)
    assert not thread.is_alive()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def bus(tmp_path: Path, clock: SystemClock) -> Iterator[SqliteQueue]:
    opened = SqliteQueue(tmp_path / "queue.db", clock)
    yield opened
    opened.close()


def a_message(name: str, session: str = "churn", not_before: datetime | None = None) -> Message:
    return Message("steps", session, name, name.encode(), not_before)


# -- HTTP ----------------------------------------------------------------------------------------


def test_a_function_is_asked_over_http(bus: SqliteQueue, clock: SystemClock) -> None:
    with running(Small(), bus, clock) as host:
        answer = host.ask("things/a%20b?q=1", "POST", data="ü".encode(), headers={"X-Is": "so"})

    assert host.url.startswith("http://127.0.0.1:")
    assert (answer.status_code, answer.text) == (201, "['POST', 'a b', '1', 'ü']")
    assert answer.headers["X-Was"] == "so"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_what_is_written_out_goes_before_what_is_a_parameter(
    bus: SqliteQueue, clock: SystemClock
) -> None:
    with running(Small(), bus, clock) as host:
        answer = host.ask("things/special")

    assert (answer.text, answer.headers["Content-Type"]) == ("{}", "application/problem+json")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": "["}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:9000", "Origin": "http://localhost:9000"}, 200),
        ({"Host": "[::1]:9000"}, 200),
    ],
)
def test_a_foreign_page_is_turned_away(
    bus: SqliteQueue, clock: SystemClock, headers: dict[str, str], status: int
) -> None:
    with running(Small(), bus, clock) as host:
        answer = host.ask("things/special", headers=headers)

    assert answer.status_code == status
    if status == 403:
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json()["status"] == 403


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("GET", "nothing", b"", 404),
        ("DELETE", "things/a", b"", 405),
        ("POST", "things/a", b"x" * 1_100_000, 413),
        ("GET", "broken", b"", 500),
    ],
)
def test_what_the_server_says_no_to_is_a_problem(
    bus: SqliteQueue, clock: SystemClock, method: str, path: str, data: bytes, status: int
) -> None:
    with running(Small(), bus, clock) as host:
        answer = host.ask(path, method, data=data, headers={"X-Is": ""})

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert "secret" not in answer.text


# -- the queue -----------------------------------------------------------------------------------


def test_a_message_is_delivered_and_done(bus: SqliteQueue, clock: SystemClock) -> None:
    small = Small()
    with running(small, bus, clock):
        bus.send(a_message("one"))
        got = small.messages.get(timeout=DEADLINE)
        eventually(lambda: bus.next_due("steps") is None)

    assert (got.get_body(), got.message_id) == (b"one", "one")
    assert (got.session_id, got.delivery_count) == ("churn", 1)
    assert small.messages.empty()


def test_a_scheduled_message_comes_at_its_time(bus: SqliteQueue, clock: SystemClock) -> None:
    came: queue.Queue[datetime] = queue.Queue()
    small = Small(on_message=lambda _: came.put(clock.now()))
    with running(small, bus, clock):
        due = clock.now() + timedelta(milliseconds=300)
        bus.send(a_message("later", not_before=due))
        at = came.get(timeout=DEADLINE)

    assert at >= due


def test_a_message_that_fails_comes_again_until_it_is_dead(
    bus: SqliteQueue, clock: SystemClock
) -> None:
    def fail(_message: func.ServiceBusMessage) -> None:
        raise ValueError("never")

    small = Small(on_message=fail)
    with running(small, bus, clock):
        bus.send(a_message("bad"))
        eventually(lambda: len(bus.dead_letters()) == 1)

    (letter,) = bus.dead_letters()
    assert (letter.reason, letter.deliveries) == ("ValueError: never", 10)
    assert [small.messages.get().delivery_count for _ in range(10)] == list(range(1, 11))


def test_sessions_go_on_at_once_and_each_in_order(bus: SqliteQueue, clock: SystemClock) -> None:
    both = threading.Barrier(2)
    inside: list[str] = []
    met: queue.Queue[tuple[str, ...]] = queue.Queue()

    def meet(message: func.ServiceBusMessage) -> None:
        inside.append(str(message.session_id))
        both.wait(DEADLINE)
        met.put(tuple(inside))
        both.wait(DEADLINE)
        inside.remove(str(message.session_id))
        both.wait(DEADLINE)

    small = Small(on_message=meet)
    for number in (1, 2):
        bus.send(a_message(f"a{number}", "a"))
        bus.send(a_message(f"b{number}", "b"))
    with running(small, bus, clock):
        seen = [sorted(met.get(timeout=DEADLINE)) for _ in range(4)]
        eventually(lambda: bus.next_due("steps") is None)

    assert seen == [["a", "b"]] * 4
    names = [small.messages.get().message_id for _ in range(4)]
    assert [name for name in names if name.startswith("a")] == ["a1", "a2"]
    assert [name for name in names if name.startswith("b")] == ["b1", "b2"]


def test_a_message_is_held_for_as_long_as_its_function_runs(
    tmp_path: Path, clock: SystemClock
) -> None:
    small = Small()
    lease = timedelta(milliseconds=600)

    class Renewed(SqliteQueue):
        times = 0

        def renew(self, delivery: Delivery) -> Delivery:
            self.times += 1
            if self.times == 5:  # well beyond the first lease
                small.gate.opened.set()
            return super().renew(delivery)

    bus = Renewed(tmp_path / "queue.db", clock)
    small.on_message = lambda _: small.gate()
    with running(small, bus, clock, HostSettings(names={"STEPS": "steps"}, lease=lease)):
        bus.send(a_message("long"))
        eventually(lambda: bus.next_due("steps") is None)

    assert small.messages.qsize() == 1
    assert not bus.dead_letters()
    bus.close()


class Silent(SqliteQueue):
    """A queue that does not answer at first."""

    troubles = 3

    def next_due(self, queue: str) -> datetime | None:
        if self.troubles:
            self.troubles -= 1
            raise Unavailable("the disk is full")
        return super().next_due(queue)


def test_a_queue_that_does_not_answer_is_asked_again(tmp_path: Path, clock: SystemClock) -> None:
    bus = Silent(tmp_path / "queue.db", clock)
    small = Small()
    bus.send(a_message("one"))
    with running(small, bus, clock):
        assert small.messages.get(timeout=DEADLINE).message_id == "one"
    bus.close()


# -- timers --------------------------------------------------------------------------------------


def test_a_timer_runs_as_fast_as_the_clock(bus: SqliteQueue) -> None:
    small = Small()
    with running(small, bus, SystemClock(speed=600)):  # a policy minute is a tenth of a second
        ticks = [small.ticks.get(timeout=DEADLINE) for _ in range(3)]

    assert len(ticks) == 3


def test_a_timer_that_fails_runs_again(bus: SqliteQueue) -> None:
    app = func.FunctionApp(func.AuthLevel.ANONYMOUS)
    ran: queue.Queue[int] = queue.Queue()

    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    def failing(timer: func.TimerRequest) -> None:
        ran.put(1)
        raise ValueError

    with running(Small(app=app, schedule="0 0 0 1 1 *"), bus, SystemClock(speed=600)):
        assert [ran.get(timeout=DEADLINE) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize(
    ("schedule", "then"),
    [
        ("0 * * * * *", datetime(2026, 3, 2, 12, 1, tzinfo=UTC)),
        ("*/20 * * * * *", datetime(2026, 3, 2, 12, 0, 40, tzinfo=UTC)),
        ("30 5 13 * * *", datetime(2026, 3, 2, 13, 5, 30, tzinfo=UTC)),
        ("0 0 0 * * 0", datetime(2026, 3, 8, tzinfo=UTC)),
    ],
)
def test_a_schedule_has_six_fields_seconds_first(schedule: str, then: datetime) -> None:
    assert next_time(schedule, datetime(2026, 3, 2, 12, 0, 20, tzinfo=UTC)) == then


# -- the end -------------------------------------------------------------------------------------


def test_what_runs_is_finished_before_the_end(bus: SqliteQueue, clock: SystemClock) -> None:
    small, step = Small(), Gate()
    small.on_message = lambda _: step()
    answers: queue.Queue[requests.Response] = queue.Queue()
    with running(small, bus, clock) as host:
        bus.send(a_message("one"))
        assert step.came.wait(DEADLINE)
        asking = threading.Thread(target=lambda: answers.put(host.ask("gate")))
        asking.start()
        assert small.gate.came.wait(DEADLINE)

        host.host.stop()
        eventually(host.refuses)
        assert host.thread.is_alive()
        small.gate.opened.set()
        step.opened.set()

        assert answers.get(timeout=DEADLINE).text == "passed"
        host.join()
        asking.join(DEADLINE)
    assert bus.next_due("steps") is None


def test_a_stop_before_the_start_ends_it_at_once(bus: SqliteQueue, clock: SystemClock) -> None:
    host = Host(Small().app, bus, clock, SETTINGS)
    host.stop()

    host.run(0, lambda _: None)

    host.stop()


def test_a_busy_port_is_told(bus: SqliteQueue, clock: SystemClock) -> None:
    with running(Small(), bus, clock) as host:
        port = int(host.url.rpartition(":")[2])
        with pytest.raises(Unavailable, match=f"port {port} of 127.0.0.1"):
            Host(Small().app, bus, clock, SETTINGS).run(port, lambda _: None)


_SERVE = """
from rollout.host import serve
serve(port=0, on_ready=lambda url: print(url, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_our_own_functions_run_here_until_a_signal(tmp_path: Path, number: int) -> None:
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices"
    environment = {
        **os.environ,
        "ROLLOUT_API_TOKEN": "t",
        "ROLLOUT_WORKSPACES": f"{workspace}/workspaces/w",
        "ROLLOUT_ARM_URL": "http://127.0.0.1:9",
        "ROLLOUT_IDENTITY": "emulator",
        "ROLLOUT_DATA": str(tmp_path),
        "ROLLOUT_POLICIES": str(ROOT / "policies"),
    }
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        bearer = {"Authorization": "Bearer t"}
        try:
            about = requests.get(f"{url}/api/about", headers=bearer, timeout=DEADLINE)
            nobody = requests.get(f"{url}/api/about", timeout=DEADLINE)
        finally:
            process.send_signal(number)
        assert process.wait(DEADLINE) == 0

    assert about.json()["installation"] == "local"
    assert nobody.status_code == 401


# -- what it cannot run --------------------------------------------------------------------------


def _with_function_key(app: func.FunctionApp) -> None:
    @app.route("x", auth_level=func.AuthLevel.FUNCTION)
    def x(req: func.HttpRequest) -> None: ...


def _with_constraint(app: func.FunctionApp) -> None:
    @app.route("x/{id:int}", auth_level=func.AuthLevel.ANONYMOUS)
    def x(req: func.HttpRequest) -> None: ...


def _with_event_grid(app: func.FunctionApp) -> None:
    @app.event_grid_trigger(arg_name="event")
    def x(event: func.EventGridEvent) -> None: ...


def _with_output(app: func.FunctionApp) -> None:
    @app.route("x", auth_level=func.AuthLevel.ANONYMOUS)
    @app.service_bus_queue_output(arg_name="out", connection="BUS", queue_name="q")
    def x(req: func.HttpRequest, out: func.Out[str]) -> None: ...


def _with_coroutine(app: func.FunctionApp) -> None:
    @app.route("x", auth_level=func.AuthLevel.ANONYMOUS)
    async def x(req: func.HttpRequest) -> None: ...


def _with_unknown_setting(app: func.FunctionApp) -> None:
    @app.service_bus_queue_trigger(arg_name="m", queue_name="%NOWHERE%", connection="BUS")
    def x(m: func.ServiceBusMessage) -> None: ...


def _with_bad_schedule(app: func.FunctionApp) -> None:
    @app.timer_trigger(arg_name="timer", schedule="* * * * *")
    def x(timer: func.TimerRequest) -> None: ...


@pytest.mark.parametrize(
    ("add", "told"),
    [
        (_with_function_key, "wants a function key"),
        (_with_constraint, "a constraint"),
        (_with_event_grid, "eventGridTrigger"),
        (_with_output, "serviceBus"),
        (_with_coroutine, "async"),
        (_with_unknown_setting, "the setting NOWHERE is not there"),
        (_with_bad_schedule, "six fields"),
    ],
)
def test_a_function_it_cannot_run_is_named_before_it_starts(
    bus: SqliteQueue, clock: SystemClock, add: Callable[[func.FunctionApp], None], told: str
) -> None:
    app = func.FunctionApp()
    add(app)

    with pytest.raises(Malformed, match=f"^x: .*{told}"):
        Host(app, bus, clock, SETTINGS)


def test_the_settings_are_those_of_the_platform() -> None:
    settings = HostSettings.read()

    assert (settings.prefix, settings.sessions) == ("api", 8)
    assert settings.names == {"STEPS_QUEUE": "steps", "EVENTS_QUEUE": "events"}
