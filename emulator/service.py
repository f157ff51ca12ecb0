"""The emulator as a whole: put together, opened, closed."""

import asyncio
import json
import os
import shutil
import signal
import ssl
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random

from aiohttp import web

from emulator.arm import launches
from emulator.arm.control import Control
from emulator.arm.journal import Journal
from emulator.arm.operations import Operations
from emulator.doors import monitor, own, scoring
from emulator.doors.arm import ArmDoor
from emulator.monitor.ledger import Ledger
from emulator.options import Options
from emulator.scoring.collector import Collector
from emulator.scoring.fleet import KUBERNETES, MANAGED, Fleet
from emulator.scoring.gateway import Gateway
from emulator.scoring.processes import Processes
from emulator.scoring.routing import ROUTERS

_BODY_MAX = 10 * 1024 * 1024
_DRAIN_SECONDS = 10.0
_PARENT_SECONDS = 0.1


async def serve(options: Options) -> int:
    """Run until told to stop; the exit code is 1 when the warden was lost."""
    parent, stop = os.getppid(), asyncio.Event()
    sockets = Path(tempfile.mkdtemp(prefix="emu-", dir="/tmp"))  # short, made anew # nosec B108
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        processes = await Processes.open(sockets, stop.set)
        stack.push_async_callback(processes.close)
        url = await _open(stack, options, processes, sockets)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if options.exit_with_parent:
            watch = asyncio.create_task(_watch(parent, stop))
            stack.callback(watch.cancel)
        _announce(options, url)
        await stop.wait()
        return 1 if processes.lost else 0


async def _open(
    stack: AsyncExitStack, options: Options, processes: Processes, sockets: Path
) -> str:
    """Listen, and push onto the stack what closing takes."""
    data = (options.data or sockets).resolve()
    control = _control(options, processes, sockets, data)
    gateway = _gateway(options, control, data)
    app = application(options, control, gateway)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DRAIN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port, ssl_context=_tls(options))
    stack.push_async_callback(_stop_fleets, control)
    stack.push_async_callback(control.operations.close)
    stack.push_async_callback(gateway.close)
    stack.push_async_callback(runner.cleanup)
    try:
        await site.start()
    except OSError as error:
        remedy = "end what listens there, or take a free port: --port 0"
        raise SystemExit(f"emulator: {error.strerror}; {remedy}") from error
    port = runner.addresses[0][1]
    return f"{'https' if options.certificate else 'http'}://127.0.0.1:{port}"


def application(options: Options, control: Control, gateway: Gateway) -> web.Application:
    """All the doors; what no other door knows goes to Resource Manager."""
    app = web.Application(client_max_size=_BODY_MAX)
    app["now"] = control.now
    journal = Journal()
    arm = ArmDoor(control, journal, _random(options, 2))
    scoring.add_to(app, control, gateway)
    own.add_to(app, options.board, journal, gateway)
    monitor.add_to(app, arm, gateway.ledger, journal)
    app.router.add_route("*", "/{path:.*}", arm.answer)
    return app


def _control(options: Options, processes: Processes, sockets: Path, data: Path) -> Control:
    logs, models = data / "logs", data / "models"
    logs.mkdir(parents=True, exist_ok=True)
    python = str(Path(os.path.abspath(options.scoring_python)))  # noqa: PTH100 - keep the venv link

    def make_fleet(name: str, kubernetes: bool) -> Fleet:
        return Fleet(name, processes, sockets, KUBERNETES if kubernetes else MANAGED)

    control = Control(
        board=options.board,
        operations=Operations(time.time),
        now=time.time,
        location=options.location,
        make_fleet=make_fleet,
        make_launch=partial(launches.make, python=python, models=models),
        logs=logs,
    )
    control.add_workspace(options.subscription, options.resource_group, options.workspace)
    return control


def _gateway(options: Options, control: Control, data: Path) -> Gateway:
    return Gateway(
        board=options.board,
        ledger=Ledger(options.grain_seconds),
        router=ROUTERS[options.routing](_random(options, 0)),
        coin=_random(options, 1),
        now=control.now,
        collector=Collector(data / "modelDataCollector", control.now, _random(options, 3)),
    )


async def _stop_fleets(control: Control) -> None:
    for endpoint in control.endpoints.values():
        for deployment in endpoint.deployments.values():
            await deployment.fleet.stop()


def _random(options: Options, stream: int) -> Random:
    """Independent streams, so that mirroring does not disturb routing."""
    return Random() if options.seed is None else Random(options.seed * 16 + stream)  # noqa: S311 # nosec B311


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.private_key)
    return context


def _announce(options: Options, url: str) -> None:
    """One JSON line on standard output, and the ready file, written whole or not at all."""
    facts = {
        "url": url,
        "subscription": options.subscription,
        "resource_group": options.resource_group,
        "workspace": options.workspace,
        "location": options.location,
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    if options.ready_file is not None:
        draft = options.ready_file.with_name(f"{options.ready_file.name}.{os.getpid()}")
        draft.write_text(url + "\n")
        draft.replace(options.ready_file)


async def _watch(parent: int, stop: asyncio.Event) -> None:
    """A process whose parent is gone is given another one."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(_PARENT_SECONDS)
    stop.set()
