"""How this process tells of itself: where its spans and metrics go, and how its log looks."""

from typing import TYPE_CHECKING

from rollout.adapters.logs_out import Blotter, JsonLines, Lines, configure
from rollout.errors import Malformed
from rollout.signals import Silent

if TYPE_CHECKING:
    from rollout.ports import Telemetry
    from rollout.settings import Settings


def telemetry_of(known: "Settings") -> "Telemetry":
    """Nothing of OpenTelemetry is imported unless it is asked for; raises Malformed."""
    if known.telemetry == "off":
        return Silent()
    try:
        from rollout.adapters import open_telemetry  # noqa: PLC0415 - only where it is asked for
    except ImportError as missing:
        raise Malformed(
            f"ROLLOUT_TELEMETRY is opentelemetry, and {missing.name} is not installed:"
            " pip install 'rollout[telemetry]'"
        ) from missing
    open_telemetry.export()
    return open_telemetry.OpenTelemetry()


def tell_log(known: "Settings") -> None:
    """Set how lines look, and keep every secret out of them."""
    blot = Blotter(known.secret_texts)
    formatter = JsonLines(blot) if known.log_format == "json" else Lines(blot)
    configure(formatter, known.log_level)
