"""What a machine that lacks something is told, before anything is installed."""

import os
import stat
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLD = """#!/bin/sh
case "$1" in --version) echo "Python 3.8.10";; *) exit 1;; esac
"""
WITHOUT_VENV = """#!/bin/sh
case "$2" in
  *ensurepip*) exit 1;;
  *print*) echo 3.12;;
esac
"""


def find_python(folder: Path, python3: str) -> subprocess.CompletedProcess[str]:
    """Run the search on a machine whose only Python is this one."""
    fake = folder / "python3"
    fake.write_text(python3)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools/find-python.sh")],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_that_is_too_old_is_answered_with_the_command_that_installs_one(
    tmp_path: Path,
) -> None:
    answer = find_python(tmp_path, OLD)

    assert answer.returncode == 1
    assert "rollout needs Python 3.11 or newer; here is: Python 3.8.10." in answer.stderr
    assert "sudo apt install python3.11" in answer.stderr


def test_a_python_without_venv_is_answered_with_the_command_that_installs_it(
    tmp_path: Path,
) -> None:
    answer = find_python(tmp_path, WITHOUT_VENV)

    assert answer.returncode == 1
    assert "Python 3.12 is here, but its venv module is not." in answer.stderr
    assert "sudo apt install python3.12-venv" in answer.stderr


def test_a_python_that_will_do_is_named() -> None:
    answer = subprocess.run(
        ["/bin/sh", str(ROOT / "tools/find-python.sh")],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(answer.stdout.strip()).name.startswith("python3")
