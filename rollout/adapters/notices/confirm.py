"""A question to a hook as a signed CloudEvent, and what its answer means."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from rollout.adapters.notices.cloud_events import headers
from rollout.adapters.notices.posting import Posting, read, written
from rollout.adapters.outgoing import Reply
from rollout.core.actions import AskHook
from rollout.core.notify import SignedAddress
from rollout.core.rollout import HookWord
from rollout.errors import Refused
from rollout.notice_ports import HookAnswer

REASON_MAX = 200
_VETOES = frozenset({403, 409})


class _Said(BaseModel):
    """More keys are no fault; "yes" is not true."""

    model_config = ConfigDict(strict=True)

    approve: bool
    reason: Annotated[str, StringConstraints(max_length=10_000)] = ""


def ask(
    posting: Posting, place: SignedAddress, question: AskHook, question_id: str, now: datetime
) -> HookAnswer:
    """Raises Unavailable, Refused; both name the hook, not its address."""
    name = f"hook {question.hook}"
    body = _event(question, question_id, now)
    signed = headers(body, place.secret.get_secret_value(), now)
    reply = posting.exchange(name, "POST", place.url.get_secret_value(), body, signed)
    if reply.status in _VETOES:
        return HookAnswer(HookWord.VETO, _reason(reply))
    posting.check(name, reply)
    return _read(name, reply)


def _event(question: AskHook, question_id: str, now: datetime) -> bytes:
    about = question.model_dump(mode="json", exclude={"type", "endpoint"})
    return written(
        {
            "specversion": "1.0",
            "id": question_id,
            "source": question.endpoint.arm_id,
            "type": "rollout.confirm.v1",
            "subject": question.rollout_id,
            "time": now.isoformat(),
            "datacontenttype": "application/json",
            "data": {"endpoint": str(question.endpoint), **about},
        }
    )


def _read(name: str, reply: Reply) -> HookAnswer:
    """An empty body, and one that is not about approval, says go by its status alone."""
    value, odd = (
        read(reply),
        f'{name}: its answer is not {{"approve": true or false, "reason": "..."}}',
    )
    if value is None and reply.body.lstrip().startswith(b"{"):
        raise Refused(odd)  # it may have begun to say no
    if not isinstance(value, dict) or "approve" not in value:
        return HookAnswer(HookWord.GO)
    try:
        said = _Said.model_validate(value)
    except ValidationError as error:
        raise Refused(odd) from error
    return HookAnswer(HookWord.GO if said.approve else HookWord.VETO, _line(said.reason))


def _reason(reply: Reply) -> str:
    value = read(reply)
    reason = value.get("reason") if isinstance(value, dict) else None
    return _line(reason) if isinstance(reason, str) else f"it answers {reply.status}"


def _line(text: str) -> str:
    """One line of what can be read: someone else wrote it."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:REASON_MAX]
