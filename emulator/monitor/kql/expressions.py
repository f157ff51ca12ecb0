"""Expressions: parsed once, evaluated on each row."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from emulator.monitor.kql import values
from emulator.monitor.kql.values import FUNCTIONS, OPERATORS, WORDS
from emulator.monitor.kql.words import QueryError, Token, tokens

Row = Mapping[str, Any]
Expression = Callable[[Row], Any]
_LITERALS: Mapping[str, Callable[[str], Any]] = {
    "number": lambda text: float(text) if "." in text else int(text),
    "text": lambda text: text[1:-1].encode().decode("unicode_escape"),
    "timespan": values.timespan,
    "moment": values.moment,
}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "=~", "!~"})


class Reader:
    """Takes tokens from the front; knows the columns there are at this point of the query."""

    def __init__(self, query: str, now: datetime) -> None:
        self._left = tokens(query)
        self._now = now
        self.columns: list[str] = []

    @property
    def next(self) -> Token:
        return self._left[0]

    @property
    def after_next(self) -> Token:
        return self._left[min(1, len(self._left) - 1)]

    def take(self) -> Token:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    def took(self, text: str) -> bool:
        """Take the next token if it is this one."""
        if self.next.kind != "text" and self.next.text == text:
            self.take()
            return True
        return False

    def must(self, text: str) -> None:
        if not self.took(text):
            raise QueryError(f"expected {text!r}, found {self.next.text!r}")

    def word(self) -> str:
        if self.next.kind != "word":
            raise QueryError(f"expected a name, found {self.next.text!r}")
        return self.take().text

    def list_of(self, read: Callable[[], Any]) -> list[Any]:
        found = [read()]
        while self.took(","):
            found.append(read())
        return found

    def expression(self) -> Expression:
        """or, and, comparison, sum, product, and what stands alone: loosest first."""
        parts = [self._and()]
        while self.took("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def called_on(self) -> str:
        """The first word inside the call that comes next: `a` of `bin(a, 1m)`."""
        return self._left[min(2, len(self._left) - 1)].text

    def _and(self) -> Expression:
        parts = [self._comparison()]
        while self.took("and"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _comparison(self) -> Expression:
        left = self._chain(self._product, ("+", "-"))
        if self.took("between"):
            return self._between(left)
        if self.took("in"):
            return self._in(left)
        for word in WORDS:
            if self.took(word):
                return _applied(WORDS[word], left, self._chain(self._product, ("+", "-")))
        if self.next.kind == "sign" and self.next.text in _COMPARISONS:
            verb = OPERATORS[self.take().text]
            right = self._chain(self._product, ("+", "-"))
            return lambda row: verb(left(row), right(row))
        return left

    def _between(self, value: Expression) -> Expression:
        self.must("(")
        low = self._chain(self._product, ("+", "-"))
        self.must("..")
        high = self._chain(self._product, ("+", "-"))
        self.must(")")
        above, below = OPERATORS[">="], OPERATORS["<="]
        return lambda row: above(value(row), low(row)) and below(value(row), high(row))

    def _in(self, value: Expression) -> Expression:
        self.must("(")
        options = self.list_of(self.expression)
        self.must(")")
        return lambda row: value(row) in [option(row) for option in options]

    def _product(self) -> Expression:
        return self._chain(self._alone, ("*", "/"))

    def _chain(self, read: Callable[[], Expression], verbs: tuple[str, ...]) -> Expression:
        left = read()
        while self.next.kind == "sign" and self.next.text in verbs:
            left = _applied(OPERATORS[self.take().text], left, read())
        return left

    def _alone(self) -> Expression:
        token = self.take()
        if token.kind in _LITERALS:
            return _constant(_LITERALS[token.kind](token.text))
        match token.kind, token.text:
            case "sign", "(":
                inside = self.expression()
                self.must(")")
                return inside
            case "sign", "-":
                inner = self._alone()
                return lambda row: -inner(row)
            case "word", name:
                return self._named(name)
            case _:
                raise QueryError(f"unexpected {token.text!r}")

    def _named(self, name: str) -> Expression:
        """A function's call, a constant or a column."""
        if self.took("("):
            return self._call(name)
        if name in {"true", "false"}:
            return _constant(name == "true")
        if name not in self.columns:
            raise QueryError(f"'{name}' is not a column here; there are: {', '.join(self.columns)}")
        return lambda row: row[name]

    def _call(self, name: str) -> Expression:
        arguments = [] if self.next.text == ")" else self.list_of(self.expression)
        self.must(")")
        if name == "now" and not arguments:
            return _constant(self._now)
        if name == "ago" and len(arguments) == 1:
            return lambda row: self._now - arguments[0](row)
        function = FUNCTIONS.get(name)
        if function is None:
            raise QueryError(f"the function {name} is not played; known: {', '.join(FUNCTIONS)}")
        return _called(function, name, arguments)


def _constant(value: object) -> Expression:
    return lambda _: value


def _applied(verb: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
    return lambda row: verb(left(row), right(row))


def _called(function: Callable[..., Any], name: str, arguments: list[Expression]) -> Expression:
    def call(row: Row) -> Any:  # noqa: ANN401 - any value of a query
        try:
            return function(*(argument(row) for argument in arguments))
        except (TypeError, ValueError, ArithmeticError) as error:
            raise QueryError(f"{name} cannot be called so: {error}") from error

    return call
