"""The switches: which of Azure's less pleasant habits are played, and how strongly."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_ALLOWED: Mapping[str, tuple[int, ...]] = {"refuse_writes": (0, 400, 403), "refuse_reads": (0, 403)}


class SwitchError(ValueError):
    """A switch that does not exist, or a value it cannot take."""


def _switch(unit: str, means: str, *, default: Any) -> Any:  # noqa: ANN401 - a typed field's default
    return field(default=default, metadata={"unit": unit, "means": means})


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Every switch with its default; the field's metadata holds unit and meaning."""

    operation_seconds: float = _switch(
        "seconds", "an endpoint operation lasts this long (about 15 s on Azure)", default=0.5
    )
    deployment_seconds: float = _switch(
        "seconds",
        "a deployment operation lasts this much longer than its start",
        default=0.0,
    )
    slow_patch_seconds: float = _switch(
        "seconds", "a PATCH lasts this much longer (6 min 41 s were recorded)", default=0.0
    )
    retry_after_seconds: int = _switch(
        "seconds, -1 = no header", "Retry-After of operations and refusals", default=1
    )
    patch_merges: bool = _switch(
        "flag",
        "a PATCH leaves the shares it does not name; off: its maps replace the old ones",
        default=False,
    )
    busy_refuses: bool = _switch(
        "flag", "409 while an operation runs on that endpoint", default=True
    )
    stale_read_seconds: float = _switch(
        "seconds", "GET shows the old traffic this long after success", default=0.0
    )
    lost_operation_status: bool = _switch(
        "flag", "every poll of an operation answers 404 OperationNotFound", default=False
    )
    regenerate_status_lost: bool = _switch(
        "flag", "polls of regenerateKeys answer 404 OperationNotFound", default=True
    )
    key_change_seconds: float = _switch(
        "seconds",
        "a regenerated key changes this long after its operation has ended",
        default=0.0,
    )
    key_change_lost: bool = _switch(
        "flag", "regenerateKeys is accepted, and no key changes", default=False
    )
    new_key_refused_seconds: float = _switch(
        "seconds", "a new key is answered 401 this long after listKeys shows it", default=0.0
    )
    old_key_accepted_seconds: float = _switch(
        "seconds", "the key before it still opens the endpoint this long", default=0.0
    )
    failing_operations: bool = _switch(
        "flag", "operations end Failed with InternalServerError", default=False
    )
    refuse_writes: int = _switch(
        "0, 400 or 403", "PUT, PATCH, DELETE and key writes are refused with it", default=0
    )
    refuse_reads: int = _switch(
        "0 or 403", "reads of endpoints and deployments are refused with it", default=0
    )
    throttle_rate: float = _switch(
        "fraction", "share of ARM calls answered 429 with Retry-After", default=0.0
    )
    arm_down: bool = _switch("flag", "ARM answers 503 to everything", default=False)
    metrics_down: bool = _switch("flag", "both metrics APIs answer 503", default=False)
    arm_answer_seconds: float = _switch(
        "seconds", "ARM does what it is asked, and answers this much later", default=0.0
    )
    metrics_answer_seconds: float = _switch(
        "seconds",
        "the metrics APIs and the log query answer this much later",
        default=0.0,
    )
    logs_down: bool = _switch("flag", "the log query API answers 503", default=False)
    metrics_lag_seconds: float = _switch(
        "seconds",
        "a minute is visible this long after its end; 0 = while it grows",
        default=0.0,
    )
    logs_lag_seconds: float = _switch(
        "seconds", "a log row is visible this long after its request", default=0.0
    )
    metrics_gap: str = _switch(
        "from/until, ISO 8601", "minutes that begin in it have no points", default=""
    )
    mirror_in_metrics: bool = _switch(
        "flag", "a copy is counted in metrics under its target", default=True
    )
    mirror_in_logs: bool = _switch(
        "flag", "a copy has a row in the traffic log under its target", default=True
    )
    mirror_same_request_id: bool = _switch(
        "flag", "a copy keeps the ids of its request; off: it gets its own", default=True
    )
    mirror_queue_max: int = _switch("copies", "more waiting copies are dropped", default=1000)
    mirror_bytes_max: int = _switch(
        "bytes", "more waiting bytes of copies are dropped", default=64 * 1024 * 1024
    )
    token_seconds: int = _switch("seconds", "lifetime of an aml_token", default=86_340)
    processes_max: int = _switch(
        "processes",
        "instances really started for one deployment, whatever sku.capacity",
        default=4,
    )
    provision_seconds_max: float = _switch(
        "seconds",
        "an instance not healthy by then makes its deployment Failed",
        default=60.0,
    )


FIELDS: Mapping[str, dataclasses.Field[Any]] = {f.name: f for f in dataclasses.fields(Switches)}


class Switchboard:
    """Holds the switches that are set now; handlers read `board.set.<name>`."""

    def __init__(self, initial: Switches | None = None) -> None:
        self.set = initial or Switches()

    def change(self, wanted: Mapping[str, object]) -> None:
        """Set all of `wanted`, or raise SwitchError and set none."""
        values: dict[str, Any] = {name: _value(name, given) for name, given in wanted.items()}
        self.set = dataclasses.replace(self.set, **values)

    def window(self) -> tuple[float, float] | None:
        """`metrics_gap` in epoch seconds."""
        return _window(self.set.metrics_gap)


def parse_assignment(text: str) -> tuple[str, str]:
    """`name=value` of the command line."""
    name, sign, value = text.partition("=")
    if not sign:
        raise SwitchError(f"write a switch as name=value, not {text!r}")
    return name.strip(), value.strip()


def _value(name: str, given: object) -> bool | float | str:
    known = FIELDS.get(name)
    if known is None:
        raise SwitchError(f"unknown switch {name!r}; known: {', '.join(sorted(FIELDS))}")
    try:
        return _READERS[type(known.default)](name, given)
    except (TypeError, ValueError) as error:
        unit = known.metadata["unit"]
        raise SwitchError(f"{name} cannot be {given!r}; it is measured in: {unit}") from error


def _flag(_: str, given: object) -> bool:
    words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
    return words[str(given).lower()] if str(given).lower() in words else _refuse(given)


def _whole(name: str, given: object) -> int:
    if isinstance(given, bool):
        _refuse(given)
    number = int(str(given))
    known = _ALLOWED.get(name)
    allowed = number in known if known else number >= _SMALLEST.get(name, 1)
    return number if allowed else _refuse(given)


def _real(name: str, given: object) -> float:
    if isinstance(given, bool):
        _refuse(given)
    number = float(str(given))
    largest = 1.0 if name.endswith("_rate") else 86_400.0
    return number if 0.0 <= number <= largest else _refuse(given)


def _text(_: str, given: object) -> str:
    _window(str(given))
    return str(given)


def _refuse(given: object) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(given)


def _window(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    start, _, end = text.partition("/")
    return _epoch(start), _epoch(end)


def _epoch(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return moment.timestamp() if moment.tzinfo else _refuse(text)


_SMALLEST = {"retry_after_seconds": -1, "mirror_queue_max": 0, "mirror_bytes_max": 0}
_READERS: Mapping[type, Callable[[str, object], bool | float | str]] = {
    bool: _flag,
    int: _whole,
    float: _real,
    str: _text,
}
