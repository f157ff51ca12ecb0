"""Values of a query: literals, operators and scalar functions."""

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.monitor.kql.words import QueryError

Value = Any
_UNITS = {"ms": "milliseconds", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def timespan(text: str) -> timedelta:
    """`1m`, `30s`, `0.5h`."""
    number = text.rstrip("dhms")
    return timedelta(**{_UNITS[text[len(number) :]]: float(number)})


def moment(text: str) -> datetime:
    """`datetime(2026-01-01T00:00Z)`; without a zone it is UTC."""
    inner = text[text.index("(") + 1 : -1].strip().strip("'\"")
    try:
        found = datetime.fromisoformat(inner)
    except ValueError as error:
        raise QueryError(f"not a datetime: {inner}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _number(value: Value, kind: Callable[[Any], Value]) -> Value:
    try:
        return None if value is None else kind(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _floor_to(value: Value, step: Value) -> Value:
    """`bin`: datetimes count from the epoch."""
    if value is None:
        return None
    if isinstance(value, datetime):
        start = datetime.fromtimestamp(0, UTC)
        return start + math.floor((value - start) / step) * step
    return math.floor(value / step) * step


def _floor(value: Value, step: Value = 1) -> Value:
    return _floor_to(value, step)


def _log(value: Value) -> Value:
    return None if value is None or value <= 0 else math.log(value)


def _compared(left: Value, right: Value, compare: Callable[[Any, Any], bool]) -> bool:
    """A comparison with null, or of a text with a number, is false."""
    try:
        return left is not None and right is not None and compare(left, right)
    except TypeError:
        return False


def _divided(left: Value, right: Value) -> Value:
    """Whole numbers divide to whole numbers, as in Kusto; by zero there is no value."""
    if not right:
        return None
    whole = isinstance(left, int) and isinstance(right, int)
    return int(left / right) if whole else left / right


def _combined(combine: Callable[[Any, Any], Value]) -> Callable[[Value, Value], Value]:
    return lambda left, right: None if left is None or right is None else combine(left, right)


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool]:
    return lambda left, right: _compared(left, right, compare)


def _same_letters(left: Value, right: Value) -> bool:
    return _text(left).lower() == _text(right).lower()


OPERATORS: Mapping[str, Callable[[Value, Value], Value]] = {
    "==": _comparison(operator.eq),
    "!=": _comparison(operator.ne),
    "<": _comparison(operator.lt),
    "<=": _comparison(operator.le),
    ">": _comparison(operator.gt),
    ">=": _comparison(operator.ge),
    "=~": _same_letters,
    "!~": lambda left, right: not _same_letters(left, right),
    "+": _combined(operator.add),
    "-": _combined(operator.sub),
    "*": _combined(operator.mul),
    "/": _combined(_divided),
}

WORDS: Mapping[str, Callable[[Value, Value], Value]] = {
    "startswith": lambda left, right: _text(left).lower().startswith(_text(right).lower()),
    "contains": lambda left, right: _text(right).lower() in _text(left).lower(),
}

FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "toint": lambda value: _number(value, lambda v: int(float(v))),
    "tolong": lambda value: _number(value, lambda v: int(float(v))),
    "todouble": lambda value: _number(value, float),
    "toreal": lambda value: _number(value, float),
    "tostring": _text,
    "tolower": lambda value: _text(value).lower(),
    "bin": _floor_to,
    "floor": _floor,
    "log": _log,
    "iff": lambda test, yes, no: yes if test else no,
    "isempty": lambda value: _text(value) == "",
    "isnotempty": lambda value: _text(value) != "",
}
