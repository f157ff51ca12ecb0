"""Azurite on free ports: in memory, and ended whatever happens; or one that may be stopped."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tools/azurite/node_modules/azurite/dist/src/azurite.js"
LEASH = Path(__file__).with_name("leash.js")

ACCOUNTS_MAX = 1000
KEY = "bm90IGEgc2VjcmV0"

CLOSE_SECONDS = 30.0

_LISTENS = re.compile(r"Azurite (Blob|Table) service is successfully listening at (http://\S+)")
_CLOSED = re.compile(r"Azurite (Blob|Table) service successfully closed")


@dataclass
class Azurite:
    """Where it answers; it plays as many accounts as there are tests."""

    blobs: str
    tables: str
    numbers: Iterator[int] = field(default_factory=count)

    def new_account(self) -> str:
        """A connection string to an account that nobody has used."""
        number = next(self.numbers)
        assert number < ACCOUNTS_MAX, "the tests need more accounts"
        return connection(_name(number), self.blobs, self.tables)


def connection(account: str, blobs: str, tables: str) -> str:
    return (
        f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={KEY}"
        f";BlobEndpoint={blobs}/{account};TableEndpoint={tables}/{account}"
    )


def _name(number: int) -> str:
    return f"account{number}"


@contextmanager
def azurite() -> Iterator[Azurite]:
    """Ready when it says so; it ends with this block, or with this process."""
    with _begun("--inMemoryPersistence") as process:
        try:
            places = _places(process)
            yield Azurite(places["blobs"], places["tables"])
        finally:
            process.kill()


@dataclass
class Account:
    """One account in an Azurite of its own, which keeps it in a folder and may be stopped.

    Started again it answers at the same address, and knows all that it was told.
    """

    folder: Path
    _ports: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None

    @property
    def connection(self) -> str:
        at = {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        return connection(_name(0), at["blobs"], at["tables"])

    def start(self) -> None:
        known = self._ports
        process = _begun("--location", str(self.folder), **known)
        self._process = process
        self._ports = {name: url.rsplit(":", 1)[1] for name, url in _places(process).items()}
        assert known in ({}, self._ports), (known, self._ports)

    def stop(self) -> None:
        """As a service is stopped: it takes no more, writes down what it has, and is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            process.terminate()
            _wait_until_closed(process)
            assert process.stdin
            process.stdin.close()  # its leash
            process.wait(CLOSE_SECONDS)

    def freeze(self) -> None:
        """It takes connections, and answers nothing."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell(signal.SIGCONT)

    def kill(self) -> None:
        """For good."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _tell(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)


def _begun(*options: str, blobs: str = "0", tables: str = "0") -> subprocess.Popen[str]:
    node = shutil.which("node")
    assert node, "Node.js is missing: see `sh tools/find-node.sh`"
    assert PROGRAM.exists(), "Azurite is not installed: make setup"
    quiet = ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    ports = ["--blobPort", blobs, "--queuePort", "0", "--tablePort", tables]
    accounts = ";".join(f"{_name(number)}:{KEY}" for number in range(ACCOUNTS_MAX))
    return subprocess.Popen(
        [node, "--require", str(LEASH), str(PROGRAM), *options, *quiet, *ports],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "AZURITE_ACCOUNTS": accounts},
        text=True,
    )


def _places(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout
    told, places = list[str](), dict[str, str]()
    for line in process.stdout:
        told.append(line)
        if found := _LISTENS.search(line):
            places[f"{found[1].lower()}s"] = found[2]
        if len(places) == 2:
            return places
    raise AssertionError("Azurite has ended: " + "".join(told))


def _wait_until_closed(process: subprocess.Popen[str]) -> None:
    """Whatever is said meanwhile; it holds its state in memory until then."""
    assert process.stdout
    left = {"Blob", "Table"}
    for line in process.stdout:
        if found := _CLOSED.search(line):
            left.discard(found[1])
        if not left:
            return
    raise AssertionError(f"Azurite has ended, and not closed {left}")
