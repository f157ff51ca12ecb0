"""`rollout settings`: every setting, its value, and where the value comes from."""

from collections.abc import Mapping, Sequence

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rollout.cli.endings import Failure
from rollout.cli.session import Session
from rollout.cli.talk import answer, json_option
from rollout.errors import Malformed
from rollout.settings import PREFIX, Settings

MASK = "***"

Row = Mapping[str, str | None]


@click.command(
    epilog="""\b
Examples:
  rollout settings                # as this shell's environment would set them
  rollout settings --json"""
)
@json_option
@click.pass_obj
def settings(session: Session, /, as_json: bool) -> None:
    """Show every setting of a controller: its variable, value, where that is from, what it is for.

    It reads the environment it is called in, and needs no controller. Secrets are not shown. The
    exit code is 4 where a controller would refuse to start with these; `rollout up` sets some
    itself.
    """
    rows = [_row(name, session.environment) for name in Settings.model_fields]
    answer({"settings": rows}, lambda: _told(rows), as_json=as_json)
    try:
        Settings.load(session.environment)
    except Malformed as error:
        raise Failure(
            str(error),
            where="the environment",
            remedy="set, mend or unset the variables named above",
        ) from error


def _row(name: str, environment: Mapping[str, str]) -> Row:
    field, variable = Settings.model_fields[name], PREFIX + name.upper()
    given = environment.get(variable)
    if given is not None and "SecretStr" in str(field.annotation):
        given = MASK
    source = "environment" if given is not None else "default"
    if given is None and field.is_required():
        source = "missing"
    elif given is None and field.default not in (None, ()):
        given = str(field.default)
    return {
        "variable": variable,
        "value": given,
        "from": source,
        "for": field.description,
    }


def _told(rows: Sequence[Row]) -> RenderableType:
    """Each on two lines: names and values are whole in a narrow terminal too."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for row in rows:
        source = str(row["from"])
        told = Text.assemble((str(row["variable"]), "bold"), f" = {row['value'] or '-'}")
        told.append(f"\n{row['for']}", "dim")
        table.add_row(Text(source, _STYLES.get(source, "")), told)
    return table


_STYLES: Mapping[str, str] = {"missing": "bold red", "default": "dim"}
