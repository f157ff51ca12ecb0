"""Fuzz target, guided by coverage: the inbox and the policy parser say no, and never fall over.

`make fuzz SECONDS=60`: the first byte of an input chooses the reader, the rest is what came in. A
finding is kept as a file.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import atheris

with atheris.instrument_imports(include=["rollout.inbox", "rollout.core", "rollout.api"]):
    from rollout import inbox
    from rollout.api.callers import Locks, token
    from rollout.api.exchange import Request, within_bounds
    from rollout.core.alert_labels import AlertLabels
    from rollout.core.callers import parse_tokens
    from rollout.core.rotation.policy_text import document_warnings, parse_document
    from rollout.errors import Denied, Malformed, PolicyError
    from rollout.settings import Settings

SETTINGS = Settings.load(
    {
        "ROLLOUT_API_TOKEN": "t",
        "ROLLOUT_WORKSPACES": "/subscriptions/s/resourceGroups/g/providers"
        "/Microsoft.MachineLearningServices/workspaces/w",
    }
)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _policy(data: bytes) -> None:
    document_warnings(parse_document(_text(data), "fuzzed"))


def _request(data: bytes) -> None:
    shown = _text(data)
    request = Request("GET", {"ref": shown}, {"limit": shown}, {"authorization": shown}, data)
    within_bounds(request)
    request.number("limit", 1, 1, 9)
    token(Locks(SETTINGS), request)


READERS: Sequence[Callable[[bytes], Any]] = (
    _policy,
    lambda data: inbox.read_body(data, inbox.StartBody),
    lambda data: inbox.read_body(data, inbox.CommandBody),
    lambda data: inbox.read_body(data, inbox.PushBody),
    lambda data: inbox.read_body(data, inbox.PlanBody),
    inbox.read_alert,
    lambda data: inbox.read_alertmanager(data, AlertLabels()),
    lambda data: inbox.read_github("workflow_run", "d-1", data),
    lambda data: inbox.read_github("deployment_status", "d-1", data),
    inbox.read_azure_devops,
    inbox.read_events,
    inbox.read_wake,
    _request,
    lambda data: parse_tokens(_text(data)),
    lambda data: inbox.endpoint_name(_text(data)),
)


def read_one(data: bytes) -> None:
    """Any answer is right but one: another error than ours."""
    if not data:
        return
    try:
        READERS[data[0] % len(READERS)](data[1:])
    except (Malformed, PolicyError, Denied) as no:
        if not str(no):
            raise AssertionError("a no without a reason") from no


def main() -> None:
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
