"""What a cold start pays for our code: imports in fresh interpreters, against azure.functions.

Run by `python -m benchmarks.cold_start [ROUNDS]`. Each round starts every subject once, one after
another, so that what else the machine does falls on all alike; told is the median of the CPU time,
which does not count waiting. It ends with 1 where the goal is missed.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
GOAL = 2.5
"""So many times the import of azure.functions may the import of function_app take."""
ROUNDS = 9
HEAVIEST = 12

SUBJECTS: Mapping[str, str] = {
    "import azure.functions": "import azure.functions",
    "import pydantic, one model": "import pydantic; type('M', (pydantic.BaseModel,), {})",
    "import function_app": "import function_app",
    "... and ready for a step": "import function_app; function_app.wiring.engine()",
    "... and ready for a request": "import function_app; function_app.wiring.api()",
}
REFERENCE, OURS = "import azure.functions", "import function_app"

_TIMED = """
import sys, time
began = time.process_time()
{code}
print(time.process_time() - began, len(sys.modules))
"""
_IMPORT = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")


@dataclass(frozen=True, slots=True)
class Start:
    """The medians of one subject."""

    name: str
    seconds: float
    modules: int


def python() -> Path:
    """The one that has Azure's runtime, where it is set up; else this one."""
    own = ROOT / ".venv-functions/bin/python"
    return own if own.exists() else Path(sys.executable)


def measure(rounds: int) -> list[Start]:
    """Start every subject so often."""
    taken: dict[str, list[tuple[float, int]]] = {name: [] for name in SUBJECTS}
    with tempfile.TemporaryDirectory() as data:
        for _ in range(rounds):
            for name, code in SUBJECTS.items():
                seconds, modules = _run(data, "-c", _TIMED.format(code=code)).stdout.split()
                taken[name].append((float(seconds), int(modules)))
    return [
        Start(name, median(seconds for seconds, _ in some), some[0][1])
        for name, some in taken.items()
    ]


def heaviest() -> list[tuple[str, float]]:
    """The share of each package in the import of function_app, the heaviest first."""
    with tempfile.TemporaryDirectory() as data:
        told = _run(data, "-X", "importtime", "-c", SUBJECTS[OURS]).stderr
    shares: dict[str, int] = {}
    for own, module in _IMPORT.findall(told):
        package = ".".join(
            module.split(".")[: 2 if module.startswith(("azure.", "rollout.")) else 1]
        )
        shares[package] = shares.get(package, 0) + int(own)
    whole = sum(shares.values())
    ranked = sorted(shares.items(), key=lambda one: -one[1])
    return [(package, own / whole) for package, own in ranked[:HEAVIEST]]


def _run(data: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")}
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices"
    settings = {
        "ROLLOUT_API_TOKEN": "none",
        "ROLLOUT_WORKSPACES": f"{workspace}/workspaces/w",
        "ROLLOUT_DATA": data,
        "ROLLOUT_ARM_URL": "http://127.0.0.1:9",
        "ROLLOUT_IDENTITY": "emulator",
        "PYTHONPATH": str(ROOT),
    }
    command = [str(python()), *arguments]
    return subprocess.run(  # noqa: S603 - our own interpreters
        command, cwd=ROOT, env={**kept, **settings}, capture_output=True, text=True, check=True
    )


def main() -> int:
    """Print the tables; 1 where the goal is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    version = _run(".", "--version").stdout.strip()
    starts = measure(rounds)
    unit = next(one.seconds for one in starts if one.name == REFERENCE)
    print(f"{version}, median of {rounds} fresh interpreters\n")
    print("| start | CPU, ms | ratio | modules |\n|---|---|---|---|")
    for one in starts:
        ratio = one.seconds / unit
        print(f"| {one.name} | {one.seconds * 1000:.0f} | {ratio:.1f} | {one.modules} |")
    print("\n| package | share of `import function_app` |\n|---|---|")
    for package, share in heaviest():
        print(f"| {package} | {share:.0%} |")
    ours = next(one.seconds for one in starts if one.name == OURS) / unit
    print(f"\n{OURS}: {ours:.2f} times {REFERENCE}; the goal is at most {GOAL:g}")
    return int(ours > GOAL)


if __name__ == "__main__":
    sys.exit(main())
