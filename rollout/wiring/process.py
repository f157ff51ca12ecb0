"""What the process is told at its start, and how it tells of itself: spans, metrics, its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.once import Once

if TYPE_CHECKING:
    from rollout.adapters.clock import SystemClock
    from rollout.ports import Telemetry
    from rollout.settings import Settings


@Once
def settings() -> Settings:
    """Raises Malformed that names each wrong setting."""
    from rollout.settings import Settings

    return Settings.load()


@Once
def clock() -> SystemClock:
    from rollout.adapters.clock import SystemClock

    return SystemClock(settings().clock_speed)


@Once
def telemetry() -> Telemetry:
    """Nothing of OpenTelemetry is imported unless it is asked for; raises Malformed."""
    from rollout.errors import Malformed
    from rollout.signals import Silent

    if settings().telemetry == "off":
        return Silent()
    try:
        from rollout.adapters import open_telemetry
    except ImportError as missing:
        raise Malformed(
            f"ROLLOUT_TELEMETRY is opentelemetry, and {missing.name} is not installed:"
            " pip install 'rollout[telemetry]'"
        ) from missing
    open_telemetry.export()
    return open_telemetry.OpenTelemetry()


@Once
def log() -> None:
    """How its lines look, without any secret."""
    from rollout.adapters.logs_out import Blotter, JsonLines, Lines, configure

    known = settings()
    blot = Blotter(known.secret_texts)
    formatter = JsonLines(blot) if known.log_format == "json" else Lines(blot)
    configure(formatter, known.log_level)
