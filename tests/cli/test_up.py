"""`rollout up`: the settings it makes, the files it leaves, and what it refuses."""

import json
import os
import stat
from collections.abc import Callable

import pytest

from rollout.errors import Unavailable
from tests.cli.canned import Canned
from tests.cli.conftest import Shell

URL = "http://127.0.0.1:9"
LOCAL_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/emulator"
    "/providers/microsoft.machinelearningservices/workspaces/local"
)
ARM_ID = (
    "/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/{}"
)


@pytest.fixture
def fresh(shell: Shell) -> Shell:
    """A folder in which nothing was started yet."""
    for name in ("url", "token"):
        (shell.folder / ".rollout" / name).unlink()
    return shell


def settings(shell: Shell) -> dict[str, str]:
    hidden = {"ROLLOUT_API_TOKEN", "ROLLOUT_CONFIG"}
    return {name: value for name, value in shell.environment.items() if name not in hidden}


def test_up_alone_drives_the_emulator(fresh: Shell) -> None:
    done = fresh.run("up", "--port", "0")

    assert done.exit_code == 0
    assert fresh.served == [0]
    assert settings(fresh) == {
        "ROLLOUT_ARM_URL": "http://127.0.0.1:8085",
        "ROLLOUT_DATA": ".rollout",
        "ROLLOUT_IDENTITY": "emulator",
        "ROLLOUT_WORKSPACES": LOCAL_ID,
    }
    assert done.stdout == (
        f"rollout listens on {URL}\n"
        "  works on  local at http://127.0.0.1:8085\n"
        "  keeps     its state and its token in .rollout\n"
        "  policies  policies\n"
        "  next      rollout start ENDPOINT DEPLOYMENT --wait\n"
        "  stop      Ctrl-C; nothing is lost\n"
    )


def test_each_option_becomes_a_setting(fresh: Shell) -> None:
    data, policies = fresh.folder / "data", fresh.folder / "mine"
    policies.mkdir()

    done = fresh.run(
        *("up", "--port", "0", "--data", str(data), "--policies", str(policies)),
        *("--arm-url", "http://localhost:1", "--workspace", "s/g/one"),
        *("--workspace", ARM_ID.format("two"), "--clock-speed", "20", "--installation", "demo"),
    )

    assert settings(fresh) == {
        "ROLLOUT_ARM_URL": "http://localhost:1",
        "ROLLOUT_CLOCK_SPEED": "20",
        "ROLLOUT_DATA": str(data),
        "ROLLOUT_IDENTITY": "emulator",
        "ROLLOUT_INSTALLATION": "demo",
        "ROLLOUT_POLICIES": str(policies),
        "ROLLOUT_WORKSPACES": f"{ARM_ID.format('one')},{ARM_ID.format('two')}",
    }
    assert "policy minutes pass 20 times as fast" in done.stdout
    assert f"  next      export ROLLOUT_DATA={data}\n            rollout start " in done.stdout


def test_azure_is_driven_by_the_developers_identity(fresh: Shell) -> None:
    fresh.run(
        *("up", "--port", "0", "--azure", "--subscription", "s", "--resource-group", "g"),
        *("--workspace", "one", "--workspace", "two"),
    )

    assert settings(fresh) == {
        "ROLLOUT_DATA": ".rollout",
        "ROLLOUT_IDENTITY": "developer",
        "ROLLOUT_WORKSPACES": f"{ARM_ID.format('one')},{ARM_ID.format('two')}",
    }


def test_the_token_is_made_once_for_its_owner_alone_and_never_shown(fresh: Shell) -> None:
    outputs = [fresh.run("up", "--port", "0").output for _ in range(2)]

    token = fresh.folder / ".rollout" / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert fresh.environment["ROLLOUT_API_TOKEN"] == token.read_text().strip()
    assert len(token.read_text()) > 40
    assert not any(token.read_text().strip() in output for output in outputs)


