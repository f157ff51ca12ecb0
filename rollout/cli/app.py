"""The command `rollout`: all commands in one group."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from rollout.cli.audit import audit
from rollout.cli.backup import backup, restore
from rollout.cli.context_commands import context
from rollout.cli.dead_letters import dead_letters
from rollout.cli.disagreements import disagreements
from rollout.cli.doctor import doctor
from rollout.cli.endings import Exit
from rollout.cli.events import events
from rollout.cli.explain import explain
from rollout.cli.export import export
from rollout.cli.keys import keys
from rollout.cli.orders import ORDERS
from rollout.cli.plan import plan
from rollout.cli.policies import policy
from rollout.cli.prune import prune
from rollout.cli.replay import minutes, replay
from rollout.cli.rollouts import get, list_rollouts, start
from rollout.cli.settings import settings
from rollout.cli.tokens import token
from rollout.cli.up import up
from rollout.cli.watch import watch

_SHORT_HELP = """\
rollout brings a new deployment of an Azure Machine Learning endpoint to all traffic, or back.

  rollout up                          start a controller on this machine
  rollout start ENDPOINT DEPLOYMENT   roll a new deployment out; --wait watches it
  rollout list                        see all rollouts, first those that need you

All commands: rollout --help"""

SECTIONS = {
    "See": (list_rollouts, get, watch, explain, events, disagreements),
    "Start": (up, start),
    "Rehearse": (plan, replay, minutes),
    "Decide": ORDERS,
    "Keys": (keys,),
    "Set up": (policy, context, token, settings, doctor, dead_letters),
    "Keep": (audit, export, prune, backup, restore),
}


class _Commands(click.Group):
    """Exit codes that never collide with those of a rollout, and commands in sections."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401
        with _own_exit_codes():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        with _own_exit_codes():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for commands in SECTIONS.values() for name in _names(commands)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(str(one.name), one.get_short_help_str(80)) for one in commands]
                )


def _names(commands: tuple[click.Command, ...]) -> list[str]:
    return [str(command.name) for command in commands]


@contextmanager
def _own_exit_codes() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.show()
        raise click.exceptions.Exit(Exit.USAGE) from None
    except (KeyboardInterrupt, click.Abort):
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to flush
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None


def _say_version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    del parameter
    if asked:
        try:
            click.echo(f"rollout {version('rollout')}")
        except PackageNotFoundError:  # run from a checkout
            click.echo("rollout, not installed")
        ctx.exit()


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command has examples: rollout COMMAND --help",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version and exit.",
)
@click.pass_context
def rollout(ctx: click.Context) -> None:
    """Progressive delivery for models on Azure Machine Learning endpoints."""
    if ctx.invoked_subcommand is None:
        click.echo(_SHORT_HELP)


for _commands in SECTIONS.values():
    for _command in _commands:
        rollout.add_command(_command)
