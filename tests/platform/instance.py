"""One instance of the app: its worker process, and the next one when that has died."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Self

from tests.functions.runtime import Runtime


class Instance:
    """Whoever invokes waits while a dead worker is replaced, as on the platform."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Runtime]]) -> None:
        self._begin = begin
        self._alive = ExitStack()
        self._replacing = threading.Lock()
        self._runtime: Runtime | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._alive.close()

    @property
    def runtime(self) -> Runtime:
        with self._replacing:
            assert self._runtime
            return self._runtime

    def kill(self) -> None:
        """Kill the worker as `kill -9` does, and start the next one."""
        with self._replacing:
            assert self._runtime
            self._runtime.kill()
            self._alive.close()
            self._start()

    def _start(self) -> None:
        self._runtime = self._alive.enter_context(self._begin())
        assert self._runtime.functions
