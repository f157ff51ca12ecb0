"""However the emulator ends, nothing of it stays."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.emulator.conftest import a_script
from tests.emulator.running import ROOT, EmulatorHandle, eventually, scoring_python, start_emulator

_CALL = """
import requests, sys
headers = {"Authorization": "Bearer " + sys.argv[2]}
print(requests.post(sys.argv[1], json={"sleep": 1.5}, headers=headers).status_code)
"""


def group_of(handle: EmulatorHandle, tmp_path: Path) -> int:
    """The process group of a scoring process of this emulator."""
    script = "import os\ndef init(): pass\ndef run(raw): return [os.getpgid(0), os.getpid()]\n"
    handle.endpoint("alive")
    handle.deploy("alive", "blue", a_script(tmp_path, "blue", script))
    handle.endpoint("alive", {"blue": 100})
    group: int = handle.score("alive", {}).json()[0]
    return group


def gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_emulator_leaves_no_process(how: signal.Signals, tmp_path: Path) -> None:
    handle = start_emulator("--switch", "operation_seconds=0")
    group = group_of(handle, tmp_path)

    handle.process.send_signal(how)

    assert handle.process.wait(15) == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    assert eventually(lambda: gone(group), 10)
    handle.close()


def test_a_port_that_is_taken_is_told_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "emulator", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("emulator: ")
    assert f"{port}): address already in use; end what listens there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_parent_takes_the_emulator_with_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    argv = [sys.executable, "-m", "emulator", "--port", "0", "--exit-with-parent"]
    argv += ["--ready-file", str(ready), "--scoring-python", str(scoring_python())]
    start = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    parent = subprocess.Popen([sys.executable, "-c", start, *argv], cwd=ROOT)
    eventually(ready.exists, 20)
    url = ready.read_text().strip()

    parent.kill()
    parent.wait()

    assert eventually(lambda: unreachable(url), 10)


def unreachable(url: str) -> bool:
    try:
        requests.get(f"{url}/emulator/switches", timeout=2)
    except requests.RequestException:
        return True
    return False


def test_a_killed_warden_stops_the_emulator_and_its_processes(tmp_path: Path) -> None:
    handle = start_emulator("--switch", "operation_seconds=0")
    group = group_of(handle, tmp_path)
    found = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    ((warden, folder),) = [
        (int(line.split()[0]), Path(line.split()[-1]))
        for line in found.splitlines()
        if "warden.py" in line and line.split()[1] == str(handle.process.pid)
    ]

    os.kill(warden, signal.SIGKILL)

    assert handle.process.wait(15) == 1
    assert not folder.exists()
    assert eventually(lambda: gone(group), 10)
    handle.close()


def test_a_request_in_flight_is_answered_before_the_end(tmp_path: Path) -> None:
    handle = start_emulator("--switch", "operation_seconds=0")
    handle.endpoint("draining")
    handle.deploy("draining", "blue", a_script(tmp_path, "blue"))
    handle.endpoint("draining", {"blue": 100})
    url = f"{handle.url}/inference/{handle.location}/draining/score"
    caller = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _CALL,
            url,
            handle.key("draining"),
        ],
        stdout=subprocess.PIPE,
    )
    eventually(lambda: busy(handle), 10)

    handle.close()

    assert caller.communicate(timeout=15)[0] == b"200\n"


def busy(handle: EmulatorHandle) -> bool:
    """Whether a second request would have to wait, which is a 408 after a short while."""
    return handle.score("draining", {"sleep": 0}).elapsed.total_seconds() > 0.2
