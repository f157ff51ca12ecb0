"""What every command that talks to a controller has: the controller, and one way to answer."""

import functools
import getpass
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.text import Text

from rollout.cli.contexts import Place, find_place
from rollout.cli.controller import Controller
from rollout.cli.endings import Failure
from rollout.cli.session import Session

PIPED_WIDTH = 200


@dataclass(frozen=True, slots=True)
class Talk:
    """One command's talk with its controller."""

    session: Session
    controller: Controller
    as_json: bool

    def answer(self, data: object, told: Callable[[], RenderableType]) -> None:
        answer(data, told, as_json=self.as_json)

    def name_controller(self) -> None:
        """Say which controller is about to be changed, where it does not mix with an answer."""
        click.echo(f"controller: {self.controller.place}", err=True)


@dataclass(frozen=True, slots=True)
class MayTalk:
    """A command that can do without a controller: it looks for one only when it needs it."""

    session: Session
    context: str | None
    as_json: bool

    def begin(self) -> Talk:
        place = find_place(self.session.environment, self.session.folder, self.context)
        return Talk(self.session, Controller(place, self.session.sleep), self.as_json)

    def answer(self, data: object, told: Callable[[], RenderableType]) -> None:
        answer(data, told, as_json=self.as_json)


def answer(data: object, told: Callable[[], RenderableType], *, as_json: bool) -> None:
    """JSON for machines, or what `told` makes of it for people."""
    if as_json:
        say_json(data)
    else:
        say(told())


def say_json(data: object) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def say(told: RenderableType) -> None:
    """Print for people; in a pipe nothing is cut to the width of a terminal."""
    shown = Text(told) if isinstance(told, str) else told
    screen = console()
    with screen.capture() as drawn:
        screen.print(shown, soft_wrap=isinstance(shown, Text))
    click.echo("\n".join(line.rstrip() for line in drawn.get().rstrip("\n").split("\n")))


def console() -> Console:
    made = Console(highlight=False, emoji=False)
    return made if made.is_terminal else Console(highlight=False, emoji=False, width=PIPED_WIDTH)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Answer with one JSON document on stdout."
)
markdown_option = click.option(
    "--markdown", "as_markdown", is_flag=True, help="Answer with Markdown, for a page."
)
why_option = click.option("--why", default="", help="The reason, kept in the history.")
who_option = click.option(
    "--as",
    "who",
    metavar="WHO",
    help="Who asks, by default this machine's user; on whose behalf, where the token has a name.",
)
key_option = click.option(
    "--idempotency-key", "key", help="Repeats with the same key are taken once; by default random."
)


def talks(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its Talk, and the options that choose controller and output."""

    @may_talk
    @functools.wraps(command)
    def talking(late: MayTalk, **given: Any) -> Any:  # noqa: ANN401
        return command(late.begin(), **given)

    return talking


def may_talk(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that may not need a controller."""

    @click.option(
        "--context", metavar="NAME", envvar="ROLLOUT_CONTEXT", help="The controller to talk to."
    )
    @json_option
    @click.pass_obj
    @functools.wraps(command)
    def talking(session: Session, /, context: str | None, as_json: bool, **given: Any) -> Any:  # noqa: ANN401
        return command(MayTalk(session, context, as_json), **given)

    return talking


def changes(command: Callable[..., Any]) -> Callable[..., Any]:
    """As `talks`, for a command that changes something: it says which controller, and who asks."""

    @why_option
    @who_option
    @key_option
    @talks
    @functools.wraps(command)
    def changing(talk: Talk, who: str | None, key: str | None, **given: Any) -> Any:  # noqa: ANN401
        talk.name_controller()
        return command(
            talk,
            who=who or asking(talk.controller.place),
            key=key or secrets.token_hex(16),
            **given,
        )

    return changing


def asking(place: Place) -> str | None:
    """The user of this machine, where the token does not say who asks."""
    return None if place.named else user()


def user() -> str:
    """Who sits at this machine; raises Failure where it does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise Failure("this machine does not say who you are", remedy="add --as WHO") from error
