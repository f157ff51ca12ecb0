"""Policies in two folders: the one deployed with the app, and the one that people push to."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rollout.adapters.policy_places import PolicyPlaces, too_large
from rollout.errors import Malformed, PolicyError, Unavailable


class Folder:
    """A place of policies on disk; nothing outside it is read or written, not even by a link."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, folder: str = "") -> Sequence[str]:
        place = self._inside(folder)
        with _explaining(place):
            return [path.name for path in place.iterdir()] if place.is_dir() else []

    def read(self, path: str, bytes_max: int) -> bytes | None:
        target = self._inside(path)
        with _explaining(target):
            if not target.is_file():
                return None
            content = _start(target, path, bytes_max + 1)
        if len(content) > bytes_max:
            raise too_large(path, bytes_max)
        return content

    def write(self, path: str, content: bytes) -> None:
        target = self._inside(path)
        with _explaining(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, content)

    def remove(self, name: str) -> None:
        path = self._root / name
        with _explaining(path):
            path.unlink(missing_ok=True)

    def _inside(self, path: str) -> Path:
        """Where that path leads; raises Malformed when it leads out of the folder."""
        with _explaining(self._root / path):
            target = (self._root / path).resolve()
            if not target.is_relative_to(self._root.resolve()):
                raise Malformed(
                    f"{path!r} leads out of the policies' folder; put the file itself there"
                )
        return target


class PolicyFolder(PolicyPlaces):
    """The port PolicyFiles in two folders."""

    def __init__(self, deployed: Path, pushed: Path) -> None:
        super().__init__(Folder(deployed), Folder(pushed))


def _start(target: Path, path: str, size: int) -> bytes:
    try:
        with target.open("rb") as file:
            return file.read(size)
    except PermissionError as error:
        raise PolicyError(f"{path}: {error.strerror}; let this user read it") from error


def _replace(target: Path, content: bytes) -> None:
    """Whoever reads meanwhile, or after a crash, finds the old file or the new one, whole."""
    handle, partial = tempfile.mkstemp(prefix=".partial-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{path}: {error.strerror}; see that this user may read and write there"
        ) from error
