"""`python -m tests.journeys.blocked`: what might stand between an abort and its request, in pairs.

Everything is real but Azure: the controller is a process, its disk takes no byte, its queue has no
table, its guard and its hook never answer, and its look waits for an Azure that answers in its own
time. What is measured goes into docs/reference/bad-days.md.
"""

import json
import signal
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, cycle
from pathlib import Path
from threading import Thread

from rollout.adapters.sqlite.store import SqliteStore
from rollout.core.endpoint import EndpointId
from rollout.errors import Conflict
from tests.adapters.receiving import Receiver, a_site
from tests.builders import frozen
from tests.emulator.running import EmulatorHandle, running_emulator
from tests.journeys.controller import Controller
from tests.journeys.policies import write_policies
from tests.journeys.scripts import BETTER, GOOD
from tests.journeys.stage import Stage, live
from tests.journeys.stinted import LAUNCHER

PAGE = Path(__file__).parents[2] / "docs/reference/bad-days.md"
BEGIN, END = "<!-- blocked: python -m tests.journeys.blocked -->", "<!-- blocked ends -->"
SPEED = 60
FEW = 5
"""Requests a second to each endpoint, of which none may fail."""
ENDPOINTS = 3
"""In turn: the others are watched after their rollback meanwhile."""
LATE_SECONDS = 8.0
"""So late comes what is late: an abort that waited for it would be seen from afar."""

_POLICY = """
schema: 1
match: {{endpoint: "*"}}
stages:
  - canary: {{weight: 20, shortest_minutes: 600, longest_minutes: 700}}
  - approval:
      by: [ml-leads]
      deadline_minutes: 600
      hooks: [{{confirm: board, timeout_seconds: 10, retries: 20}}]
  - bake:   {{shortest_minutes: 600, longest_minutes: 700}}
on_no_data: {{hold_minutes: 600, then: hold}}
guards:
  - {{metric: error_rate, worse_by_points: 0.5, severity: fail}}
  - {{name: ours, http: "http://127.0.0.1:{port}/", severity: watch}}
"""


@dataclass
class Place:
    """A stage with a rollout on its way, and where its guard and its hook are asked."""

    stage: Stage
    guard: socket.socket
    hook: Receiver

    @property
    def database(self) -> Path:
        return self.stage.controller.data / "rollout.db"

    @property
    def policy(self) -> Path:
        return self.stage.controller.policies / "numbers.yaml"

    def tell_process(self, number: int) -> None:
        process = self.stage.controller.process
        assert process
        process.send_signal(number)


@contextmanager
def _metrics_down(place: Place) -> Iterator[None]:
    place.stage.emulator.switch(metrics_down=True)
    yield
    place.stage.emulator.switch(metrics_down=False)


def _look_hangs(place: Place, switch: str, path: str) -> None:
    """A look of that endpoint waits for an answer; whoever asks from now on is answered at once."""
    emulator = place.stage.emulator
    wanted = f"/onlineendpoints/{place.stage.name}{path}"
    emulator.switch(**{switch: LATE_SECONDS})
    place.stage.eventually(
        lambda: any(one.lower().endswith(wanted) for one in emulator.own("requests")["late"])
    )
    emulator.switch(**{switch: 0})


@contextmanager
def _azure_slow(place: Place) -> Iterator[None]:
    _look_hangs(place, "arm_answer_seconds", "")
    yield


@contextmanager
def _metrics_slow(place: Place) -> Iterator[None]:
    _look_hangs(place, "metrics_answer_seconds", "/providers/microsoft.insights/metrics")
    yield


@contextmanager
def _queue_down(place: Place) -> Iterator[None]:
    """Its table is gone: nothing can be sent or taken."""
    _sql(place, "ALTER TABLE messages RENAME TO messages_away")
    yield
    _sql(place, "ALTER TABLE messages_away RENAME TO messages")


def _sql(place: Place, statement: str) -> None:
    connection = sqlite3.connect(place.database, timeout=30)
    with connection:
        connection.execute(statement)
    connection.close()


@contextmanager
def _approval_pending(place: Place) -> Iterator[None]:
    assert place.stage.order("skip").status_code == 200
    place.stage.eventually(lambda: place.stage.phase("approving"))
    yield


@contextmanager
def _hook_hangs(place: Place) -> Iterator[None]:
    """It was asked whether the next stage may begin, and says nothing."""
    asked, place.hook.delay = len(place.hook.asked), LATE_SECONDS
    Thread(target=place.stage.order, args=("skip",), daemon=True).start()  # it asks by itself
    place.stage.eventually(lambda: len(place.hook.asked) > asked)
    yield
    place.hook.delay = 0.0


@contextmanager
def _calendar_frozen(place: Place) -> Iterator[None]:
    at = place.stage.emulator
    ref = f"{at.workspace_id}/onlineEndpoints/{place.stage.name}"
    store = SqliteStore(place.database)
    while True:
        held = store.load(EndpointId.parse(ref))
        try:
            store.save(held, frozen(held.head))
        except Conflict:
            continue
        break
    store.close()
    yield


@contextmanager
def _policy_broken(place: Place) -> Iterator[None]:
    whole = place.policy.read_text()
    place.policy.write_text("stages: [{canary: {wait: 5}}]")
    yield
    place.policy.write_text(whole)


