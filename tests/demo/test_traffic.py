"""The users of the demo: what they count, and that they do not bury a slow endpoint."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web

from demo import traffic
from demo.traffic import Tally

RATE = 1000.0


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """The address of an endpoint that answers so."""
    app = web.Application()
    app.router.add_post("/score", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/score"
    finally:
        await runner.cleanup()


async def drive_until(done: asyncio.Event, url: str, tally: Tally) -> None:
    driving = asyncio.create_task(traffic.drive(url, "key", ["{}"], RATE, tally))
    await done.wait()
    driving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await driving


def test_an_answer_is_counted_with_what_the_front_end_says_of_it() -> None:
    tally, asked = Tally(), asyncio.Event()

    async def refuse(_: web.Request) -> web.Response:
        asked.set()
        told = {
            "azureml-model-deployment": "blue",
            "ms-azureml-model-error-reason": "too_many_pending_request",
        }
        return web.Response(status=429, headers=told)

    async def play() -> None:
        async with serving(refuse) as url:
            await drive_until(asked, url, tally)

    asyncio.run(play())

    assert set(tally.answers) == {("blue", 429, "too_many_pending_request")}


def test_a_missing_answer_is_counted_by_its_name() -> None:
    tally = Tally()

    async def unasked(_: web.Request) -> web.Response:
        return web.Response()

    async def play() -> None:
        async with serving(unasked) as url:
            nobody = url
        async with ClientSession() as session:
            await traffic.send(session, nobody, "{}", tally)

    asyncio.run(play())

    ((deployment, status, why),) = tally.answers
    assert (deployment, status, why) == ("-", 0, "ClientConnectorError")


def test_an_endpoint_that_falls_behind_is_not_asked_for_more_than_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic, "UNDER_WAY_SECONDS", 0.01)
    tally, release, enough, full = Tally(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    inside = most = 0

    async def hold(_: web.Request) -> web.Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == 10:
            full.set()
        await release.wait()
        inside -= 1
        return web.Response(headers={"azureml-model-deployment": "blue"})

    async def play() -> None:
        async with serving(hold) as url:
            driving = asyncio.create_task(drive_until(enough, url, tally))
            await full.wait()
            await asyncio.sleep(0.2)  # two hundred requests more would have come
            release.set()
            enough.set()
            await driving

    asyncio.run(play())

    assert most == 10
    assert tally.unsent > 0
    assert {kind[1] for kind in tally.answers} == {200}
