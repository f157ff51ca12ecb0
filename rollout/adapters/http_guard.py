"""A guard that asks an HTTP address of yours: yes, no, I cannot tell, or a number."""

from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import to_json

from rollout.adapters.outgoing import Outgoing, Reply
from rollout.analysis.readings import NO, YES
from rollout.analysis.report import Guard
from rollout.analysis.samples import Counts
from rollout.errors import Refused, Unavailable
from rollout.ports import Minutes, Question

WHY_MAX = 200


class _Plain(BaseModel):
    """`pass` may be null, but must be there, and "yes" is not true."""

    model_config = ConfigDict(strict=True)

    passed: bool | None = Field(alias="pass")
    why: str | None = None


_ANSWER: TypeAdapter[_Plain | float] = TypeAdapter(
    _Plain | Annotated[float, Field(allow_inf_nan=False, strict=True)]
)


class HttpGuard:
    """Sends the rollout's facts, and keeps the answer as a reading of the last whole minute."""

    lag = timedelta(0)

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    def read(self, guard: Guard, question: Question) -> Minutes:
        """Raises Unavailable for no answer and for `pass: null`, Refused for any other answer."""
        url = guard.http or ""
        reply = self._sent(guard, url, facts(question))
        place = url.partition("?")[0]
        if reply.status >= 500 or reply.status in {408, 429}:
            raise Unavailable(f"{place} answers {reply.status}")
        if reply.status != 200:
            raise Refused(f"{place} answers {reply.status}; 200 is wanted")
        reading = _reading(guard, reply.body, place)
        return {question.until - question.minute: {question.canary: reading}}

    def _sent(self, guard: Guard, url: str, about: dict[str, JsonValue]) -> Reply:
        if guard.method == "GET":
            told = {name: str(value) for name, value in about.items() if value is not None}
            return self._outgoing.send("GET", f"{url}{'&' if '?' in url else '?'}{urlencode(told)}")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return self._outgoing.send("POST", url, to_json(about), headers)


def facts(question: Question) -> dict[str, JsonValue]:
    """What the address is told: never a key, never a token."""
    return {
        "rollout": question.rollout_id,
        "workspace": question.endpoint.workspace,
        "endpoint": question.endpoint.name,
        "canary": question.canary,
        "baseline": question.baseline,
        "stage": question.stage,
        "since": _iso(question.since),
        "until": _iso(question.until),
    }


def _reading(guard: Guard, body: bytes, place: str) -> Counts:
    try:
        answer = _ANSWER.validate_json(body)
    except ValidationError as error:
        raise Refused(
            f'{place}: the answer is neither {{"pass": true, false or null}} nor a number'
        ) from error
    if isinstance(answer, float):
        if guard.at_most is None:
            raise Refused(f"{place} answers a number, and the guard has no at_most to hold it to")
        return Counts(value=answer)
    why = " ".join((answer.why or "").split())[:WHY_MAX]
    if answer.passed is None:
        raise Unavailable(f"{place} cannot tell{f' ({why})' if why else ''}")
    if guard.at_most is not None:
        raise Refused(f"{place} answers yes or no; leave out at_most")
    return Counts(value=YES if answer.passed else NO, said=why or None)


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
