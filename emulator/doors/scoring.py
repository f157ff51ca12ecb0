"""The scoring URLs: `/inference/{region}/{endpoint}/score` and its swagger."""

from aiohttp import web

from emulator.arm import endpoints
from emulator.arm.control import Control
from emulator.arm.refusals import Refusal
from emulator.scoring.gateway import Gateway
from emulator.scoring.messages import Inbound

_SCORED = frozenset({"GET", "POST", "OPTIONS"})


def add_to(app: web.Application, control: Control, gateway: Gateway) -> None:
    async def score(request: web.Request) -> web.Response:
        return await _passed(request, control, gateway)

    app.router.add_route("*", "/inference/{region}/{endpoint}/{page:score|swagger\\.json}", score)


async def _passed(request: web.Request, control: Control, gateway: Gateway) -> web.Response:
    parts = request.match_info
    try:
        endpoint = endpoints.by_address(control, parts["region"], parts["endpoint"])
    except Refusal as refusal:
        return web.Response(status=404, text=refusal.message)
    if request.method not in _SCORED:
        return web.Response(status=405, headers={"Allow": ", ".join(sorted(_SCORED))})
    query = f"?{request.query_string}" if request.query_string else ""
    target = f"/{parts['page']}{query}"
    inbound = Inbound(request.method, target, dict(request.headers), await request.read())
    outcome = await gateway.score(endpoint, inbound)
    return web.Response(status=outcome.status, body=outcome.body, headers=outcome.headers)
