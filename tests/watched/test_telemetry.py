"""A real run as OpenTelemetry sees it: each number once, each span with its rollout."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rollout import signals
from rollout.adapters.open_telemetry import OpenTelemetry
from rollout.core.rollout import Phase
from rollout.engine import Engine
from rollout.looks import Looks
from rollout.measuring import Sources
from rollout.watched import WatchedEffects, WatchedEngine, WatchedStore, watched
from tests.fakes import NOON
from tests.simulation.azure import SimulatedMetrics
from tests.simulation.world import CHURN, World

SETTINGS = {"ROLLOUT_API_TOKEN": "x" * 20, "ROLLOUT_WORKSPACES": CHURN.in_workspace.arm_id}


class Told(World):
    """A world whose engine is wired as the product wires it, over exporters in memory."""

    def __init__(self) -> None:
        self.spans, self.numbers = InMemorySpanExporter(), InMemoryMetricReader()
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(self.spans))
        self.telemetry = OpenTelemetry(traces, MeterProvider([self.numbers]))
        super().__init__()

    def new_worker(self) -> Engine:
        told = self.telemetry
        azure = watched(self.azure, "endpoints", told)
        sources = Sources(
            endpoints=azure,
            metrics=watched(SimulatedMetrics(self.azure), "metrics", told),
            samples=self.samples,
            policies=self.policies,
            clock=self.clock,
        )
        looks = Looks(sources, (CHURN.in_workspace,), "test")
        effects = WatchedEffects(azure, azure, self.policies, "test", self.clock)
        store: Any = WatchedStore(self.store, told)
        engine = WatchedEngine(
            store, watched(self.queue, "queue", told), self.clock, looks, effects
        )
        effects.telemetry = engine.telemetry = told
        return engine

    def points(self, name: str) -> list[Any]:
        data = self.numbers.get_metrics_data()
        found = [
            one.data.data_points
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for one in scope.metrics
            if one.name == name
        ]
        return [point for points in found for point in points]

    @property
    def named(self) -> Mapping[str, list[ReadableSpan]]:
        names: dict[str, list[ReadableSpan]] = {}
        for span in self.spans.get_finished_spans():
            names.setdefault(span.name, []).append(span)
        return names


@pytest.fixture
def world() -> Told:
    return Told()


def test_a_promotion_is_told_once_and_the_phase_is_one(world: Told) -> None:
    world.start()
    rollout = world.run(minutes=120)

    about = {"rollout.endpoint": str(CHURN), "rollout.rollout_id": rollout.id}
    (promoted,) = world.points(signals.PROMOTIONS)
    assert (promoted.value, dict(promoted.attributes)) == (1, about)
    phases = {one.attributes["rollout.phase"]: one.value for one in world.points(signals.PHASE)}
    assert phases.pop(Phase.PROMOTED.value) == 1
    assert phases
    assert set(phases.values()) == {0}
    assert [one.value for one in world.points(signals.WEIGHT)] == [100]
    assert world.points(signals.EVIDENCE)[0].value > 1000
    assert world.points(signals.ROLLBACKS) == []


def test_an_alert_is_timed_until_azure_accepts_the_way_back(world: Told) -> None:
    world.start()
    world.run(minutes=20)
    alert = world.alert(fired_at=world.clock.now() - timedelta(seconds=40))
    world.tell(alert)
    world.run(minutes=5)

    (rollbacks,) = world.points(signals.ROLLBACKS)
    (delay,) = world.points(signals.ALERT_REQUEST)
    (request,) = world.points(signals.ROLLBACK_REQUEST)
    assert (rollbacks.value, rollbacks.attributes["rollout.outcome"]) == (1, "rolled_back")
    assert (delay.count, request.count) == (1, 1)
    assert 40 <= delay.sum == 40 + request.sum < 60


def test_a_repeated_event_is_told_once(world: Told) -> None:
    world.start()
    world.run(minutes=20)
    alert = world.alert()

    world.tell(alert)
    world.tell(alert)

    assert [one.value for one in world.points(signals.ROLLBACKS)] == [1]


def test_every_span_names_endpoint_and_rollout_and_calls_hang_below_doors(world: Told) -> None:
    world.start()
    world.run(minutes=120)

    spans = world.spans.get_finished_spans()
    by_id = {one.context.span_id: one for one in spans if one.context}
    about = [one for one in spans if one.name.startswith(("engine.wake", "engine.start"))]
    unnamed = {
        one.name
        for one in about
        if {"rollout.endpoint", "rollout.rollout_id"} - set(one.attributes or {})
    }
    assert unnamed == set()
    writes = world.named["endpoints.set_traffic"]
    parents = {by_id[one.parent.span_id].name for one in writes if one.parent}
    assert parents == {"effect.set_traffic"}
    assert len(writes) >= len(world.azure.writes) > 0
    assert {"endpoints.read", "metrics.read", "queue.send"} <= set(world.named)


def test_the_sweep_tells_how_late_the_oldest_step_is(world: Told) -> None:
    world.start()
    world.queue.rows.clear()
    due = world.head.due_at
    assert due
    world.clock.time = due + timedelta(seconds=421)

    world.engine.sweep()

    assert [one.value for one in world.points(signals.OLDEST_STEP)] == [421]
    assert [one.value for one in world.points(signals.DEAD_LETTERS)] == [0]
    assert world.clock.time > NOON


def test_a_trace_that_comes_from_outside_goes_on(world: Told) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"

    with world.telemetry.span("door.start_rollout", f"00-{trace_id}-b7ad6b7169203331-01"):
        world.start()

    assert {f"{one.context.trace_id:032x}" for one in world.spans.get_finished_spans()} == {
        trace_id
    }


def test_an_error_leaves_its_kind_and_not_its_words(world: Told) -> None:
    def fail() -> None:
        with world.telemetry.span("door.x"):
            raise ValueError("sig=secret")

    with pytest.raises(ValueError, match="secret"):
        fail()

    (span,) = world.named["door.x"]
    assert span.status.description == "ValueError"
    assert span.events == ()


def test_where_it_is_off_nothing_of_it_is_imported() -> None:
    code = (
        "import sys, function_app; from rollout import wiring; assert not wiring.telemetry().on;"
        "wiring.engine(); print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=SETTINGS, capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == "[]", done.stderr


def test_a_collector_that_is_named_gets_traces_and_metrics() -> None:
    asked: list[str] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(f"{self.path} {b'rollout' in gzipped(body)}")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    def gzipped(body: bytes) -> bytes:
        return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    code = (
        "from rollout import wiring; from opentelemetry import metrics, trace;"
        "told = wiring.telemetry(); span = told.span('engine.wake'); span.__enter__();"
        "told.tell('rollout.dead_letters', 3, {}); span.__exit__(None, None, None);"
        "trace.get_tracer_provider().shutdown(); metrics.get_meter_provider().shutdown()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **SETTINGS,
            "ROLLOUT_TELEMETRY": "opentelemetry",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    server.shutdown()
    server.server_close()

    assert done.returncode == 0, done.stderr
    assert sorted(asked) == ["/v1/metrics True", "/v1/traces True"]
