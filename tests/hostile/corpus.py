"""Hostile payloads: the files of tests/payloads/hostile, and those too large to keep as files."""

from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "payloads" / "hostile"
MADE: Mapping[str, bytes] = {
    "33 deep": b'{"who":' * 33 + b"1" + b"}" * 33,
    "100,000 deep": b"[" * 100_000,
    "10,000 deep objects": b'{"a":' * 10_000,
    "an int of 200,000 digits": b'{"who": ' + b"9" * 200_000 + b"}",
    "an int of 5,000 digits": b'{"workflow_run": {"run_number": ' + b"9" * 5_000 + b"}}",
    "a fraction of 100,000 digits": b'{"rps": 0.' + b"1" * 100_000 + b', "text": ""}',
    "50,000 keys": b"{" + b",".join(b'"k%d":0' % number for number in range(20_000)) + b"}",
    "100,000 items": b"[" + b"0," * 100_000 + b"0]",
    "one byte too many": b" " * (256 * 1024 + 1),
    "900 KB": b'{"who": "' + b"a" * 900_000 + b'"}',
    "a name of 200,000 signs": b'{"who": "a", "' + b"x" * 200_000 + b'": 1}',
}


def corpus() -> Mapping[str, bytes]:
    """Every payload by its name."""
    files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}
    return {**files, **MADE}


WORDS = (
    "..",
    "../../etc/passwd",
    "..%2f..%2fetc",
    "....//x",
    "..\\..\\x",
    "/etc/passwd",
    "C:/x",
    "a/b",
    ".hidden",
    "a\x00b",
    "a\r\nSet-Cookie: x=1",
    "a\nb",
    "<script>alert(1)</script>",
    "' or 1=1 --",
    "${jndi:ldap://127.0.0.1/x}",
    "%s%n{0}",
    "\u202egnp",
    "\u0441hurn",
    "\ud800",
    "\U0001f600",
    "a" * 3000,
    "~" * 100,
    "",
    " ",
    "-",
    "|rm",
    "*",
    "?",
    "#",
)
"""Where a name is expected: paths that lead out, injected headers, names that look alike."""
