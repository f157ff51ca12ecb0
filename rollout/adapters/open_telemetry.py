"""Spans and metrics by OpenTelemetry: this module is imported only where a setting asks for it."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import Span, StatusCode

from rollout import signals
from rollout.errors import Malformed
from rollout.signals import Kind

log = logging.getLogger(__name__)

NAME = "rollout"
COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
PREFIX = "rollout."
"""Of attributes: `endpoint` is told as `rollout.endpoint`, so that it is nobody else's."""

_open_spans: ContextVar[tuple[Span, ...]] = ContextVar("open_spans", default=())


class OpenTelemetry:
    """Tells the providers of this process, or those given; who exports is their business."""

    on = True

    def __init__(
        self,
        traces: trace.TracerProvider | None = None,
        meters: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(NAME, tracer_provider=traces)
        meter = metrics.get_meter(NAME, meter_provider=meters)
        self._tellers: dict[str, Callable[[float, Mapping[str, str]], None]] = {}
        for name, one in signals.SIGNALS.items():
            match one.kind:
                case Kind.GAUGE:
                    self._tellers[name] = meter.create_gauge(name, one.unit, one.meaning).set
                case Kind.COUNTER:
                    self._tellers[name] = meter.create_counter(name, one.unit, one.meaning).add
                case Kind.HISTOGRAM:
                    spread = meter.create_histogram(name, one.unit, one.meaning)
                    self._tellers[name] = spread.record

    @contextmanager
    def span(self, name: str, parent: str | None = None) -> Iterator[None]:
        """The platform's own context goes before one that a header brings."""
        with (
            _taken_up(parent),
            self._tracer.start_as_current_span(
                name,
                attributes=_attributes(signals.subject()),
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
        ):
            before = _open_spans.set((*_open_spans.get(), span))
            try:
                yield
            except BaseException as error:
                # Its kind alone: the text of an error may hold what no exporter should.
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise
            finally:
                _open_spans.reset(before)

    def about(self, facts: Mapping[str, str]) -> None:
        for span in _open_spans.get():
            span.set_attributes(_attributes(facts))

    def tell(self, signal: str, value: float, attributes: Mapping[str, str]) -> None:
        self._tellers[signal](value, _attributes(attributes))


@contextmanager
def _taken_up(parent: str | None) -> Iterator[None]:
    if not parent or trace.get_current_span().get_span_context().is_valid:
        yield
        return
    token = context.attach(propagate.extract({"traceparent": parent}))
    try:
        yield
    finally:
        context.detach(token)


def _attributes(facts: Mapping[str, str]) -> dict[str, str]:
    return {PREFIX + name: value for name, value in facts.items()}


def export(environment: Mapping[str, str] = os.environ) -> None:
    """Send to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, unless someone exports already.

    Where it is not set nothing is sent. Raises Malformed that names the package that is missing.
    """
    endpoint = environment.get(COLLECTOR)
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
            OTLPMetricExporter,
        )
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as missing:
        raise Malformed(
            f"{COLLECTOR} is set, and {missing.name} is not installed:"
            " pip install 'rollout[telemetry]'"
        ) from missing
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return  # the worker's own hook, or an agent, was here before
    traces = TracerProvider()
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
    log.info("spans and metrics go to %s", _bare(endpoint))


def _bare(url: str) -> str:
    """Without a password or a query."""
    return url.partition("?")[0].rpartition("@")[2]
