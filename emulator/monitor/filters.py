"""The `$filter` of a metrics request: `deployment eq 'green' and statusCode eq '*'`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulator.arm.refusals import Refusal

_TOKEN = re.compile(r"\s*(?:(\(|\))|'((?:[^']|'')*)'|(\w+))")
_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda found, wanted: wanted in {"*", found},
    "ne": lambda found, wanted: found != wanted,
    "sw": lambda found, wanted: found.startswith(wanted),
}

Test = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """`dimensions` (lower-cased) split the series; `accepts` says which cells count."""

    dimensions: tuple[str, ...] = ()
    accepts: Test = lambda _: True


def parse(text: str, known: frozenset[str]) -> Filter:
    """Raise Refusal when `text` is not such a filter or names an unknown dimension."""
    if not text.strip():
        return Filter()
    parser = _Parser(_tokens(text), known)
    accepts = parser.any_of()
    if parser.left:
        raise _wrong(f"unexpected {parser.left[0]!r}")
    return Filter(tuple(dict.fromkeys(parser.seen)), accepts)


class _Parser:
    """Recursive descent: or, and, comparison or parenthesis."""

    def __init__(self, tokens: list[str], known: frozenset[str]) -> None:
        self.left = tokens
        self.seen: list[str] = []
        self._known = known

    def any_of(self) -> Test:
        tests = [self._all_of()]
        while self._took("or"):
            tests.append(self._all_of())
        return lambda cell: any(test(cell) for test in tests)

    def _all_of(self) -> Test:
        tests = [self._one()]
        while self._took("and"):
            tests.append(self._one())
        return lambda cell: all(test(cell) for test in tests)

    def _one(self) -> Test:
        if not self._took("("):
            return self._comparison()
        test = self.any_of()
        if not self._took(")"):
            raise _wrong("a parenthesis is not closed")
        return test

    def _comparison(self) -> Test:
        if len(self.left) < 3:
            raise _wrong("write name eq 'value'")
        name, verb, value = (self.left.pop(0) for _ in range(3))
        compare = _COMPARISONS.get(verb.lower())
        if name.lower() not in self._known or compare is None or not value.startswith("'"):
            known = ", ".join(sorted(self._known))
            raise _wrong(f"{name} {verb} {value}; dimensions are: {known}")
        self.seen.append(name.lower())
        return lambda cell: compare(cell[name.lower()].lower(), value[1:].lower())

    def _took(self, word: str) -> bool:
        if self.left and self.left[0].lower() == word:
            self.left.pop(0)
            return True
        return False


def _tokens(text: str) -> list[str]:
    """Quoted values keep their first quote, so that they are no words."""
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(text[at:])
        sign, quoted, word = found.groups()
        tokens.append(sign or word or "'" + quoted.replace("''", "'"))
        at = found.end()
    return tokens


def _wrong(why: str) -> Refusal:
    return Refusal(400, "BadRequest", f"Invalid filter: {why}")
