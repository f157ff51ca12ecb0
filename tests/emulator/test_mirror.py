"""Copies: bounded, and never in anybody's way."""

import asyncio

import pytest

from emulator.scoring.messages import Inbound, Outcome
from emulator.scoring.mirror import Mirror, Tally

LIVE = Outcome(200, b"3")


def a_request(size: int = 10) -> Inbound:
    return Inbound("POST", "/score", {}, b"x" * size)


def test_a_full_queue_drops_the_newest_by_count_and_by_bytes() -> None:
    async def scene() -> Tally:
        hung = asyncio.Event()

        async def send(_: str, __: Inbound) -> None:
            await hung.wait()

        mirror = Mirror(send)
        for _ in range(8):  # as many as there are workers
            mirror.offer("green", a_request(), LIVE, copies_max=100, bytes_max=1000)
        await asyncio.sleep(0)
        for _ in range(5):
            mirror.offer("green", a_request(), LIVE, copies_max=3, bytes_max=1000)
        mirror.offer("green", a_request(980), LIVE, copies_max=100, bytes_max=1000)
        tally = mirror.tally
        await mirror.close()
        return tally

    assert asyncio.run(scene()) == Tally(sent=8, dropped_full=3)


def test_every_copy_is_sent_once() -> None:
    async def scene() -> list[str]:
        sent: list[str] = []
        everything = asyncio.Event()

        async def send(target: str, _: Inbound) -> None:
            sent.append(target)
            if len(sent) == 20:
                everything.set()

        mirror = Mirror(send)
        for number in range(20):
            mirror.offer(f"d{number}", a_request(), LIVE, copies_max=100, bytes_max=1000)
        async with asyncio.timeout(5):
            await everything.wait()
        return sorted(sent)

    assert asyncio.run(scene()) == sorted(f"d{number}" for number in range(20))


@pytest.mark.parametrize(
    ("live", "copied", "pairs", "differing"),
    [
        (LIVE, Outcome(200, b"3"), 5, 0),
        (LIVE, Outcome(200, b"8"), 5, 5),
        (LIVE, Outcome(424, b"3"), 5, 5),
        (Outcome(424, b"3"), Outcome(424, b"3"), 0, 0),
        (LIVE, None, 0, 0),
    ],
)
def test_both_answers_to_a_copied_request_are_a_pair(
    live: Outcome, copied: Outcome | None, pairs: int, differing: int
) -> None:
    async def scene() -> Tally:
        everything = asyncio.Event()
        mirror = Mirror(send=lambda *_: answered())

        async def answered() -> Outcome | None:
            if mirror.tally.sent == 5:
                asyncio.get_running_loop().call_soon(everything.set)
            return copied

        for _ in range(5):
            mirror.offer("green", a_request(), live, copies_max=100, bytes_max=1000)
        async with asyncio.timeout(5):
            await everything.wait()
        await asyncio.sleep(0)
        return mirror.tally

    assert asyncio.run(scene()) == Tally(sent=5, pairs=pairs, differing=differing)