@contextmanager
def _guard_hangs(place: Place) -> Iterator[None]:
    """Whoever connects is never answered."""
    place.guard.listen(100)
    yield


@contextmanager
def _store_read_only(place: Place) -> Iterator[None]:
    place.tell_process(signal.SIGUSR1)
    yield
    place.tell_process(signal.SIGUSR2)


TROUBLES: Mapping[str, Callable[[Place], AbstractContextManager[None]]] = {
    "approval pending": _approval_pending,
    "Azure slow": _azure_slow,
    "metrics slow": _metrics_slow,
    "hook hangs": _hook_hangs,
    "calendar frozen": _calendar_frozen,
    "metrics down": _metrics_down,
    "policy broken": _policy_broken,
    "guard hangs": _guard_hangs,
    "queue down": _queue_down,
    "store read-only": _store_read_only,
}
"""In this order they begin, where there are two: the later ones keep a look from being taken."""
NEVER_TOGETHER = (
    {"approval pending", "hook hangs"},  # whoever may approve is asked when the hook has agreed
    {"Azure slow", "metrics slow"},  # a look waits for one answer at a time
)
SETS = [
    names
    for many in (1, 2)
    for names in combinations(TROUBLES, many)
    if set(names) not in NEVER_TOGETHER
]


def seconds_to_the_request(place: Place, names: Sequence[str]) -> float:
    """From a person's abort to the write that Azure took, under these troubles; then all is well.

    Raises AssertionError where the abort is refused, or the rollout does not end as aborted.
    """
    stage = place.stage
    known = stage.view.get("id")
    begun = stage.start("green", key=f"{stage.name}:after:{known}")
    assert begun.ok, begun.text
    stage.eventually(lambda: stage.view.get("id") != known and stage.at("canary 20 %"))
    with ExitStack() as troubles:
        for name in names:
            troubles.enter_context(TROUBLES[name](place))
        since = datetime.now(UTC)
        answer = stage.order("abort")
        assert answer.status_code == 200, answer.text
        sent = _first_write(stage, since)
    stage.eventually(stage.outcome)
    assert stage.outcome() == "aborted", stage.report()
    assert stage.map == live(blue=100)
    return (sent - since).total_seconds()


def _first_write(stage: Stage, since: datetime) -> datetime:
    """When Azure took the map of before, as its own record tells."""
    path = f"/onlineendpoints/{stage.name}"
    for one in stage.emulator.own("requests")["written"]:
        at = datetime.fromisoformat(one["at"])
        if one["path"].lower().endswith(path) and at >= since and one["status"] < 300:
            assert one["traffic"]["blue"] == 100, one
            return at
    raise AssertionError(f"no request was sent\n{stage.report()}")


@contextmanager
def places(folder: Path) -> Iterator[Sequence[Place]]:
    """Endpoints with one controller, and the guard that it asks."""
    flags = ("--grain-seconds", str(60 / SPEED), "--routing", "blocks", "--seed", "1")
    with ExitStack() as stack:
        guard = stack.enter_context(socket.socket())
        guard.bind(("127.0.0.1", 0))
        emulator: EmulatorHandle = stack.enter_context(
            running_emulator(*flags, "--switch", "operation_seconds=0.1")
        )
        site = stack.enter_context(a_site())
        word = "sixteen or more of the hook"
        board = {"url": f"{site.url}/hook", "secret": word}
        policies = folder / "policies"
        write_policies(policies, numbers=_POLICY.format(port=guard.getsockname()[1]))
        controller = Controller(
            emulator,
            folder / "data",
            policies,
            LAUNCHER,
            speed=SPEED,
            variables={
                "ROLLOUT_OUTGOING_PRIVATE": "true",
                "ROLLOUT_NOTIFY": json.dumps({"webhook": {"board": board}}),
            },
        )
        stages = [
            Stage(emulator, folder, f"numbers-{number}", controller) for number in range(ENDPOINTS)
        ]
        for stage in stages:
            stage.build(blue=GOOD, green=BETTER)
        stack.callback(controller.stop)
        controller.start()
        for stage in stages:
            stack.enter_context(stage.visited(FEW))
        yield [Place(stage, guard, site.now) for stage in stages]


def table(measured: Mapping[tuple[str, ...], float]) -> str:
    """Milliseconds: alone on the diagonal, in pairs above it."""
    names = list(TROUBLES)
    lines = ["| ms | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for row, name in enumerate(names):
        cells = [
            _cell(measured.get((name,) if other == name else (name, other)))
            for other in names[row:]
        ]
        lines.append(f"| {name} | " + " | ".join([""] * row + cells) + " |")
    return "\n".join(lines)


def _cell(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"


def main() -> None:
    measured: dict[tuple[str, ...], float] = {}
    with tempfile.TemporaryDirectory() as folder, places(Path(folder)) as known:
        for place, names in zip(cycle(known), SETS, strict=False):
            measured[names] = seconds_to_the_request(place, names)
            sys.stdout.write(f"{' and '.join(names)}: {measured[names]:.3f} s\n")
            sys.stdout.flush()
    text = PAGE.read_text()
    assert BEGIN in text, f"{PAGE} has no place for it: {BEGIN}"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(measured)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
