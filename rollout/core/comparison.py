"""Whether two answers to the same request are the same, and by how much they are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from pydantic_core import from_json, to_json

from rollout.core.agreement import Exact, Label, Numeric, OfContent, Status, TopK

_LARGEST = 1e300
_ROUNDING = 1 + 1e-9
"""2.0 and 1.9 are 0.1 apart, whatever binary numbers make of it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What two answers to one request came to; `difference` is the canary's score less the other.

    `up` and `down` tell that only the canary, or only the baseline, said yes.
    """

    canary: str
    baseline: str
    differs: bool
    difference: float | None = None
    up: bool = False
    down: bool = False


class Unreadable(ValueError):
    """The baseline's answer has nothing to compare with: the policy is to be mended."""


def compare(how: OfContent, canary: bytes, baseline: bytes) -> Pair:
    """Compare two answers; a canary whose answer cannot be read differs. Raises Unreadable."""
    theirs = _value(how, baseline)
    try:
        mine = _value(how, canary)
    except Unreadable as strange:
        return Pair(f"({strange})", _shown(theirs), differs=True)
    told = _shown(mine), _shown(theirs)
    match how:
        case Exact() | TopK():
            return Pair(*told, differs=not same(mine, theirs))
        case Label(positive=positive):
            yes, their_yes = (
                positive is not None and same(one, positive) for one in (mine, theirs)
            )
            differs = not same(mine, theirs)
            return Pair(*told, differs, up=yes and not their_yes, down=their_yes and not yes)
        case Numeric(tolerance=tolerance):
            return _numeric(mine, theirs, tolerance, told)
        case _:
            assert_never(how)


def compare_how(how: Status, canary: "Went", baseline: "Went") -> Pair:
    """Compare how two requests went, whatever was answered."""
    slower = canary.took_ms - baseline.took_ms
    late = how.slower_by_ms is not None and slower > how.slower_by_ms
    return Pair(str(canary), str(baseline), differs=canary.status != baseline.status or late)


@dataclass(frozen=True, slots=True)
class Went:
    """How a request went."""

    status: int
    took_ms: float

    def __str__(self) -> str:
        return f"status {self.status} in {self.took_ms:.0f} ms"


def score(how: OfContent, answer: bytes) -> float | None:
    """The mean of the numbers that `numeric` compares; None where there is none."""
    if not isinstance(how, Numeric):
        return None
    try:
        found = _value(how, answer)
    except Unreadable:
        return None
    return float(sum(found) / len(found))


def _numeric(
    mine: Sequence[float], theirs: Sequence[float], tolerance: float, told: tuple[str, str]
) -> Pair:
    if len(mine) != len(theirs):
        return Pair(*told, differs=True)
    gaps = [one - other for one, other in zip(mine, theirs, strict=True)]
    furthest = max(abs(gap) for gap in gaps)
    beyond = furthest > tolerance * _ROUNDING
    return Pair(*told, differs=beyond, difference=sum(gaps) / len(gaps))


def same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1, and 1 is 1.0."""
    return bool(_marked(one) == _marked(other))


def _marked(value: Any) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case bool():
            return ("bool", value)
        case list():
            return [_marked(one) for one in value]
        case dict():
            return {name: _marked(one) for name, one in value.items()}
        case _:
            return value


# -- what is compared ----------------------------------------------------------------------------


def _value(how: OfContent, answer: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        whole = from_json(answer)
    except ValueError:
        if isinstance(how, Exact) and how.path is None:
            return answer.decode(errors="backslashreplace")
        raise Unreadable("the answer is no JSON") from None
    found = value_at(whole, how.path)
    match how:
        case Numeric():
            return _numbers(found, how.path)
        case TopK(k=k):
            return _best(found, k, how.path)
        case _:
            return found


def value_at(value: Any, path: str | None) -> Any:  # noqa: ANN401 - any JSON
    """What a dotted path leads to; raises Unreadable."""
    for part in path.split(".") if path else ():
        match value:
            case dict() if part in value:
                value = value[part]
            case list() if part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            case _:
                raise Unreadable(f"the answer has nothing at {path}")
    return value


def _numbers(value: Any, path: str | None) -> list[float]:  # noqa: ANN401 - any JSON
    found = value if isinstance(value, list) else [value]
    if not found or not all(_is_number(one) for one in found):
        raise Unreadable(f"{_place(path)} is neither a number nor a list of numbers")
    return [float(one) for one in found]


def _best(value: Any, k: int, path: str | None) -> frozenset[str]:  # noqa: ANN401 - any JSON
    """The names, or the places in a list of scores, of the best k; of equals the first."""
    match value:
        case dict() if value and all(_is_number(one) for one in value.values()):
            scores = dict(value)
        case list() if value and all(_is_number(one) for one in value):
            scores = {str(place): score for place, score in enumerate(value)}
        case list() if value and all(isinstance(one, str) for one in value):
            return frozenset(value[:k])
        case _:
            raise Unreadable(f"{_place(path)} has no scores, and is no list of names")
    return frozenset(sorted(scores, key=lambda name: -scores[name])[:k])


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -_LARGEST < value < _LARGEST


def _place(path: str | None) -> str:
    return f"what is at {path}" if path else "the answer"


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, frozenset):
        value = sorted(value)
    return to_json(value).decode()
