"""The emulator's own URLs, which Azure does not have; and two stand-ins for Azure's."""

from dataclasses import asdict
from typing import Any

from aiohttp import web

from emulator.arm.journal import Journal
from emulator.scoring.gateway import Gateway
from emulator.switches import Switchboard, SwitchError

_TOKEN_SECONDS = 86_400


def add_to(app: web.Application, board: Switchboard, journal: Journal, gateway: Gateway) -> None:
    async def switches(_: web.Request) -> web.Response:
        return web.json_response(asdict(board.set))

    async def change(request: web.Request) -> web.Response:
        try:
            board.change(await _object(request))
        except SwitchError as error:
            return web.json_response({"error": {"message": str(error)}}, status=400)
        return web.json_response(asdict(board.set))

    async def requests(_: web.Request) -> web.Response:
        return web.json_response(journal.document())

    async def forget(_: web.Request) -> web.Response:
        journal.clear()
        return web.Response(status=204)

    async def mirror(_: web.Request) -> web.Response:
        return web.json_response({key: asdict(one) for key, one in gateway.tallies().items()})

    app.router.add_get("/emulator/switches", switches)
    app.router.add_patch("/emulator/switches", change)
    app.router.add_get("/emulator/requests", requests)
    app.router.add_delete("/emulator/requests", forget)
    app.router.add_get("/emulator/mirror", mirror)
    app.router.add_get("/metadata/endpoints", _clouds)
    app.router.add_get("/msi/token", _token)


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except ValueError as error:
        raise SwitchError(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise SwitchError('send an object such as {"arm_down": true}')
    return found


async def _clouds(request: web.Request) -> web.Response:
    """Cloud discovery: everything is here."""
    base = f"{request.scheme}://{request.host}"
    cloud = {
        "name": "AzureCloud",
        "portal": base,
        "resourceManager": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": [base, "https://management.azure.com"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"},
    }
    return web.json_response([cloud])


async def _token(request: web.Request) -> web.Response:
    """A managed identity's token; it opens nothing but this emulator."""
    if "X-IDENTITY-HEADER" not in request.headers:
        return web.json_response({"error": "X-IDENTITY-HEADER is missing"}, status=400)
    expires = int(request.app["now"]()) + _TOKEN_SECONDS
    return web.json_response(
        {
            "access_token": "emulator",  # it takes any # nosec B105
            "expires_on": str(expires),
            "resource": request.query.get("resource", ""),
            "token_type": "Bearer",  # the standard's word # nosec B105
        }
    )
