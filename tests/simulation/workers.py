"""Workers that die at a call or at a line, and that are interleaved at their calls to ports."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from greenlet import greenlet

import rollout

_ROOM = Path(rollout.__file__).parent
PLACES = {
    str(_ROOM / name): Path(name).name
    for name in ("engine.py", "effects.py", "looks.py", "core/record.py")
}
"""Where a worker may die at any line: from the first load to the last thing done."""


class Died(BaseException):
    """A worker was killed at this line."""


class Turns:
    """Two or more workers at once: at each port call the dice say who goes on.

    Each is a greenlet, so only one runs at a time, and a seed replays exactly.
    """

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._alive: list[greenlet] = []

    def together(self, jobs: Sequence[Callable[[], object]]) -> None:
        """Run all to their end; raises what the first to fail raised."""
        if len(jobs) == 1:
            jobs[0]()
            return
        errors = list[BaseException]()
        self._alive = [greenlet(partial(_done, job, errors)) for job in jobs]
        while self._alive:
            _switched(self._dice.choice(self._alive))
            self._alive = [one for one in self._alive if not one.dead]
        if errors:
            raise errors[0]

    def hand_over(self) -> None:
        """The one place where another may go on."""
        if len(self._alive) > 1:
            _switched(self._dice.choice(self._alive))


def _done(job: Callable[[], object], errors: list[BaseException]) -> None:
    sys.settrace(None)  # that of whoever has switched here
    try:
        job()
    except BaseException as error:  # noqa: BLE001 - the storm itself raises it again
        errors.append(error)


def _switched(to: greenlet) -> None:
    """Each has lines of its own to die at: what is traced is a matter of the thread."""
    traced = sys.gettrace()
    to.switch()
    sys.settrace(traced)


@dataclass
class Deaths:
    """When workers die: at a rate, or at the n-th chance exactly; and where others come between."""

    random: Random
    rate: float = 0.0
    at: int | None = None
    line_rate: float = 0.0
    line: tuple[str, int, int] | None = None
    chances: int = 0
    depth: int = 0
    died: list[str] = field(default_factory=list)
    lines: dict[tuple[str, int], int] = field(default_factory=dict)
    turns: Turns | None = None
    watching: bool = False

    def maybe(self, place: str) -> None:
        if self.turns and not self.depth:
            self.turns.hand_over()
        self.chances += 1
        if self.chances == self.at or (self.rate and self.random.random() < self.rate):
            self._die(place)

    def _die(self, place: str) -> None:
        self.died.append(place)
        raise Died(place)

    def during(self, do: Callable[[], object]) -> None:
        """Run it, with death lurking at each line of the engine where that was asked for."""
        aimed = self.line and not self.died
        if not (self.line_rate or aimed or self.watching):
            do()
            return
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            do()
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, _what: str, _about: object) -> Any:
        return self._stepped if frame.f_code.co_filename in PLACES else None

    def _stepped(self, frame: FrameType, what: str, _about: object) -> Any:
        if what == "line" and (self._is_there(frame) or self._is_struck()):
            place = f"line {PLACES[frame.f_code.co_filename]}:{frame.f_lineno}"
            self._die(place)
        return self._stepped

    def _is_struck(self) -> bool:
        return bool(self.line_rate) and self.random.random() < self.line_rate

    def _is_there(self, frame: FrameType) -> bool:
        """Whether this is the line that is aimed at, that time; where one is, lines are counted."""
        if not (self.line or self.watching):
            return False
        here = (PLACES[frame.f_code.co_filename], frame.f_lineno)
        self.lines[here] = self.lines.get(here, 0) + 1
        return self.line == (*here, self.lines[here])


@dataclass
class Mortal:
    """A port whose caller may die, or be overtaken, before or after any call."""

    port: Any
    deaths: Deaths

    def __getattr__(self, name: str) -> Any:  # a port's own methods
        port, deaths, before, after = self.port, self.deaths, f"before {name}", f"after {name}"
        if not callable(getattr(port, name)):
            return getattr(port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            deaths.maybe(before)
            deaths.depth += 1
            try:
                answer = getattr(port, name)(*args, **kwargs)
            finally:
                deaths.depth -= 1
            deaths.maybe(after)
            return answer

        setattr(self, name, call)  # made once
        return call
