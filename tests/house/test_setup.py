"""What a machine that lacks something is told, before anything is installed."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

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


def find_node(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Look on a machine that has no other programs than these."""
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools/find-node.sh")],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


OLD_NODE = """#!/bin/sh
case "$1" in --version) echo v12.22.9;; *) exit 1;; esac
"""
NODE = """#!/bin/sh
case "$1" in --version) echo v20.20.2;; esac
"""


def test_a_machine_without_node_is_answered_with_the_command_that_installs_it(
    tmp_path: Path,
) -> None:
    answer = find_node(tmp_path)

    assert answer.returncode == 1
    assert "which needs Node.js 18 or newer; here is: no node." in answer.stderr
    assert "sudo apt install nodejs npm   (macOS: brew install node)" in answer.stderr


def test_a_node_that_is_too_old_is_told(tmp_path: Path) -> None:
    answer = find_node(tmp_path, node=OLD_NODE, npm=NODE)

    assert answer.returncode == 1
    assert "here is: v12.22.9." in answer.stderr


def test_a_node_without_npm_is_answered_with_the_command_that_installs_it(tmp_path: Path) -> None:
    answer = find_node(tmp_path, node=NODE)

    assert answer.returncode == 1
    assert "Node.js v20.20.2 is here, but its package manager npm is not." in answer.stderr
    assert "sudo apt install nodejs npm" in answer.stderr


def test_a_node_with_npm_will_do(tmp_path: Path) -> None:
    answer = find_node(tmp_path, node=NODE, npm=NODE)
    here = subprocess.run(["/bin/sh", str(ROOT / "tools/find-node.sh")], check=False)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert here.returncode == 0


def test_azurite_is_pinned_and_its_lock_names_no_registry() -> None:
    package = json.loads((ROOT / "tools/azurite/package.json").read_text())
    lock = json.loads((ROOT / "tools/azurite/package-lock.json").read_text())

    assert re.fullmatch(r"\d+\.\d+\.\d+", package["dependencies"]["azurite"])
    locked = [one for name, one in lock["packages"].items() if name]
    assert all("integrity" in one and "resolved" not in one for one in locked)


def find_compiler(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the search on a machine that has only what is in that folder."""
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools/find-compiler.sh")],
        env={"PATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_without_a_compiler_is_told_how_to_get_one(tmp_path: Path) -> None:
    answer = find_compiler(tmp_path)

    assert answer.returncode == 1
    assert "here is no C compiler (cc)" in answer.stderr
    for remedy in ("sudo apt install build-essential", "sudo dnf install gcc", "xcode-select"):
        assert remedy in answer.stderr


@pytest.mark.parametrize("name", ["cc", "another-cc"])
def test_a_compiler_that_is_there_or_named_will_do(tmp_path: Path, name: str) -> None:
    compiler = tmp_path / name
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ]\n')
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)

    answer = find_compiler(tmp_path, CC=name)

    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_tests_ask_for_a_compiler_and_the_demo_does_not() -> None:
    asked = {goal: _asked_of_make(goal) for goal in (".venv/dev.done", "demo")}

    assert "find-compiler.sh" in asked[".venv/dev.done"]
    assert "find-compiler.sh" not in asked["demo"]


def _asked_of_make(goal: str) -> str:
    """What make would run for that goal on a machine where nothing was made."""
    return subprocess.run(
        ["make", "--dry-run", "--always-make", goal],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


# -- which Python plays Azure's ------------------------------------------------------------------

A_PYTHON = """#!/bin/sh
exit 0
"""
NO_PYTHON = """#!/bin/sh
exit 127
"""


def find_functions_python(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the search on a machine with that home, whose python3 is another one."""
    tools = home / "tools"
    put(tools / "python3", A_PYTHON)
    for name in ("dirname", "sh"):
        there = shutil.which(name)
        assert there
        (tools / name).symlink_to(there)
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools/find-functions-python.sh")],
        env={"PATH": str(tools), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def put(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    "place",
    [
        ".pyenv/versions/3.13.9/bin/python3.13",
        ".local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python3.13",
        ".asdf/installs/python/3.13.0/bin/python3.13",
        ".local/share/mise/installs/python/3.13.7/bin/python3.13",
    ],
)
def test_the_python_of_azure_is_found_where_version_managers_keep_it(
    tmp_path: Path, place: str
) -> None:
    there = put(tmp_path / place, A_PYTHON)

    answer = find_functions_python(tmp_path)

    assert answer.stdout == f"{there}\n"
    assert answer.stderr == f"The functions run on Python 3.13, as on Azure: {there}\n"


def test_without_it_another_python_will_do_and_is_named(tmp_path: Path) -> None:
    put(tmp_path / ".pyenv/versions/3.13.9/bin/python3.13", NO_PYTHON)

    answer = find_functions_python(tmp_path)

    assert answer.stdout == f"{tmp_path / 'tools/python3'}\n"
    assert f"the functions run on {tmp_path / 'tools/python3'} instead" in answer.stderr
