"""Copies: bounded, and never in anybody's way."""

import asyncio

from emulator.scoring.messages import Inbound
from emulator.scoring.mirror import Mirror, Tally


def a_request(size: int = 10) -> Inbound:
    return Inbound("POST", "/score", {}, b"x" * size)


def test_a_full_queue_drops_the_newest_by_count_and_by_bytes() -> None:
    async def scene() -> Tally:
        hung = asyncio.Event()

        async def send(_: str, __: Inbound) -> None:
            await hung.wait()

        mirror = Mirror(send)
        for _ in range(8):  # as many as there are workers
            mirror.offer("green", a_request(), 100, 1000)
        await asyncio.sleep(0)
        for _ in range(5):
            mirror.offer("green", a_request(), 3, 1000)
        mirror.offer("green", a_request(980), 100, 1000)
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
            mirror.offer(f"d{number}", a_request(), 100, 1000)
        async with asyncio.timeout(5):
            await everything.wait()
        return sorted(sent)

    assert asyncio.run(scene()) == sorted(f"d{number}" for number in range(20))
