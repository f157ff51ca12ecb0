"""The command line as a whole: help, version, a real terminal, and the page drawn from it."""

import os
import pty
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from rollout.analysis.report import Verdict
from rollout.cli.app import rollout
from rollout.cli.endings import Exit
from rollout.cli.reference import page
from rollout.core.rollout import Outcome
from tests.cli.canned import TOKEN, Canned
from tests.cli.conftest import Shell
from tests.cli.stories import BAD, HISTORY, a_view, ended, finding

ROOT = Path(__file__).resolve().parents[2]


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


ALL = dict(commands(rollout))
HELP = {"--help"}


def test_rollout_alone_shows_what_a_new_user_needs(shell: Shell) -> None:
    done = shell.run()

    assert done.exit_code == 0
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  ")] == [
        "up",
        "start",
        "list",
    ]


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_every_command_has_json_a_sentence_and_examples(
    names: tuple[str, ...], shell: Shell
) -> None:
    helped = shell.run(*names, "--help").stdout

    assert "--json" in helped
    assert f"  rollout {' '.join(names)}" in helped.partition("Examples:\n")[2]
    assert (ALL[names].help or "").partition("\n")[0].endswith(".")


def test_version(shell: Shell) -> None:
    assert shell.run("--version").stdout.startswith("rollout")


def test_the_reference_is_current() -> None:
    """Otherwise run: python -m rollout.cli.reference."""
    assert (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8") == page()


def named_in_messages() -> Iterator[tuple[str, tuple[str, ...], set[str]]]:
    """The commands that the sentences of the product tell to type, and their options."""
    for path in sorted((ROOT / "rollout").rglob("*.py")):
        for said in re.findall(
            r"(?<![\w./-])rollout ([a-z][^\\\"`;,)#\n]*)", path.read_text("utf-8")
        ):
            words = said.split()
            names = next((one for one in (words[:2], words[:1]) if tuple(one) in ALL), None)
            if names or words[0] in rollout.commands:
                where = f"{path.relative_to(ROOT)}: rollout {said}"
                yield where, tuple(names or words), set(re.findall(r"--[a-z-]+", said))


def test_what_a_message_tells_to_type_can_be_typed() -> None:
    told = list(named_in_messages())
    known = {names: {o for p in one.params for o in p.opts} for names, one in ALL.items()}

    wrong = [where for where, names, options in told if options - known.get(names, set()) - HELP]
    assert wrong == []
    assert sum(bool(options) for _, _, options in told) > 20


def test_no_command_takes_a_token(shell: Shell) -> None:
    taken = {option for command in ALL.values() for one in command.params for option in one.opts}

    assert {name for name in taken if "token" in name} == {"--token-file", "--token-env"}


def run_in_terminal(words: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run the real program in a terminal, of 100 x 40 by default; its exit code, what it drew."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rollout", *words],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40", **environment},
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 65536):
            drawn += part
    except OSError:  # the terminal is closed with the program
        pass
    os.close(ours)
    _, errors = process.communicate(timeout=30)
    assert errors == b""
    return process.returncode, drawn.decode()


def test_in_a_terminal_the_picture_stays_when_it_is_over(canned: Canned) -> None:
    canned.shows([a_view()], HISTORY)
    over = ended(Outcome.ROLLED_BACK, findings=BAD, rollback={"why": "error rate is worse"})
    canned.says("GET", f"rollouts/{over['id']}", over)

    code, drawn = run_in_terminal(
        ["watch", "churn"], {"ROLLOUT_URL": canned.url, "ROLLOUT_TOKEN": TOKEN}
    )

    assert code == 1
    assert "↩ Rolled back, and safe: blue 100 % again" in drawn
    assert "error rate is worse" in drawn
    assert "✘ fail" in drawn
    assert "canary 5 % passed" in drawn
    assert TOKEN not in drawn


def test_in_a_small_terminal_the_picture_says_that_it_is_old(canned: Canned) -> None:
    """At its end nobody would see it: what has no room is cut off there."""
    long = tuple(finding(Verdict.NOT_MEASURED, "no numbers, " * 20) for _ in range(5))
    now, over = a_view(findings=long, minute_seconds=3), ended(Outcome.PROMOTED)
    canned.shows([now], HISTORY)
    silent = (503, {"title": "Later", "detail": "the store is away"})
    canned.replies["GET", f"rollouts/{now['id']}"] = deque([(200, now), silent, (200, over)])

    code, drawn = run_in_terminal(
        ["watch", "churn"],
        {"ROLLOUT_URL": canned.url, "ROLLOUT_TOKEN": TOKEN, "COLUMNS": "80", "LINES": "24"},
    )

    assert code == 0
    assert "The controller has not answered for" in drawn


def test_what_goes_on_in_the_next_line_stays_in_its_place(canned: Canned) -> None:
    canned.shows([a_view(findings=(finding(Verdict.FAIL, "too many of them " * 8),))])
    there = {"ROLLOUT_URL": canned.url, "ROLLOUT_TOKEN": TOKEN, "NO_COLOR": "1"}

    _, drawn = run_in_terminal(["get", "churn"], {**there, "COLUMNS": "80"})

    lines = [line for line in drawn.splitlines() if "too many" in line]
    assert len(lines) == 2
    assert all(re.match(r"(\x1b\[[0-9;]*m)*  \S", line.replace("\x1b[0m", "")) for line in lines)


def test_a_terminal_that_cannot_draw_anew_gets_line_by_line(canned: Canned) -> None:
    canned.shows([a_view(), ended(Outcome.PROMOTED)], HISTORY)

    code, drawn = run_in_terminal(
        ["watch", "churn"], {"ROLLOUT_URL": canned.url, "ROLLOUT_TOKEN": TOKEN, "TERM": "dumb"}
    )

    assert code == 0
    assert "12:00:02  shifting      canary 5 % passed" in drawn


def test_a_reader_that_goes_away_looks_like_no_ending_of_a_rollout(canned: Canned) -> None:
    canned.says("GET", "rollouts", {"rollouts": [a_view()]})
    nobody, theirs = os.pipe()
    os.close(nobody)

    done = subprocess.run(
        [sys.executable, "-m", "rollout", "list"],
        cwd=ROOT,
        env={**os.environ, "ROLLOUT_URL": canned.url, "ROLLOUT_TOKEN": TOKEN},
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(theirs)

    assert (done.returncode, done.stderr) == (Exit.INTERRUPTED, b"")


def test_a_terminal_that_cannot_show_a_mark_is_served_all_the_same(canned: Canned) -> None:
    canned.says("GET", "rollouts", {"rollouts": [a_view()]})
    narrow = {"PYTHONIOENCODING": "latin-1", "ROLLOUT_URL": canned.url, "ROLLOUT_TOKEN": TOKEN}

    done = subprocess.run(
        [sys.executable, "-m", "rollout", "list"],
        cwd=ROOT,
        env={**os.environ, **narrow},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert "? contoso/churn  Nothing bad so far" in done.stdout


def test_a_fault_of_ours_looks_like_no_ending_of_a_rollout(tmp_path: Path) -> None:
    """An exit code of 1 would tell CI that something was rolled back."""
    broken = "import rollout.cli.talk\nrollout.cli.talk.find_place = None\n"
    (tmp_path / "sitecustomize.py").write_text(broken)

    done = subprocess.run(
        [sys.executable, "-m", "rollout", "list"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 70
    assert "TypeError" in done.stderr
