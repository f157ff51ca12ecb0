"""Secrets in one file that only its owner can read."""

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError

from rollout.core.frozen import Frozen
from rollout.errors import Refused, Unavailable
from rollout.key_ports import SecretVersion
from rollout.ports import Clock

VERSIONS_MAX = 20
"""So many versions of a secret are kept: the first, and the latest."""


class _Version(Frozen):
    id: str
    value: str = Field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None
    tags: Mapping[str, str] = Field(default_factory=dict)


class _File(Frozen):
    """By the secret's name its versions, the oldest first."""

    secrets: Mapping[str, tuple[_Version, ...]] = Field(default_factory=dict)


class SecretFile:
    """The port Secrets. The file is replaced whole, and refused when others can read it.

    Clients on this machine may read it: the last of `secrets.<name>` is the current version.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def current(self, name: str) -> SecretVersion | None:
        versions = self._read().secrets.get(name, ())
        return _shown(versions[-1]) if versions else None

    def publish(
        self, name: str, value: SecretStr, expires_at: datetime, tags: Mapping[str, str]
    ) -> SecretVersion:
        with self._locked():
            return _shown(self._add(name, value, expires_at, tags))

    def once(self, name: str, value: SecretStr) -> SecretStr:
        with self._locked():
            versions = self._read().secrets.get(name, ())
            first = versions[0] if versions else self._add(name, value, None, {})
        return SecretStr(first.value)

    def _add(
        self, name: str, value: SecretStr, expires_at: datetime | None, tags: Mapping[str, str]
    ) -> _Version:
        added = _Version(
            id=secrets.token_hex(16),
            value=value.get_secret_value(),
            created_at=self._clock.now(),
            expires_at=expires_at,
            tags=dict(tags),
        )
        kept = self._read().secrets
        versions = (*kept.get(name, ()), added)
        if len(versions) > VERSIONS_MAX:
            versions = (versions[0], *versions[-(VERSIONS_MAX - 1) :])
        self._write(_File(secrets={**kept, name: versions}))
        return added

    def _read(self) -> _File:
        with self._explaining():
            try:
                with self._path.open("rb") as file:
                    self._refuse_if_others_can_read(os.fstat(file.fileno()).st_mode)
                    content = file.read()
            except FileNotFoundError:
                return _File()
        try:
            return _File.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise Refused(
                f"{self._path}: not a file of secrets ({place}: {first['type']});"
                " restore a backup, or move it away"
            ) from None  # the cause would show what is in it

    def _refuse_if_others_can_read(self, mode: int) -> None:
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Refused(f"{self._path}: others can read it; run: chmod 600 {self._path}")

    def _write(self, file: _File) -> None:
        """Whoever reads meanwhile, or after a crash, finds the old file or the new one, whole."""
        with self._explaining():
            handle, partial = tempfile.mkstemp(prefix=".secrets-", dir=self._path.parent)  # 0600
            try:
                with os.fdopen(handle, "w") as opened:
                    opened.write(file.model_dump_json(indent=1) + "\n")
                    opened.flush()
                    os.fsync(opened.fileno())
                Path(partial).replace(self._path)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, of this process or of another."""
        with self._explaining():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"{self._path}: {error.strerror}; see that this user may read and write there"
            ) from error


def _shown(version: _Version) -> SecretVersion:
    return SecretVersion(
        id=version.id,
        value=SecretStr(version.value),
        created_at=version.created_at,
        expires_at=version.expires_at,
        tags=version.tags,
    )
