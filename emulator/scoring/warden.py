"""Starts processes for whoever holds its standard input, and ends them all when that one is gone.

Runs alone (`python -I warden.py FOLDER`), on the standard library, in a session of its own. One
JSON object a line: in `{"start": id, "argv", "env", "cwd", "log"}` and `{"stop": id}`; out
`{"started": id, "pid"}`, `{"failed": id, "why"}` and `{"exited": id, "code"}`. The end of its
input, for whatever reason, kills every process group it began and removes FOLDER.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess  # models are processes # nosec B404
import sys
from pathlib import Path
from typing import Any

_INPUT, _OUTPUT = 0, 1


class Warden:
    """The processes begun here, by the id the other side gave them."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            self._start(order)
        elif (process := self._running.get(order["stop"])) is not None:
            _kill_group(process.pid)

    def reap(self) -> None:
        """Tell of every process that ended since the last look."""
        for name, process in list(self._running.items()):
            code = process.poll()
            if code is not None:
                _kill_group(process.pid)  # its workers outlive a leader that was killed
                del self._running[name]
                _tell({"exited": name, "code": code})

    def end(self) -> None:
        for process in self._running.values():
            _kill_group(process.pid)
        for process in self._running.values():
            process.wait()

    def _start(self, order: dict[str, Any]) -> None:
        name = order["start"]
        try:
            with Path(order["log"]).open("ab") as log:
                process = subprocess.Popen(  # noqa: S603 - the emulator's own command # nosec B603
                    order["argv"],
                    env=order["env"],
                    cwd=order["cwd"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            _tell({"failed": name, "why": str(error)})
        else:
            self._running[name] = process
            _tell({"started": name, "pid": process.pid})


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _tell(message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(_OUTPUT, json.dumps(message).encode() + b"\n")


def _child_ended_pipe() -> int:
    """A descriptor that becomes readable when a child ends; other signals are shrugged off."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reading


def _serve(warden: Warden) -> None:
    woken, rest = _child_ended_pipe(), b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(_INPUT, selectors.EVENT_READ)
        waiting.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in waiting.select()}
            if woken in ready:
                os.read(woken, 4096)
                warden.reap()
            if _INPUT in ready:
                piece = os.read(_INPUT, 65_536)
                if not piece:
                    return
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    warden.obey(json.loads(line))


def main(folder: str) -> None:
    warden = Warden()
    try:
        _serve(warden)
    finally:
        warden.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
