"""A canned controller, and the command line as a person at a pipe has it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rollout.cli.app import rollout
from rollout.cli.session import Session
from tests.cli.canned import TOKEN, Canned


@dataclass
class Shell:
    """Runs commands; time passes only when a command sleeps."""

    folder: Path
    environment: dict[str, str]
    served: list[int] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[int], None] = lambda _: None
    serves: Callable[[Callable[[str], None]], None] = lambda on_ready: on_ready(
        "http://127.0.0.1:9"
    )

    def run(self, *words: str) -> Result:
        session = Session(
            environment=self.environment,
            serve=self._serve,
            folder=self.folder,
            sleep=self._sleep,
            monotonic=lambda: sum(self.slept),
        )
        return CliRunner().invoke(rollout, words, obj=session, prog_name="rollout")

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep(len(self.slept))

    def _serve(self, *, port: int, on_ready: Callable[[str], None]) -> None:
        self.served.append(port)
        self.serves(on_ready)


@pytest.fixture
def canned() -> Iterator[Canned]:
    server = Canned()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shell(canned: Canned, tmp_path: Path) -> Shell:
    """A folder in which `rollout up` has left its address and its token."""
    data = tmp_path / ".rollout"
    data.mkdir()
    (data / "url").write_text(canned.url + "\n")
    (data / "token").write_text(TOKEN + "\n")
    (data / "token").chmod(0o600)
    return Shell(tmp_path, {"ROLLOUT_CONFIG": str(tmp_path / "config" / "contexts.json")})
