"""Policies in two folders: the one deployed with the app, and the one that people push to."""

import logging
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from rollout.errors import Malformed, PolicyError, RolloutError, Unavailable, Unknown
from rollout.ports import PolicyFile

POLICY_BYTES_MAX = 256 * 1024
ATTACHMENT_BYTES_MAX = 4 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._-]*(/[A-Za-z0-9_][A-Za-z0-9 ._-]*)*")


class PolicyFolder:
    """The port PolicyFiles. A file's name without its ending is the policy's name.

    Files are written whole or not at all. A file that cannot be read is left out of `list`, with a
    warning that names it, and raises PolicyError from `read`; it never stops the others.
    """

    def __init__(self, deployed: Path, pushed: Path) -> None:
        self._deployed = deployed
        self._pushed = pushed

    def list(self) -> Sequence[PolicyFile]:
        return [file for name in sorted(self._names()) if (file := self._try(name))]

    def read(self, name: str) -> PolicyFile:
        names = self._names()
        if name not in names:
            known = ", ".join(sorted(names)) or "none yet; push one"
            raise Unknown(f"no policy is called {name!r}; there are: {known}")
        paths = names[name]
        if len(paths) > 1:
            same = " and ".join(path.name for path in paths)
            raise PolicyError(f"{same} are the same policy {name!r}; remove one")
        root = paths[0].parent
        content = _read(root, paths[0].name, POLICY_BYTES_MAX)
        try:
            return PolicyFile(name, content.decode(), pushed=root == self._pushed)
        except UnicodeDecodeError as error:
            raise PolicyError(
                f"{paths[0].name}: not UTF-8 at byte {error.start}; save it as UTF-8"
            ) from error

    def push(self, name: str, text: str) -> None:
        if not _NAME.fullmatch(name) or name.endswith(SUFFIXES):
            raise Malformed(
                f"{name!r} cannot be a policy's name; use up to 64 letters, digits, '.', '_', '-',"
                " without an ending such as .yaml"
            )
        _write(self._pushed, f"{name}.yaml", _encoded(name, text), POLICY_BYTES_MAX)
        for path in _policies(self._pushed)[name]:
            if path.suffix != ".yaml":
                _unlink(path)

    def remove(self, name: str) -> None:
        pushed = _policies(self._pushed)
        if name not in pushed:
            known = ", ".join(sorted(pushed)) or "none"
            raise Unknown(f"no policy {name!r} was pushed; pushed are: {known}")
        for path in pushed[name]:
            _unlink(path)

    def attachment(self, path: str) -> bytes:
        for root in (self._pushed, self._deployed):
            if _inside(root, path).is_file():
                return _read(root, path, ATTACHMENT_BYTES_MAX)
        raise Unknown(f"there is no file {path} beside the policies; push it, or mend the path")

    def attach(self, path: str, content: bytes) -> None:
        if "/" not in path and path.endswith(SUFFIXES):
            raise Malformed(f"{path}: would be read as a policy; put it into a folder")
        _write(self._pushed, path, content, ATTACHMENT_BYTES_MAX)

    def _names(self) -> Mapping[str, Sequence[Path]]:
        return {**_policies(self._deployed), **_policies(self._pushed)}

    def _try(self, name: str) -> PolicyFile | None:
        try:
            return self.read(name)
        except RolloutError as error:
            _log.warning("left out: %s", error)
            return None


def _policies(root: Path) -> defaultdict[str, list[Path]]:
    """The files that are policies by their ending, by name."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    with _explaining(root):
        for path in sorted(root.iterdir()) if root.is_dir() else ():
            if path.suffix in SUFFIXES and _NAME.fullmatch(path.stem):
                found[path.stem].append(path)
    return found


def _inside(root: Path, path: str) -> Path:
    """Where that path leads; raises Malformed when it leads out of the folder."""
    if not _PATH.fullmatch(path) or PurePosixPath(path).is_absolute():
        raise Malformed(
            f"{path!r} is not a path below the policies; write it like smoke/churn.jsonl"
        )
    with _explaining(root / path):
        target = (root / path).resolve()
        if not target.is_relative_to(root.resolve()):
            raise Malformed(
                f"{path!r} leads out of the policies' folder; put the file itself there"
            )
    return target


def _read(root: Path, path: str, bytes_max: int) -> bytes:
    target = _inside(root, path)
    with _explaining(target):
        if not target.is_file():
            raise PolicyError(f"{path}: not a file; put a file there, or remove it")
        with target.open("rb") as file:
            content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise PolicyError(f"{path}: larger than {bytes_max // 1024} KiB; make it smaller")
    return content


def _write(root: Path, path: str, content: bytes, bytes_max: int) -> None:
    target = _inside(root, path)
    if len(content) > bytes_max:
        raise Malformed(f"{path}: larger than {bytes_max // 1024} KiB; make it smaller")
    with _explaining(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, content)


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


def _unlink(path: Path) -> None:
    with _explaining(path):
        path.unlink(missing_ok=True)


def _encoded(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Malformed(
            f"{name}: half a character at {error.start}; send the text as UTF-8"
        ) from error


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{path}: {error.strerror}; see that this user may read and write there"
        ) from error
