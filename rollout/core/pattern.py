"""A name as a policy writes it: whole, or with `*` for anything."""

import re
from functools import cache


def fits(pattern: str, text: str) -> bool:
    """Whether the text is what the pattern says; letters count in either case."""
    return _compiled(pattern).fullmatch(text) is not None


def precision(pattern: str) -> tuple[bool, int]:
    """Larger is more specific: a whole name before any pattern, then the letters written."""
    return "*" not in pattern, len(pattern.replace("*", ""))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in re.split(r"\*+", pattern))
    return re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)
