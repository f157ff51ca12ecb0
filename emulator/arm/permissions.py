"""What the caller may do: everything, less what a switch refuses to everybody."""

from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control

_FORBIDDEN = 403
_ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"
_READS = [_ENDPOINTS + "read", _ENDPOINTS + "deployments/read", _ENDPOINTS + "listKeys/action"]
_WRITES = [
    *(_ENDPOINTS + verb for verb in ("write", "delete", "regenerateKeys/action")),
    *(_ENDPOINTS + verb for verb in ("deployments/write", "deployments/delete")),
]


def list_all(control: Control, call: Call) -> Reply:
    """As one role's permissions: actions, less those taken away."""
    control.workspace(call)
    switches = control.board.set
    taken = _WRITES if switches.refuse_writes == _FORBIDDEN else []
    taken = taken + (_READS if switches.refuse_reads == _FORBIDDEN else [])
    role = {"actions": ["*"], "notActions": taken, "dataActions": [], "notDataActions": []}
    return Reply(200, {"value": [role]})
