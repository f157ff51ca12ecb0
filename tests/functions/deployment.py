"""What a deployment carries to Azure: the repository without what `.funcignore` names."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).resolve().parents[2]
IGNORED = GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())


def deployed() -> Iterator[str]:
    """The paths of the files that would be deployed."""
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        kept = [one for one in folders if not IGNORED.match_file(f"{(here / one).as_posix()}/")]
        folders[:] = kept
        paths = ((here / one).as_posix() for one in files)
        yield from (path for path in paths if not IGNORED.match_file(path))


def deploy(folder: Path) -> Path:
    """A copy of them in that folder."""
    for path in deployed():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder
