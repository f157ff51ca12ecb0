"""Aggregations of `summarize`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.monitor.kql.expressions import Expression, Reader, Row
from emulator.monitor.kql.words import QueryError
from emulator.monitor.metrics import percentile

Aggregate = Callable[[Sequence[Row]], Any]


def read(reader: Reader) -> tuple[str, Aggregate]:
    """`name = count()` or `count()`, whose name is then `count_`."""
    name = ""
    if reader.after_next.text == "=":
        name = reader.word()
        reader.must("=")
    function = reader.word()
    if function not in _AGGREGATES:
        known = ", ".join(_AGGREGATES)
        raise QueryError(f"the aggregation {function} is not played; known: {known}")
    start = reader.next
    reader.must("(")
    column = reader.next.text if reader.next.kind == "word" else ""
    arguments = [] if reader.next.text == ")" else reader.list_of(reader.expression)
    reader.must(")")
    shape, make = _AGGREGATES[function]
    if len(arguments) != shape:
        raise QueryError(f"{function}{start.text} takes {shape} arguments, not {len(arguments)}")
    return name or f"{function}_{column}", make(*arguments)


def _count() -> Aggregate:
    return len


def _countif(test: Expression) -> Aggregate:
    return lambda rows: sum(1 for row in rows if test(row))


def _values(rows: Sequence[Row], value: Expression) -> list[Any]:
    return [found for row in rows if (found := value(row)) is not None]


def _of_values(combine: Callable[[list[Any]], Any]) -> Callable[[Expression], Aggregate]:
    """An aggregate of the values there are; of none it is null."""

    def make(value: Expression) -> Aggregate:
        def aggregate(rows: Sequence[Row]) -> Any:  # noqa: ANN401 - any value of a query
            found = _values(rows, value)
            return combine(found) if found else None

        return aggregate

    return make


def _percentile(value: Expression, percent: Expression) -> Aggregate:
    return _of_values(lambda found: percentile(found, percent({})))(value)


_AGGREGATES: Mapping[str, tuple[int, Callable[..., Aggregate]]] = {
    "count": (0, _count),
    "countif": (1, _countif),
    "percentile": (2, _percentile),
    "avg": (1, _of_values(lambda found: sum(found) / len(found))),
    "sum": (1, _of_values(sum)),
    "min": (1, _of_values(min)),
    "max": (1, _of_values(max)),
}
