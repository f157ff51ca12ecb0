"""The SQLite queue's own promises: restarts, several hosts, and no scans."""

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest

from rollout.adapters.sqlite.queue import SqliteQueue
from rollout.ports import Message
from tests.adapters.contracts.rows import HOUR, MINUTE
from tests.fakes import NOON, FakeClock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollout.db"


@pytest.fixture
def queue(path: Path) -> Iterator[SqliteQueue]:
    with closing(SqliteQueue(path, FakeClock())) as opened:
        yield opened


def send(queue: SqliteQueue, name: str, session: str = "s") -> None:
    queue.send(Message("steps", session, name, b""))


def test_all_outlives_the_process(path: Path) -> None:
    clock = FakeClock()
    with closing(SqliteQueue(path, clock)) as before:
        before.send(Message("steps", "a", "scheduled", b"", NOON + HOUR))
        send(before, "out", "b")
        assert before.receive("steps", NOON, MINUTE)

    with closing(SqliteQueue(path, clock)) as after:
        assert after.receive("steps", NOON, MINUTE) is None
        send(after, "out", "b")
        clock.advance(MINUTE)
        again = after.receive("steps", clock.now(), MINUTE)
        assert again
        assert (again.message.id, again.count) == ("out", 2)
        after.complete(again)
        late = after.receive("steps", NOON + HOUR, MINUTE)
        assert late
        assert late.message.not_before == NOON + HOUR


def test_a_delivery_can_be_settled_by_another_object_on_the_same_file(path: Path) -> None:
    clock = FakeClock()
    with (
        closing(SqliteQueue(path, clock)) as one,
        closing(SqliteQueue(path, clock)) as other,
    ):
        send(one, "m")
        delivery = one.receive("steps", NOON, MINUTE)
        assert delivery
        assert other.receive("steps", NOON, MINUTE) is None
        other.complete(delivery)
        assert one.next_due("steps") is None


def test_fewer_deliveries_may_be_allowed(path: Path) -> None:
    with closing(SqliteQueue(path, FakeClock(), deliveries_max=1)) as queue:
        send(queue, "m")
        delivery = queue.receive("steps", NOON, MINUTE)
        assert delivery
        queue.abandon(delivery, "never again")

        assert [letter.reason for letter in queue.dead_letters()] == ["never again"]


def test_threads_that_receive_together_get_every_message_once(path: Path) -> None:
    clock = FakeClock()
    seen: Counter[str] = Counter()

    def work() -> None:
        with closing(SqliteQueue(path, clock)) as mine:
            while mine.next_due("steps"):
                delivery = mine.receive("steps", NOON, MINUTE)
                if delivery:
                    seen[delivery.message.id] += 1
                    mine.complete(delivery)

    with closing(SqliteQueue(path, clock)) as queue:
        for number in range(60):
            send(queue, f"m{number}", f"s{number % 5}")
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == Counter({f"m{number}": 1 for number in range(60)})


SENDER = dedent("""
    import sys
    from pathlib import Path
    from rollout.adapters.sqlite.queue import SqliteQueue
    from rollout.ports import Message
    from tests.fakes import NOON, FakeClock
    queue, first = SqliteQueue(Path(sys.argv[1]), FakeClock()), int(sys.argv[2])
    for number in range(first, first + 100_000):
        queue.send(Message("steps", "s", f"m{number}", b""))
        print(number, flush=True)
""")


def test_a_sender_killed_at_any_moment_has_lost_nothing_it_acknowledged(path: Path) -> None:
    first = 0
    unsure = set()
    for lines in (1, 30, 7, 60):
        acknowledged = _killed_after(path, first, lines)
        unsure.add(acknowledged + 1)
        first = acknowledged + 2

    names = []
    with closing(SqliteQueue(path, FakeClock())) as queue:
        while delivery := queue.receive("steps", NOON, MINUTE):
            names.append(int(delivery.message.id[1:]))
            queue.complete(delivery)
    assert names == sorted(names)
    assert set(range(first)) - set(names) <= unsure


def _killed_after(path: Path, first: int, lines: int) -> int:
    with subprocess.Popen(
        [sys.executable, "-c", SENDER, str(path), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as sender:
        assert sender.stdout
        said = [sender.stdout.readline() for _ in range(lines)]
        sender.kill()
        said += sender.stdout.readlines()
    return int(said[-1])


def _settle(queue: SqliteQueue) -> None:
    for settle in (queue.complete, lambda delivery: queue.abandon(delivery, "no")):
        send(queue, f"m{settle}")
        delivery = queue.receive("steps", NOON, MINUTE)
        assert delivery
        settle(queue.renew(delivery))


def test_dead_letters_that_died_before_a_time_are_counted_and_forgotten(
    path: Path,
) -> None:
    clock = FakeClock()
    with closing(SqliteQueue(path, clock, deliveries_max=1)) as queue:
        for name in ("old", "young"):
            queue.send(Message("steps", name, name, b""))
            delivery = queue.receive("steps", clock.now(), MINUTE)
            assert delivery
            queue.abandon(delivery, "never again")
            clock.advance(HOUR)
        border = clock.now() - HOUR

        told = queue.forget_dead_letters(border, dry=True)
        kept = len(queue.dead_letters())
        done = queue.forget_dead_letters(border)

        assert (told, kept, done) == (1, 2, 1)
        assert [letter.message.id for letter in queue.dead_letters()] == ["young"]
        assert queue.forget_dead_letters(border) == 0


def test_a_dead_letter_tells_the_last_reason_and_when_it_died(queue: SqliteQueue) -> None:
    send(queue, "bad")
    for number in range(1, 11):
        delivery = queue.receive("steps", NOON, MINUTE)
        assert delivery
        queue.abandon(delivery, f"reason {number}")

    (letter,) = queue.dead_letters()

    assert (letter.reason, letter.at) == ("reason 10", NOON)


QUESTIONS: dict[str, Callable[[SqliteQueue], object]] = {
    "send": lambda queue: send(queue, "m"),
    "receive": lambda queue: queue.receive("steps", NOON, MINUTE),
    "settle": _settle,
    "next due": lambda queue: queue.next_due("steps"),
    "dead letters": lambda queue: queue.dead_letters(),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_all_messages_or_sorts_them(queue: SqliteQueue, question: str) -> None:
    asked: list[str] = []
    with queue._database.reading() as connection, queue._leases.reading() as leases:
        connection.set_trace_callback(asked.append)
        leases.set_trace_callback(asked.append)
        QUESTIONS[question](queue)
        connection.set_trace_callback(None)
        statements = [text for text in asked if re.match(r"\s*(SELECT|DELETE|UPDATE)", text)]
        plans = [
            str(row[3])
            for statement in statements
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    assert statements
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    assert question == "dead letters" or not [plan for plan in plans if "SCAN" in plan]
