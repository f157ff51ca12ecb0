"""Local tokens in a file beside the state: digests only, read again when it changes."""

from pathlib import Path
from threading import Lock

from rollout.core.callers import LocalToken, parse_tokens
from rollout.errors import Malformed, Unavailable


class TokenFile:
    """One entry a line; what is added or revoked counts from the next request on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._state: tuple[int, int, int] | None = None
        self._tokens: tuple[LocalToken, ...] = ()

    def tokens(self) -> tuple[LocalToken, ...]:
        """No file, no tokens; raises Unavailable where it is broken: then nobody gets in by it."""
        with self._lock:
            try:
                now = self._path.stat()
                state = (now.st_mtime_ns, now.st_size, now.st_ino)
                if state != self._state:
                    self._tokens = parse_tokens(self._path.read_text("utf-8"))
                    self._state = state
            except FileNotFoundError:
                self._state, self._tokens = None, ()
            except (OSError, UnicodeDecodeError, Malformed) as error:
                self._state, self._tokens = None, ()
                told = error.strerror if isinstance(error, OSError) else str(error)
                raise Unavailable(f"{self._path.name}: {told}; mend the file of tokens") from error
            return self._tokens
