"""`rollout watch`: a live view of one rollout, whose exit code CI can use."""

import sys
from collections.abc import Iterator

import click
from rich.console import Console, RenderableType
from rich.live import Live

from rollout.analysis.words import minutes
from rollout.cli.endings import EXIT_OF, Exit
from rollout.cli.follow import PATIENCE_SECONDS, Moment, follow
from rollout.cli.lines import Lines
from rollout.cli.panel import EVENTS_TOLD, panel
from rollout.cli.talk import Talk, console, say_json, talks
from rollout.views import RolloutView

timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="MINUTES",
    help="Exit 2 when it takes longer.",
)
plain_option = click.option(
    "--plain", is_flag=True, help="Line by line, as it is without a terminal."
)


@click.command(
    epilog="""\b
Examples:
  rollout watch churn
  rollout watch contoso/churn --timeout 90   # in CI, which reads the exit code"""
)
@click.argument("ref")
@timeout_option
@plain_option
@talks
def watch(talk: Talk, ref: str, timeout: float | None, plain: bool) -> None:
    """Watch the rollout of endpoint (or id) REF until it is over.

    Exits 0 when it is promoted, 1 rolled back, 2 undecided in time, 3 aborted, superseded,
    undone or released, 4 refused, 5 when the controller does not answer.
    """
    seconds = timeout * 60 if timeout is not None else None
    watch_view(talk, talk.controller.rollout(ref), seconds, plain=plain)


def watch_view(
    talk: Talk, first: RolloutView, timeout: float | None, *, plain: bool = False
) -> None:
    """Follow a rollout on the screen to its end, and exit with its code."""
    moments = follow(talk.controller, talk.session, first, timeout)
    screen = console()
    try:
        if talk.as_json or plain or not sys.stdout.isatty() or screen.is_dumb_terminal:
            last = _lines(talk, moments, first)
        else:
            last = _live(talk, moments, screen)
    except KeyboardInterrupt:
        click.echo(f"\nthe rollout goes on; look again: rollout watch {first.endpoint}", err=True)
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    if talk.as_json:
        say_json(last.model_dump(mode="json"))
    raise click.exceptions.Exit(_code(last, timeout))


def _code(last: RolloutView, timeout: float | None) -> Exit:
    if last.outcome:
        return EXIT_OF[last.outcome]
    click.echo(
        f"rollout: {last.endpoint} is undecided after {minutes((timeout or 0) / 60)}; it goes on\n"
        f"  waits: {last.waits_for}\n  do:    {last.remedy or f'rollout watch {last.endpoint}'}",
        err=True,
    )
    return Exit.UNDECIDED


# -- in a terminal ---------------------------------------------------------------------------------


def _live(talk: Talk, moments: Iterator[Moment], screen: Console) -> RolloutView:
    """One picture that is drawn anew; the last one stays."""
    footer = f"controller {talk.controller.place}"
    with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as live:
        for moment in moments:
            live.update(_fitting(moment, footer, screen), refresh=True)
    return moment.view


def _fitting(moment: Moment, footer: str, screen: Console) -> RenderableType:
    """The picture with as many events as the screen has room for."""
    for count in range(EVENTS_TOLD, 0, -1):
        whole = panel(moment.view, moment.entries[-count:], _silence(moment), footer)
        if len(screen.render_lines(whole)) < screen.height - 1:
            return whole
    return panel(moment.view, (), _silence(moment))


def _silence(moment: Moment) -> str:
    if moment.silence is None:
        return ""
    return (
        f"The controller has not answered for {moment.silence:.0f} s; this is what it said last."
        f" Trying for {PATIENCE_SECONDS - moment.silence:.0f} s more."
    )


# -- without one -----------------------------------------------------------------------------------


def _lines(talk: Talk, moments: Iterator[Moment], first: RolloutView) -> RolloutView:
    """One line for each new thing; beside JSON they go to stderr."""
    lines = Lines(err=talk.as_json)
    lines.begin(first, str(talk.controller.place))
    for moment in moments:
        lines.tell(moment)
    lines.end(moment.view)
    return moment.view
