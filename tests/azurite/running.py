"""One Azurite: started on free ports, in memory, and stopped whatever happens."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tools/azurite/node_modules/azurite/dist/src/azurite.js"
LEASH = Path(__file__).with_name("leash.js")

ACCOUNTS_MAX = 1000
KEY = "bm90IGEgc2VjcmV0"

_LISTENS = re.compile(r"Azurite (Blob|Table) service is successfully listening at (http://\S+)")


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
    node = shutil.which("node")
    assert node, "Node.js is missing: see `sh tools/find-node.sh`"
    assert PROGRAM.exists(), "Azurite is not installed: make setup"
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    ports = ["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"]
    accounts = ";".join(f"{_name(number)}:{KEY}" for number in range(ACCOUNTS_MAX))
    with subprocess.Popen(
        [node, "--require", str(LEASH), str(PROGRAM), *options, *ports],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "AZURITE_ACCOUNTS": accounts},
        text=True,
    ) as process:
        try:
            yield Azurite(**_places(process))
        finally:
            process.kill()


def _places(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    told, places = list[str](), dict[str, Any]()
    for line in process.stdout:
        told.append(line)
        if found := _LISTENS.search(line):
            places[f"{found[1].lower()}s"] = found[2]
        if len(places) == 2:
            return places
    raise AssertionError("Azurite has ended: " + "".join(told))
