"""What makes a guard whole: a limit that fits its metric, or a question of one's own."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from rollout.addresses import LOOPBACK
from rollout.analysis.report import ANSWERS, Guard, Metric, Severity
from rollout.analysis.threshold import relative

DEFAULT_GUARDS = (
    Guard(Metric.ERROR_RATE, worse_by_ratio=1.25, worse_by_points=0.0005),
    Guard(Metric.LATENCY_P95, worse_by_ratio=1.10, severity=Severity.HOLD),
    Guard(Metric.UNAVAILABLE_RATE, worse_by_points=0.01, severity=Severity.HOLD),
    Guard(Metric.UNAVAILABLE_RATE, worse_by_points=0.05),
    Guard(Metric.PLATFORM_RATE, worse_by_points=0.01, severity=Severity.HOLD),
)

RATES = frozenset({Metric.ERROR_RATE, Metric.UNAVAILABLE_RATE, Metric.PLATFORM_RATE})
TEXT_MAX = 2000
TEXTS_MAX = 6000
"""All questions together are kept with the rollout, in one row."""

KINDS = ("kql", "prometheus", "http")
_OWN_KEYS = ("name", *KINDS, "of", "method")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_WORD = re.compile(r"[A-Za-z0-9_.:+-]+")
_WHOSE = ("endpoint", "workspace", "deployment", "minute")
_FACTS: Mapping[str, tuple[str, ...]] = {
    "kql": (*_WHOSE, "since", "until"),
    "prometheus": _WHOSE,
}


def kind_of(guard: Guard) -> str:
    """By what a custom guard asks: `kql`, `prometheus` or `http`."""
    return next(kind for kind in KINDS if getattr(guard, kind) is not None)


def source_of(guard: Guard) -> str:
    """Where a custom guard's samples are kept; another question is another source."""
    question = "\n".join(f"{key} {getattr(guard, key)}" for key in (*KINDS, "of", "method"))
    return f"guard-{guard.name}-{hashlib.sha256(question.encode()).hexdigest()[:8]}"


def placeholders(text: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(text))


def filled(text: str, facts: Mapping[str, str]) -> str:
    """The question with its facts; raises ValueError for a fact that could be read as code."""
    for name in placeholders(text) & set(facts):
        if not _WORD.fullmatch(facts[name]):
            raise ValueError(f"{{{name}}} is {facts[name]!r}, which is not safe in a query")
    return _PLACEHOLDER.sub(lambda found: facts.get(found[1], found[0]), text)


# -- rules ---------------------------------------------------------------------------------------


def check_guards(guards: Sequence[Guard]) -> None:
    """Raise ValueError that names the place of the first guard that is not whole."""
    names, letters = set[str](), 0
    for place, guard in enumerate(guards):
        for rule in _RULES:
            rule(place, guard)
        if guard.name in names:
            raise ValueError(f"[{place}].name: {guard.name} is the name of another guard already")
        names |= {guard.name} if guard.name else set()
        letters += sum(len(getattr(guard, key) or "") for key in (*KINDS, "of"))
        if letters > TEXTS_MAX:
            raise ValueError(
                f"[{place}]: with it the questions have {letters} letters; at most {TEXTS_MAX}"
            )


def _one_question(place: int, guard: Guard) -> None:
    asked = [kind for kind in KINDS if getattr(guard, kind) is not None]
    if not guard.custom:
        odd = [key for key in _OWN_KEYS if getattr(guard, key) is not None]
        if odd:
            raise ValueError(
                f"[{place}].{odd[0]}: belongs to a custom guard, and metric says {guard.metric};"
                " leave one of the two out"
            )
    elif not asked:
        raise ValueError(
            f"[{place}]: asks nothing; give a metric, or a question of your own: {', '.join(KINDS)}"
        )
    elif len(asked) > 1:
        raise ValueError(f"[{place}].{asked[1]}: {asked[0]} is asked already; write two guards")


def _a_name(place: int, guard: Guard) -> None:
    if not guard.custom:
        return
    if guard.name is None:
        raise ValueError(f"[{place}]: a custom guard needs a name, such as name: slow_batches")
    if not _NAME.fullmatch(guard.name) or guard.name in set(Metric):
        raise ValueError(
            f"[{place}].name: {guard.name!r} is not free or not a name; write small letters,"
            " digits and '_', at most 40"
        )


