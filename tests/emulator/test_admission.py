"""How many requests a deployment takes."""

import asyncio

import pytest

from emulator.scoring.admission import Admission, TooManyPending


def test_slots_run_as_many_wait_and_the_rest_is_refused() -> None:
    async def scene() -> tuple[int, int, int]:
        admission, release = Admission(2), asyncio.Event()
        running = 0

        async def enter() -> None:
            nonlocal running
            async with admission.slot():
                running += 1
                await release.wait()

        inside = [asyncio.create_task(enter()) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyPending):
            async with admission.slot():
                pass
        seen = (running, admission.inside)
        release.set()
        await asyncio.gather(*inside)
        return (*seen, admission.inside)

    assert asyncio.run(scene()) == (2, 4, 0)


def test_who_gives_up_waiting_leaves_the_place() -> None:
    async def scene() -> int:
        admission = Admission(1)
        async with admission.slot():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), admission.slot():
                    pass
            return admission.inside

    assert asyncio.run(scene()) == 1