def test_the_address_is_there_while_it_runs_and_gone_afterwards(fresh: Shell) -> None:
    url = fresh.folder / ".rollout" / "url"
    seen: list[str] = []

    def serves(on_ready: Callable[[str], None]) -> None:
        assert not url.exists()
        on_ready(URL)
        seen.append(url.read_text())
        raise KeyboardInterrupt

    fresh.serves = serves
    done = fresh.run("up", "--port", "0")

    assert seen == [f"{URL}\n"]
    assert not url.exists()
    assert done.exit_code == 130


def test_ready_has_json(fresh: Shell) -> None:
    done = fresh.run("up", "--port", "0", "--json")

    assert json.loads(done.stdout) == {
        "url": URL,
        "data": ".rollout",
        "arm_url": "http://127.0.0.1:8085",
    }


def test_a_second_controller_in_one_folder_is_refused(canned: Canned, shell: Shell) -> None:
    canned.is_healthy = True

    done = shell.run("up", "--port", "0")

    assert done.exit_code == 4
    assert f"rollout: a controller runs here already: {canned.url}\n" in done.stderr
    assert (shell.folder / ".rollout" / "url").exists()


def test_an_address_left_behind_does_not_hinder(canned: Canned, shell: Shell) -> None:
    canned.stop()

    assert shell.run("up", "--port", "0").exit_code == 0


def test_a_port_in_use_is_refused(canned: Canned, fresh: Shell) -> None:
    done = fresh.run("up", "--port", str(canned.port))

    assert done.exit_code == 4
    assert f"rollout: port {canned.port} is in use\n" in done.stderr
    assert "do:    take any free one: rollout up --port 0\n" in done.stderr
    assert fresh.served == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--workspace", "s/g/w", "--clock-speed", "0"),
            "ROLLOUT_CLOCK_SPEED",
        ),
        (
            ("--azure", "--workspace", "s/g/w", "--clock-speed", "2"),
            "clock_speed 2 needs an ARM address on this machine",
        ),
        (("--azure",), "ROLLOUT_WORKSPACES"),
        (("--azure", "--workspace", "w"), "'w' does not say which workspace"),
        (("--arm-url", "http://example.net", "--workspace", "s/g/w"), "must be https"),
        (("--workspace", "/not/an/id"), "is not the ARM id of a workspace"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    words: tuple[str, ...], told: str, fresh: Shell
) -> None:
    done = fresh.run("up", "--port", "0", *words)

    assert done.exit_code == 4
    assert told in done.stderr
    assert fresh.served == []


def test_a_data_folder_that_cannot_be_used_is_refused(fresh: Shell) -> None:
    (fresh.folder / "taken").write_text("a file")
    fresh.environment["ROLLOUT_DATA"] = "taken/below"

    done = fresh.run("up", "--port", "0")

    assert done.exit_code == 4
    assert "rollout: the data folder cannot be used: " in done.stderr
    assert "do:    make it writable, or choose another: rollout up --data FOLDER" in done.stderr


def test_the_address_of_another_controller_stays_there(fresh: Shell) -> None:
    address = fresh.folder / ".rollout" / "url"

    def serves(on_ready: Callable[[str], None]) -> None:
        on_ready("http://127.0.0.1:9")
        address.write_text("http://127.0.0.1:10\n")

    fresh.serves = serves
    done = fresh.run("up", "--port", "0")

    assert done.exit_code == 0
    assert address.read_text() == "http://127.0.0.1:10\n"


def test_what_the_host_refuses_is_told(fresh: Shell) -> None:
    def serves(_: Callable[[str], None]) -> None:
        raise Unavailable("port 7071 of 127.0.0.1: in use; take another")

    fresh.serves = serves
    done = fresh.run("up", "--port", "0")

    assert done.exit_code == 4
    assert "rollout: port 7071 of 127.0.0.1: in use; take another\n" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_folder_without_leave_to_write_is_refused(fresh: Shell) -> None:
    (fresh.folder / ".rollout").chmod(0o500)

    done = fresh.run("up", "--port", "0")

    assert done.exit_code == 4
    assert "Permission denied" in done.stderr
