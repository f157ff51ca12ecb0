"""Polls of long-running operations."""

from emulator.arm.calls import Call, Reply
from emulator.arm.control import Control
from emulator.arm.operations import Operation
from emulator.arm.refusals import Refusal


def status(control: Control, call: Call) -> Reply:
    """mfeOperationsStatus: 200 with the status document, whatever the status."""
    operation = _found(control, call)
    return Reply(200, operation.document(), control.retry_after())


def result(control: Control, call: Call) -> Reply:
    """mfeOperationResults: 202 while it runs, then 200 with the same status document."""
    operation = _found(control, call)
    if operation.ended_at is None:
        where = f"{call.base}{call.path}?{call.query_text}"
        return Reply(202, operation.document(), {"Location": where} | control.retry_after())
    return Reply(200, operation.document())


def _found(control: Control, call: Call) -> Operation:
    name = call.ids["operation"]
    operation = control.operations.find(name)
    if operation is None or operation.lost or control.board.set.lost_operation_status:
        raise Refusal(404, "OperationNotFound", f"Operation {name} was not found.")
    control.operations.check_signature(name, call.query_text)
    return operation
