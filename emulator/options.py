"""The command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.scoring.routing import ROUTERS
from emulator.switches import Switchboard, SwitchError, parse_assignment

_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True)
class Options:
    """Where to listen and what exists at the start."""

    port: int
    ready_file: Path | None
    data: Path | None
    scoring_python: Path
    grain_seconds: float
    subscription: str
    resource_group: str
    workspace: str
    location: str
    routing: str
    seed: int | None
    board: Switchboard
    exit_with_parent: bool
    certificate: Path | None
    private_key: Path | None


def parse(arguments: Sequence[str] | None = None) -> Options:
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    board = Switchboard()
    try:
        board.change(dict(map(parse_assignment, given.pop("switch"))))
    except SwitchError as error:
        parser.error(str(error))
    if (given["certificate"] is None) != (given["private_key"] is None):
        parser.error("--certificate and --private-key go together")
    if given["grain_seconds"] <= 0:
        parser.error("--grain-seconds must be above 0")
    return Options(board=board, **given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulator", description="Play Azure ML online endpoints on 127.0.0.1."
    )
    add = parser.add_argument
    add("--port", type=int, default=8085, help="0 = any free one (default %(default)s)")
    add("--ready-file", type=Path, help="write the URL to this file when ready")
    add("--data", type=Path, help="keep logs and models here (default: a temporary folder)")
    add(
        "--scoring-python",
        type=Path,
        default=Path(".venv-scoring/bin/python"),
        help="the Python that runs scoring scripts (default %(default)s)",
    )
    add("--grain-seconds", type=float, default=60.0, help="length of a metric minute")
    add("--subscription", default=_SUBSCRIPTION)
    add("--resource-group", default="emulator")
    add("--workspace", default="local", help="the workspace that exists at the start")
    add("--location", default="westeurope", help="its region")
    add("--routing", choices=sorted(ROUTERS), default="random")
    add("--seed", type=int, help="makes routing, mirroring and throttling repeatable")
    add("--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    add("--exit-with-parent", action="store_true", help="stop when the starting process is gone")
    add("--certificate", type=Path, help="serve TLS with this PEM chain")
    add("--private-key", type=Path, help="its key, PEM")
    return parser
