"""Policies in two places: what is deployed with the app, and what people push; their rules."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from rollout.core.agreement import LINES
from rollout.core.policy_paths import SUFFIXES, check_attachment, check_name, check_path, is_name
from rollout.errors import Malformed, PolicyError, Unknown
from rollout.ports import PolicyFile

POLICY_BYTES_MAX = 256 * 1024
ATTACHMENT_BYTES_MAX = 4 * 1024 * 1024

_log = logging.getLogger(__name__)


class Place(Protocol):
    """Where files are, by paths that are checked already; a file is written whole or not at all."""

    def names(self, folder: str = "") -> Sequence[str]:
        """What lies in it directly, or in that folder of it; not in the folders below."""
        ...

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """None where no such file is; raises PolicyError for a larger one."""
        ...

    def write(self, path: str, content: bytes) -> None: ...

    def remove(self, name: str) -> None:
        """A file that is gone already counts as removed."""
        ...


class PolicyPlaces:
    """The port PolicyFiles. A file's name without its ending is the policy's name.

    A file that is no text is in `list` with its error, and raises PolicyError from `read`; it never
    stops the others. A place that does not answer raises Unavailable or Refused also from `list`:
    a policy must not be chosen because a better one could not be read just now.
    """

    def __init__(self, deployed: Place, pushed: Place) -> None:
        self._deployed = deployed
        self._pushed = pushed

    def list(self) -> Sequence[PolicyFile]:
        files = self._files()
        return [self._listed(name, *files[name]) for name in sorted(files)]

    def read(self, name: str) -> PolicyFile:
        files = self._files()
        if name not in files:
            known = ", ".join(sorted(files)) or "none yet; push one"
            raise Unknown(f"no policy is called {name!r}; there are: {known}")
        return self._read(name, *files[name])

    def push(self, name: str, text: str) -> None:
        check_name(name)
        self._write(f"{name}.yaml", _encoded(name, text), POLICY_BYTES_MAX)
        for file in _policies(self._pushed)[name]:
            if not file.endswith(".yaml"):
                self._pushed.remove(file)

    def remove(self, name: str) -> None:
        pushed = _policies(self._pushed)
        if name not in pushed:
            known = ", ".join(sorted(pushed)) or "none"
            raise Unknown(f"no policy {name!r} was pushed; pushed are: {known}")
        for file in pushed[name]:
            self._pushed.remove(file)

    def attachment(self, path: str) -> bytes:
        check_path(path)
        for place in (self._pushed, self._deployed):
            content = place.read(path, ATTACHMENT_BYTES_MAX)
            if content is not None:
                return content
        raise Unknown(f"there is no file {path} beside the policies; push it, or mend the path")

    def attached(self, folder: str) -> Sequence[str]:
        name = folder.removesuffix("/")
        check_path(name)
        found = {
            f"{name}/{file}"
            for place in (self._pushed, self._deployed)
            for file in place.names(name)
            if file.endswith(LINES)
        }
        if not found:
            raise Unknown(f"there is no file *{LINES} in {name}/ beside the policies; push some")
        return sorted(found)

    def attach(self, path: str, content: bytes) -> None:
        check_attachment(path)
        self._write(path, content, ATTACHMENT_BYTES_MAX)

    def _files(self) -> Mapping[str, tuple[Place, Sequence[str]]]:
        """Each policy's place, and the files there that have its name."""
        return {
            name: (place, files)
            for place in (self._deployed, self._pushed)
            for name, files in _policies(place).items()
        }

    def _listed(self, name: str, place: Place, files: Sequence[str]) -> PolicyFile:
        try:
            return self._read(name, place, files)
        except (PolicyError, Malformed) as error:
            _log.warning("%s: %s", name, error)
            return PolicyFile(name, "", pushed=place is self._pushed, error=str(error))

    def _read(self, name: str, place: Place, files: Sequence[str]) -> PolicyFile:
        if len(files) > 1:
            same = " and ".join(files)
            raise PolicyError(f"{same} are the same policy {name!r}; remove one")
        content = place.read(files[0], POLICY_BYTES_MAX)
        if content is None:
            raise PolicyError(f"{files[0]}: not a file; put a file there, or remove it")
        try:
            return PolicyFile(name, content.decode(), pushed=place is self._pushed)
        except UnicodeDecodeError as error:
            raise PolicyError(
                f"{files[0]}: not UTF-8 at byte {error.start}; save it as UTF-8"
            ) from error

    def _write(self, path: str, content: bytes, bytes_max: int) -> None:
        if len(content) > bytes_max:
            raise Malformed(f"{path}: larger than {bytes_max // 1024} KiB; make it smaller")
        self._pushed.write(path, content)


def too_large(path: str, bytes_max: int) -> PolicyError:
    return PolicyError(f"{path}: larger than {bytes_max // 1024} KiB; make it smaller")


def _policies(place: Place) -> defaultdict[str, list[str]]:
    """The files that are policies by their ending, by the policy's name."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(place.names()):
        name, dot, ending = file.rpartition(".")
        if f"{dot}{ending}" in SUFFIXES and is_name(name):
            found[name].append(file)
    return found


def _encoded(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Malformed(
            f"{name}: half a character at {error.start}; send the text as UTF-8"
        ) from error
