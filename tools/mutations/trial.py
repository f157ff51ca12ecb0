"""One fault in a copy of the source, and the storms that are to find it."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.mutations.planted import Planted

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("rollout", "tests")
SECONDS_MAX = 900


@dataclass(frozen=True, slots=True)
class Tried:
    """Whether the storms found it, and by what."""

    planted: Planted
    found: bool
    seed: str
    by: str


def plant(planted: Planted, root: Path) -> None:
    """Raises ValueError where its text does not stand there exactly once."""
    path = root / planted.file
    text = path.read_text(encoding="utf-8")
    if text.count(planted.found) != 1:
        times = text.count(planted.found)
        raise ValueError(f"{planted.name}: its text stands {times} times in {planted.file}")
    path.write_text(text.replace(planted.found, planted.instead), encoding="utf-8")


def tried(planted: Planted, seeds: int) -> Tried:
    """Run storms over the copy until one breaks."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = Path(folder)
        for name in COPIED:
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=skip)
        plant(planted, copy)
        command = [sys.executable, "-m", "tests.simulation", "--stop", "--workers", "0"]
        try:
            ran = subprocess.run(  # noqa: S603 - our own interpreter and our own module
                [*command, "--seeds", str(seeds)],
                cwd=copy,
                env={**os.environ, "PYTHONPATH": folder},
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            return Tried(planted, found=False, seed="", by=f"no end within {SECONDS_MAX} s")
    lines = ran.stdout.splitlines()
    seed = next((line for line in lines if line.startswith("seed ")), "")
    if ran.returncode and not seed:
        return Tried(
            planted, found=True, seed="", by="it does not run at all: " + ran.stderr[-200:]
        )
    broke = next((line.strip() for line in lines if line.startswith("  ")), "")
    return Tried(planted, bool(seed), seed.removeprefix("seed ").split(", with")[0], broke)
