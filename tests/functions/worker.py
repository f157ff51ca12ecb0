"""Plays the platform's worker process: Microsoft's runtime, driven by lines of JSON.

Run by the Python of `.venv-functions` in a folder as it would be deployed. The first line it writes
tells the functions, as the runtime has indexed them; after that each line read is an invocation,
and each line written is the answer to one, in the order in which they end.
"""

import asyncio
import base64
import json
import os
import sys
from types import SimpleNamespace
from typing import Any, TextIO

MESSAGES: dict[str, dict[str, int]] = {
    "BindingInfo": {"undefined": 0, "out": 1, "inout": 2},
    "FunctionMetadataResponse": {},
    "RpcException": {},
    "RpcFunctionMetadata": {},
    "RpcRetryOptions": {},
    "StatusResult": {"Failure": 0, "Success": 1},
    "WorkerInitResponse": {},
    "WorkerMetadata": {},
}
"""The messages that the runtime builds, and their constants; here each is what it is given."""


def protos() -> SimpleNamespace:
    made = {name: type(name, (SimpleNamespace,), own) for name, own in MESSAGES.items()}
    return SimpleNamespace(**made)


async def index(folder: str) -> dict[str, Any]:
    """What the platform would be told; a failure is told with its reason."""
    from azure_functions_runtime import (  # type: ignore[import-not-found] # noqa: PLC0415
        functions_metadata_request,
        start_threadpool_executor,
        worker_init_request,
    )

    start_threadpool_executor()
    init = SimpleNamespace(capabilities={}, function_app_directory=folder)
    request = SimpleNamespace(
        request=SimpleNamespace(worker_init_request=init),
        properties={"host": "127.0.0.1", "protos": protos()},
    )
    ready = await worker_init_request(request)
    if not ready.result.status:
        return {"failure": str(ready.result.exception.message)}
    told = await functions_metadata_request(request)
    return {"functions": [_function(one) for one in told.function_metadata_results or ()]}


def _function(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "id": one.function_id,
        "bindings": [json.loads(binding) for binding in one.raw_bindings],
        "retries": one.retry_options is not None,
    }


async def invoke(asked: dict[str, Any]) -> dict[str, Any]:
    from azure_functions_runtime.native_invocation import (  # type: ignore[import-not-found] # noqa: PLC0415
        invocation_request_native,
    )

    inputs = [(name, _datum(value)) for name, value in asked["inputs"].items()]
    metadata = {name: _datum(value) for name, value in asked["metadata"].items()}
    ok, returned, _, error, trace = await invocation_request_native(
        str(asked["number"]), asked["function"], inputs, metadata
    )
    answer = {"number": asked["number"], "ok": ok, "error": error, "trace": trace}
    return {**answer, "http": _http(returned.value)} if returned is not None else answer


def _datum(value: Any) -> Any:
    """{"type": ..., "value": ...}, where bytes are base64 and what is in a request is a datum."""
    from azure_functions_runtime.bindings.datumdef import (  # type: ignore[import-not-found] # noqa: PLC0415
        Datum,
    )

    kind, content = value["type"], value["value"]
    if kind == "bytes":
        content = base64.b64decode(content)
    if kind == "http":
        content = {name: _part(part) for name, part in content.items()}
    return Datum(content, kind)


def _part(part: Any) -> Any:
    """One datum, or several by name."""
    if isinstance(part.get("type"), str):
        return _datum(part)
    return {name: _datum(one) for name, one in part.items()}


def _http(told: dict[str, Any]) -> dict[str, Any]:
    body = told["body"].value
    raw = body.encode() if isinstance(body, str) else bytes(body)
    return {
        "status": int(told["status_code"].value),
        "headers": {name: one.value for name, one in told["headers"].items()},
        "body": base64.b64encode(raw).decode(),
    }


async def serve(answers: TextIO) -> None:
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as the platform puts it, a string
    told = await index(os.getcwd())  # noqa: PTH109
    _write(answers, told)
    running: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = asyncio.create_task(_answer(json.loads(line), answers))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _answer(asked: dict[str, Any], answers: TextIO) -> None:
    _write(answers, await invoke(asked))


def _write(answers: TextIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the app prints is no answer
    asyncio.run(serve(own))
