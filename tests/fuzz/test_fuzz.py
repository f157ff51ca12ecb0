"""A short run of the fuzzer, where it is installed: it starts, it grows, and it finds nothing."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.seeds import write_seeds

ROOT = Path(__file__).parents[2]
SECONDS = 5

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is for Linux"
)


def _fuzz(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.fuzz_inbox", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_few_seconds_of_fuzzing_find_nothing(tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path / "seeds")

    done = _fuzz(
        str(tmp_path / "seeds"),
        f"-max_total_time={SECONDS}",
        "-seed=7",
        "-print_final_stats=1",
        f"-artifact_prefix={tmp_path}/",
    )

    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert done.returncode == 0, done.stderr[-2000:]
    assert runs is not None, done.stderr[-2000:]
    assert int(runs[1]) > seeds
