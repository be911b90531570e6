"""Where metrics go while a run lasts: a port of this machine, a collector on this machine."""

import builtins
import socket
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from agent_sim.cli import telemetry
from agent_sim.cli.showing import Showing
from agent_sim.errors import UsageError
from agent_sim.results.tally import Tally
from tests.results.journals import fleet, registered, started, traffic


@pytest.fixture
def tally() -> Tally:
    made = Tally()
    for line in (started(), fleet(), registered(), traffic(ok=3, milliseconds=9.0)):
        made.add(line)
    made.second()
    return made


@contextmanager
def collecting(status: int = 200):
    """A collector of OpenTelemetry, as far as an exporter can tell; yields its address and what it was sent."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_port_shows_the_fleet_and_this_process(tally, capsys):
    with telemetry.telling(Showing(metrics_port=0), tally):
        address = capsys.readouterr().err.split()[-1]
        text = urllib.request.urlopen(address, timeout=30).read().decode()

    assert address.startswith("http://127.0.0.1:")
    assert 'agent_sim_fleet_agents{fleet="lab",state="online"} 1.0' in text
    assert "process_cpu_seconds_total" in text


def test_the_port_is_free_again_afterwards(tally, capsys):
    for _ in range(2):
        with telemetry.telling(Showing(metrics_port=0), tally):
            port = int(capsys.readouterr().err.split(":")[-1].split("/")[0])
        with telemetry.telling(Showing(metrics_port=port), tally):
            capsys.readouterr()


def test_a_port_that_is_taken_is_refused_in_a_line(tally):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as refused, telemetry.telling(Showing(metrics_port=port), tally):
            pass

    assert str(refused.value) == f"--metrics-port {port}: cannot be listened on (Address already in use)"


# --- OpenTelemetry ----------------------------------------------------------------------------


def test_a_collector_is_sent_the_measures(tally, monkeypatch, capsys):
    with collecting() as (address, bodies):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        with telemetry.telling(Showing(otel=True), tally, {"OTEL_EXPORTER_OTLP_ENDPOINT": address}):
            pass

    sent = ExportMetricsServiceRequest.FromString(bodies[-1]).resource_metrics[0]
    metrics = {metric.name: metric for metric in sent.scope_metrics[0].metrics}
    assert ("service.name", "agent-sim") in [(each.key, each.value.string_value) for each in sent.resource.attributes]
    [point] = metrics["agent_sim_fleet_requests"].sum.data_points
    assert (point.as_double, metrics["agent_sim_fleet_requests"].sum.is_monotonic) == (3.0, True)
    [spread] = metrics["agent_sim_fleet_request_duration_seconds"].histogram.data_points
    assert (spread.count, spread.bucket_counts[4], len(spread.bucket_counts)) == (3, 3, len(spread.explicit_bounds) + 1)
    assert not spread.HasField("min")
    assert metrics["agent_sim_fleet_request_duration_seconds"].unit == "s"
    assert capsys.readouterr().err == ""


def test_it_is_sent_again_and_again(tally, monkeypatch):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "set below", "OTEL_METRIC_EXPORT_INTERVAL": "1"}
    with collecting() as (address, bodies):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        with telemetry.telling(Showing(otel=True), tally, environ):
            over = threading.Event()
            while len(bodies) < 3:
                over.wait(0.05)  # the test's own timeout bounds this


def test_a_collector_that_refuses_is_a_remark_and_no_failure(tally, monkeypatch, capsys):
    with collecting(status=400) as (address, _):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        with telemetry.telling(Showing(otel=True), tally, {"OTEL_EXPORTER_OTLP_ENDPOINT": address}):
            pass

    assert capsys.readouterr().err == "remark: the collector took 0 of 1 exports of metrics\n"


def test_without_an_endpoint_it_is_refused_in_a_line(tally):
    with pytest.raises(UsageError) as refused, telemetry.telling(Showing(otel=True), tally, {}):
        pass

    assert str(refused.value) == (
        "--otel: where is the collector? set OTEL_EXPORTER_OTLP_ENDPOINT, such as http://127.0.0.1:4318"
    )


def test_without_the_extra_it_is_refused_in_a_line(tally, monkeypatch):
    whole = builtins.__import__

    def without(name, *rest):
        if name.startswith("opentelemetry"):
            raise ImportError("No module named 'opentelemetry'")
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(UsageError) as refused, telemetry.telling(Showing(otel=True), tally, {}):
        pass

    assert str(refused.value).startswith("--otel needs the extra otel: pip install 'agent-sim[otel]'")


@pytest.mark.parametrize("interval", ["0", "-1", "soon", "1.5"])
def test_an_interval_that_is_none_is_refused(tally, interval):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRIC_EXPORT_INTERVAL": interval}

    with pytest.raises(UsageError), telemetry.telling(Showing(otel=True), tally, environ):
        pass
