"""The minutes read so far in blobs, one for each hour of an endpoint and a source."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import quote

from azure.core import MatchConditions
from azure.storage.blob import BlobProperties, ContainerClient

from rollout.adapters import chunks
from rollout.adapters.azure.storage.account import SAMPLES, Account
from rollout.adapters.azure.storage.answers import explaining
from rollout.errors import Conflict, Unavailable, Unknown
from rollout.ports import Minutes

REMEMBERED = 1000
"""So many chunks this process keeps in mind: a week of five rollouts."""

TRIES = 5

_HOUR = "%Y-%m-%dT%HZ.json"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What a blob held when it had that etag; None where there was no blob."""

    content: bytes
    etag: str | None


class BlobSamples:
    """The port Samples. Old hours do not change: this process reads each once.

    A read is one listing, and one request for each chunk that is new here; a save is one write for
    each hour, under the etag of what it adds to.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: OrderedDict[str, _Chunk] = OrderedDict()
        self._lock = Lock()

    def save(self, key: str, source: str, minutes: Minutes) -> None:
        for hour, late in chunks.by_hour(minutes).items():
            self._add(_folder(key, source) + hour.strftime(_HOUR), late)

    def read(self, key: str, source: str, since: datetime, until: datetime) -> Minutes:
        """The minutes that start in [since, until), in order."""
        found: dict[datetime, Any] = {}
        for hour, blob in self._listed(_folder(key, source)):
            if chunks.hour(since) <= hour < until:
                found.update(self._parsed(blob.name, self._as_listed(blob)))
        return chunks.part(found, since, until)

    def forget(self, key: str, before: datetime) -> None:
        for hour, blob in self._listed(f"{quote(key, safe='')}/"):
            if hour + chunks.HOUR <= before:
                self._delete(blob.name)

    def _add(self, name: str, late: Minutes) -> None:
        """Another worker that was faster makes us read again and add to that."""
        chunk = self._remembered(name) or self._downloaded(name)
        for _ in range(TRIES):
            whole = {**self._parsed(name, chunk), **late}
            content = chunks.dump(whole)
            if content == chunk.content:
                return
            try:
                etag = self._upload(name, content, chunk.etag)
            except Conflict:
                chunk = self._downloaded(name)
            else:
                self._remember(name, _Chunk(content, etag))
                return
        raise Unavailable(f"{name}: too many workers write it at once")

    def _as_listed(self, blob: BlobProperties) -> _Chunk:
        known = self._remembered(blob.name)
        if known and known.etag == _bare(blob.etag):
            return known
        return self._downloaded(blob.name)

    def _parsed(self, name: str, chunk: _Chunk) -> Minutes:
        minutes = chunks.parse(chunk.content)
        if minutes is None:
            raise Unavailable(
                f"{self._account.asked(SAMPLES)}: {name} cannot be read;"
                " if a newer version of rollout wrote it, install that"
            )
        return minutes

    # -- blobs ---------------------------------------------------------------------------------

    def _container(self) -> ContainerClient:
        return self._account.container(SAMPLES)

    def _listed(self, folder: str) -> Iterator[tuple[datetime, BlobProperties]]:
        """The chunks below that folder with their hours; what is no chunk is left out."""
        with explaining(self._account.asked(SAMPLES)):
            for blob in self._container().list_blobs(name_starts_with=folder):
                if hour := _hour(blob.name):
                    yield hour, blob

    def _downloaded(self, name: str) -> _Chunk:
        try:
            with explaining(self._account.asked(SAMPLES)):
                download = self._container().download_blob(name)
                chunk = _Chunk(download.readall(), _bare(download.properties.etag))
        except Unknown:
            return _Chunk(b"{}", None)
        self._remember(name, chunk)
        return chunk

    def _upload(self, name: str, content: bytes, etag: str | None) -> str:
        under: dict[str, Any] = {"overwrite": False}
        if etag is not None:
            condition = {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}
            under = {"overwrite": True, **condition}
        with explaining(self._account.asked(SAMPLES)):
            blob = self._container().get_blob_client(name)
            return _bare(blob.upload_blob(content, **under)["etag"])

    def _delete(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)
        try:
            with explaining(self._account.asked(SAMPLES)):
                self._container().delete_blob(name)
        except Unknown:  # another worker was faster
            return

    # -- what this process has in mind ----------------------------------------------------------

    def _remembered(self, name: str) -> _Chunk | None:
        with self._lock:
            if name in self._known:
                self._known.move_to_end(name)
            return self._known.get(name)

    def _remember(self, name: str, chunk: _Chunk) -> None:
        with self._lock:
            self._known[name] = chunk
            self._known.move_to_end(name)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _folder(key: str, source: str) -> str:
    return f"{quote(key, safe='')}/{quote(source, safe='')}/"


def _hour(name: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(name.rpartition("/")[2].removesuffix(".json"))
    return None


def _bare(etag: str | None) -> str:
    """Listings leave out the quotation marks that other answers have."""
    return (etag or "").strip('"')
