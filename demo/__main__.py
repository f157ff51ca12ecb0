"""`python -m demo`: starts everything, tells three stories, and says whether they end as they must.

Everything it makes is under `.demo/`; nothing of it is left running.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.azure import Workspace
from demo.endings import Ending, count, since, summary, unexplained, unsent, users

ROOT = Path(__file__).resolve().parent.parent
SCORING_PYTHON = ROOT / ".venv-scoring/bin/python"
WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/demo"
    "/providers/Microsoft.MachineLearningServices/workspaces/demo"
)
ENDPOINT = "digits"
RATE = 120
SPEED = 20
START_SECONDS = 30.0
STOP_SECONDS = 10.0
ENDINGS = {0: "promoted", 1: "rolled back"}


@dataclass(frozen=True)
class Story:
    """What is rolled out, what it is like, and the exit code with which it must end."""

    deployment: str
    told: str
    ends: int


STORIES = (
    Story("digits-v2", "a better model", 0),
    Story("digits-v3", "fails on one digit in 28, and is slower", 1),
    Story("digits-v4", "fast and never fails, but reads eights and nines as threes", 1),
)

BAD = {story.deployment for story in STORIES if story.ends}


def say(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


@contextmanager
def running(name: str, command: Sequence[str | Path], folder: Path, **env: str) -> Iterator[None]:
    """Run a program beside us, its output in a file; it ends with us."""
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(what: Callable[[], str | None], name: str, folder: Path) -> str:
    """Ask until there is an answer; says where to look when there is none in time."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(0.05)
    log = folder / f"{name}.log"
    raise SystemExit(
        f"{name} did not start in {START_SECONDS:.0f} seconds; it said:\n{log.read_text()}"
    )


def model_of(deployment: str, folder: Path) -> Path:
    return folder / "models" / deployment / "model.joblib"


def content_of(path: Path) -> Callable[[], str | None]:
    return lambda: path.read_text().strip() if path.exists() else None


def tell(story: Story, code: Path, workspace: Workspace, folder: Path) -> Ending:
    """Create the new deployment, announce it, and watch until the rollout is over."""
    say(f"{story.deployment}: {story.told}")
    tally = folder / "traffic.json"
    before, held, began, clock = users(tally), unsent(tally), time.time(), time.monotonic()
    workspace.create_deployment(
        ENDPOINT, story.deployment, code, model_of(story.deployment, folder)
    )
    rollout = [sys.executable, "-m", "rollout", "start", ENDPOINT, story.deployment]
    env = {**os.environ, "ROLLOUT_DATA": str(folder / "controller")}
    done = subprocess.run(
        [*rollout, "--why", story.told, "--as", "demo", "--wait", "--timeout", "240"],
        cwd=ROOT,
        env=env,
        check=False,
    )
    seconds = time.monotonic() - clock
    time.sleep(1.1)  # the tally is written every second
    seen = since(before, users(tally), began)
    return Ending(
        deployment=story.deployment,
        expected=ENDINGS[story.ends],
        ended=ENDINGS.get(done.returncode, f"exit code {done.returncode}"),
        seconds=round(seconds, 1),
        requests=count(seen),
        failed=count(seen, failed=True),
        by_canary=count(seen, story.deployment),
        unsent=unsent(tally) - held,
        unexplained=unexplained(seen, BAD),
    )


def play(folder: Path, scripts: dict[str, Path]) -> list[Ending]:
    """Start the platform, the controller and the traffic, and tell each story in turn."""
    data = folder / "controller"
    with ExitStack() as programs:
        emulator = [
            sys.executable,
            "-m",
            "emulator",
            "--port",
            "0",
            "--data",
            folder / "emulator",
            "--ready-file",
            folder / "emulator.url",
            "--scoring-python",
            SCORING_PYTHON,
            "--subscription",
            WORKSPACE.split("/")[2],
            "--resource-group",
            "demo",
            "--workspace",
            "demo",
            "--grain-seconds",
            str(60 / SPEED),
            "--exit-with-parent",
        ]
        programs.enter_context(running("emulator", emulator, folder))
        url = wait_for(content_of(folder / "emulator.url"), "emulator", folder)
        workspace = Workspace(url, WORKSPACE)
        scoring = workspace.create_endpoint(ENDPOINT)
        workspace.create_deployment(
            ENDPOINT, "digits-v1", scripts["digits-v1"], model_of("digits-v1", folder)
        )
        workspace.wait_for_deployment(ENDPOINT, "digits-v1")
        workspace.give_all_traffic(ENDPOINT, "digits-v1")
        controller = [
            sys.executable,
            "-m",
            "rollout",
            "up",
            "--data",
            data,
            "--port",
            "0",
            "--policies",
            ROOT / "policies",
            "--arm-url",
            url,
            "--workspace",
            WORKSPACE,
            "--clock-speed",
            str(SPEED),
            "--installation",
            "demo",
        ]
        programs.enter_context(running("controller", controller, folder))
        wait_for(content_of(data / "url"), "controller", folder)
        traffic = [
            sys.executable,
            "-m",
            "demo.traffic",
            scoring,
            folder / "models" / "requests.jsonl",
            str(RATE),
            folder / "traffic.json",
        ]
        programs.enter_context(
            running("traffic", traffic, folder, DEMO_KEY=workspace.key(ENDPOINT))
        )
        say(f"digits-v1 serves {RATE} requests a second; policy minutes pass {SPEED} times as fast")
        return [tell(story, scripts[story.deployment], workspace, folder) for story in STORIES]


def main() -> int:
    """Play the demo; exits 1 when a story ends otherwise than it must, or users paid for it."""
    asked = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    asked.add_argument("--folder", type=Path, default=ROOT / ".demo", help="where everything goes")
    asked.add_argument("--swap", action="store_true", help="swap the scripts of v2 and v3")
    asked.add_argument("--summary", type=Path, help="also write the endings to this file, as JSON")
    options = asked.parse_args()
    folder: Path = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say("training the models")
    train = [SCORING_PYTHON, ROOT / "demo/train.py", folder / "models"]
    subprocess.run(train, check=True)
    scripts = {path.name: path for path in sorted((ROOT / "demo/models").glob("digits-*"))}
    if options.swap:
        scripts["digits-v2"], scripts["digits-v3"] = scripts["digits-v3"], scripts["digits-v2"]
    endings = play(folder, scripts)
    say("what happened")
    as_told = summary(endings)
    if options.summary:
        options.summary.write_text(json.dumps([asdict(one) for one in endings]))
    print(f"\nWhere to look next: README.md, docs/, and the logs in {options.folder}/")
    return 0 if as_told else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped; nothing of it is left running.")
        sys.exit(130)
