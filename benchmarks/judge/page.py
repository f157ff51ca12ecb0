"""Redraws what was measured in a page of the documentation, between its two marks."""

from pathlib import Path

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def redraw(path: Path, told: str) -> None:
    """Replace what stands between the marks; raises ValueError where they are not there."""
    text = path.read_text()
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"{path}: there is no {BEGIN} with an {END} after it")
    path.write_text(f"{before}{BEGIN}\n{told}\n{END}{after}")
