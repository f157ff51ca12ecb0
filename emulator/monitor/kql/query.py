"""A query: a table's name and the operators after it, each making rows of rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulator.monitor.kql import aggregates
from emulator.monitor.kql.aggregates import Aggregate
from emulator.monitor.kql.expressions import Expression, Reader
from emulator.monitor.kql.words import QueryError

Row = dict[str, Any]
Rows = Iterable[Row]
Step = Callable[[list[Row]], list[Row]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in order, and rows that have all of them."""

    columns: tuple[str, ...]
    rows: Rows


@dataclass(frozen=True, slots=True)
class _Sort:
    value: Expression
    descending: bool


def run(query: str, tables: Mapping[str, Table], now: datetime) -> Table:
    """The query's result; QueryError for whatever is not understood here."""
    reader = Reader(query.strip().rstrip(";"), now)
    name = reader.word()
    if name not in tables:
        raise QueryError(f"'{name}' is not a table here; there are: {', '.join(tables)}")
    reader.columns = list(tables[name].columns)
    steps = _steps(reader)
    rows = list(tables[name].rows)
    for step in steps:
        rows = step(rows)
    return Table(tuple(reader.columns), [{n: row[n] for n in reader.columns} for row in rows])


def _steps(reader: Reader) -> list[Step]:
    steps = []
    while reader.took("|"):
        name = reader.word()
        if name not in _OPERATORS:
            raise QueryError(f"the operator {name} is not played; known: {', '.join(_OPERATORS)}")
        steps.append(_OPERATORS[name](reader))
    if reader.next.kind != "end":
        raise QueryError(f"unexpected {reader.next.text!r}")
    return steps


def _where(reader: Reader) -> Step:
    test = reader.expression()
    return lambda rows: [row for row in rows if test(row)]


def _extend(reader: Reader) -> Step:
    made = []
    for name, value in reader.list_of(lambda: _assigned(reader)):
        made.append((name, value))
        if name not in reader.columns:
            reader.columns.append(name)
    return lambda rows: [row | {name: value(row) for name, value in made} for row in rows]


def _project(reader: Reader) -> Step:
    made: list[tuple[str, Expression]] = reader.list_of(lambda: _column(reader))
    reader.columns = [name for name, _ in made]
    return lambda rows: [{name: value(row) for name, value in made} for row in rows]


def _summarize(reader: Reader) -> Step:
    wanted: list[tuple[str, Aggregate]] = []
    if reader.next.text != "by":
        wanted = reader.list_of(lambda: aggregates.read(reader))
    groups: list[tuple[str, Expression]] = []
    if reader.took("by"):
        groups = reader.list_of(lambda: _column(reader))
    reader.columns = [name for name, _ in (*groups, *wanted)]
    return lambda rows: _summarized(rows, groups, wanted)


def _summarized(
    rows: list[Row], groups: list[tuple[str, Expression]], wanted: list[tuple[str, Aggregate]]
) -> list[Row]:
    """One row a group; without groups one row even of nothing."""
    found: dict[tuple[Any, ...], list[Row]] = {} if groups else {(): []}
    for row in rows:
        found.setdefault(tuple(value(row) for _, value in groups), []).append(row)
    names = [name for name, _ in groups]
    return [
        dict(zip(names, key, strict=True)) | {name: make(members) for name, make in wanted}
        for key, members in found.items()
    ]


def _order(reader: Reader) -> Step:
    """Descending unless it says asc, as in Kusto."""
    reader.must("by")
    sorts: list[_Sort] = reader.list_of(lambda: _sort(reader))

    def ordered(rows: list[Row]) -> list[Row]:
        for sort in reversed(sorts):
            rows = sorted(rows, key=lambda row: _rank(sort.value(row)), reverse=sort.descending)
        return rows

    return ordered


def _sort(reader: Reader) -> _Sort:
    value = reader.expression()
    ascending = reader.took("asc")
    if not ascending:
        reader.took("desc")
    return _Sort(value, not ascending)


def _take(reader: Reader) -> Step:
    token = reader.take()
    if token.kind != "number" or "." in token.text:
        raise QueryError(f"expected a whole number, found {token.text!r}")
    return lambda rows: rows[: int(token.text)]


def _assigned(reader: Reader) -> tuple[str, Expression]:
    name = reader.word()
    reader.must("=")
    return name, reader.expression()


def _column(reader: Reader) -> tuple[str, Expression]:
    """`name = expression`, a column, or `bin(column, ...)`, which keeps the column's name."""
    if reader.after_next.text == "=":
        return _assigned(reader)
    name = reader.next.text
    if name in {"bin", "floor"}:
        return reader.called_on(), reader.expression()
    if name not in reader.columns:
        raise QueryError(f"'{name}' is not a column here; there are: {', '.join(reader.columns)}")
    return name, reader.expression()


def _rank(value: object) -> tuple[bool, Any]:
    return value is not None, value


_OPERATORS: Mapping[str, Callable[[Reader], Step]] = {
    "where": _where,
    "extend": _extend,
    "project": _project,
    "summarize": _summarize,
    "order": _order,
    "sort": _order,
    "take": _take,
    "limit": _take,
}