def _a_limit(place: int, guard: Guard) -> None:
    if guard.metric in ANSWERS:
        _check_answers(place, guard)
        return
    limited = relative(guard) or guard.at_most is not None
    if guard.http is not None and relative(guard):
        raise ValueError(
            f"[{place}]: an http guard answers yes or no, or a number held to at_most;"
            " leave out worse_by_ratio and worse_by_points"
        )
    if not limited and guard.http is None:
        raise ValueError(
            f"[{place}]: {guard.title} has no limit;"
            " give worse_by_ratio, worse_by_points or at_most"
        )
    if guard.at_most is not None and relative(guard):
        raise ValueError(f"[{place}]: at_most is absolute; write a second guard for the margin")
    if guard.worse_by_ratio is not None and guard.worse_by_ratio < 1:
        raise ValueError(f"[{place}].worse_by_ratio: {guard.worse_by_ratio} is below 1")


def _check_answers(place: int, guard: Guard) -> None:
    """A tolerance where there is one to give; a margin against the baseline means nothing here."""
    if guard.worse_by_ratio is not None or guard.worse_by_points is not None:
        raise ValueError(f"[{place}]: {guard.metric} compares answers; it takes no margin")
    tolerated = {Metric.DISAGREEMENT_RATE: 0 < (guard.at_most or 0) < 1}
    tolerated[Metric.SCORE_DRIFT] = guard.at_most is None or guard.at_most >= 0
    if not tolerated.get(guard.metric, guard.at_most is None):
        wanted = {
            Metric.DISAGREEMENT_RATE: "give at_most, the part of the answers that may differ",
            Metric.SCORE_DRIFT: "at_most is how far scores may move, 0 or more",
        }
        none = "it takes no limit: any change that is more than chance counts"
        raise ValueError(f"[{place}]: {guard.metric}: {wanted.get(guard.metric, none)}")


def _a_rate(place: int, guard: Guard) -> None:
    if guard.custom:
        counts = guard.of is not None
        limits: tuple[float | None, ...] = (
            guard.worse_by_points,
            guard.at_most if counts else None,
        )
    elif guard.metric in ANSWERS:
        return
    elif guard.metric in RATES:
        limits = (guard.worse_by_points, guard.at_most)
    elif guard.worse_by_points is not None:
        raise ValueError(f"[{place}].worse_by_points: points are for rates; use worse_by_ratio")
    else:
        return
    if any(limit is not None and not 0 <= limit <= 1 for limit in limits):
        raise ValueError(f"[{place}]: a rate is a number from 0 to 1, not a percentage")


def _only_where_it_means_something(place: int, guard: Guard) -> None:
    if guard.method is not None and guard.http is None:
        raise ValueError(f"[{place}].method: belongs to http; leave it out")
    if guard.of is not None and guard.prometheus is None:
        raise ValueError(f"[{place}].of: belongs to prometheus; leave it out")
    if guard.prometheus is not None and relative(guard) and guard.of is None:
        raise ValueError(
            f"[{place}]: a margin needs counts of both arms; let prometheus count the failures, and"
            " add of: the query that counts the requests"
        )


def _a_question(place: int, guard: Guard) -> None:
    for key in ("kql", "prometheus", "of"):
        text = getattr(guard, key)
        if text is not None:
            _check_query(f"[{place}].{key}", text, _FACTS["kql" if key == "kql" else "prometheus"])
    if guard.http is not None:
        _check_url(f"[{place}].http", guard.http)


def _check_query(place: str, text: str, known: Sequence[str]) -> None:
    found = placeholders(text)
    all_known = ", ".join(f"{{{one}}}" for one in known)
    if len(text) > TEXT_MAX:
        raise ValueError(f"{place}: {len(text)} letters; at most {TEXT_MAX}")
    if odd := sorted(found - set(known)):
        raise ValueError(f"{place}: {{{odd[0]}}} is not filled in here; known: {all_known}")
    if not found & {"endpoint", "deployment"}:
        raise ValueError(
            f"{place}: says neither {{endpoint}} nor {{deployment}}, so it would count what is not"
            f" this rollout's; known: {all_known}"
        )
    for name in ("since", "until"):
        if name in known and name not in found:
            raise ValueError(
                f"{place}: without {{{name}}} it would count other minutes than the stage's; write"
                " TimeGenerated between (datetime({since}) .. datetime({until}))"
            )


def _check_url(place: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - it raises for what is no port
    except ValueError:
        host, parts = None, urlsplit("")
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    if not host or not safe or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise ValueError(f"{place}: write an address such as https://checks.example.com/canary")


_RULES: Sequence[Callable[[int, Guard], None]] = (
    _one_question,
    _a_name,
    _a_limit,
    _a_rate,
    _only_where_it_means_something,
    _a_question,
)
