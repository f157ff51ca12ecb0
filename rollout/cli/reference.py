"""The reference page of the command line, drawn from the commands themselves."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from rollout.cli.app import SECTIONS
from rollout.cli.endings import EXIT_MEANINGS

_INTRODUCTION = """\
# Command line

<!-- Drawn from the code: change the commands, then run python -m rollout.cli.reference -->

`rollout` talks to a controller over its HTTP API; only `rollout up` starts one. None is needed for
`policy check`, `policy schema`, `context`, `token`, `settings`, `backup`, `restore` and
`abort --direct`, nor for `plan`, `replay` and `audit verify` where all they are given is on this
machine. `REF` is an endpoint (`churn`, or `contoso/churn`
where the name alone is ambiguous), which means its live or last rollout, or the id of any rollout.

Which controller is meant: `--context NAME` or `ROLLOUT_CONTEXT`; else `ROLLOUT_URL` with
`ROLLOUT_TOKEN`; else the context chosen by `rollout context use`; else the one that `rollout up`
started in this folder, whose address and token lie in `.rollout/` (or where `ROLLOUT_DATA` says).
Contexts are kept in a file that only its owner can read; `ROLLOUT_CONFIG` names another file.
Tokens are read from a file or a variable, or are those of your sign-in to Azure; never from the
command line, and never shown.
`rollout token` shows each that it makes once.

Every command takes `--json`: one JSON document on stdout and nothing else. Errors go to stderr:
what is wrong, where, and what to do. Commands that change something say there which controller
they talk to.
"""
PATH = Path("docs/reference/cli.md")


def page() -> str:
    """The whole page as Markdown."""
    parts = [_INTRODUCTION, *_exit_codes()]
    for title, commands in SECTIONS.items():
        parts.append(f"## {title}\n")
        for command in commands:
            parts += _command(command, f"rollout {command.name}")
    return "\n".join(parts)


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n|---|---|"
    yield from (f"| {code.value} | {meaning} |" for code, meaning in EXIT_MEANINGS.items())
    yield ""


def _command(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _command(child, f"{name} {child.name}")
        return
    words = [_argument(one) for one in command.params if isinstance(one, click.Argument)]
    yield f"### {name}\n\n{inspect.cleandoc(command.help or '')}\n"
    yield f"```text\n{' '.join([name, *words, '[OPTIONS]'])}\n```\n"
    yield "| option | meaning |\n|---|---|"
    yield from (_option(one) for one in command.params if isinstance(one, click.Option))
    yield f"\n{_examples(command.epilog or '')}"


def _argument(argument: click.Argument) -> str:
    name = argument.human_readable_name.upper()
    if argument.nargs == -1:
        return f"{name}..."
    return name if argument.required else f"[{name}]"


def _option(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    if isinstance(option.type, click.Choice):
        value = f" {', '.join(option.type.choices)}"
    default = f" [default: {option.default}]" if option.show_default else ""
    return f"| `{option.opts[0]}{value}` | {option.help}{default} |"


def _examples(epilog: str) -> str:
    lines = epilog.replace("\b\n", "").replace("Examples:\n", "").strip("\n")
    return f"```sh\n{inspect.cleandoc(lines)}\n```\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
