"""Where a run's metrics go while it lasts: a port for Prometheus on this machine, a collector of OpenTelemetry.

Both read what the tally last replaced as a whole, from threads of their own: the fleet's event loop waits for neither.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from agent_sim.cli.showing import Showing
from agent_sim.errors import UsageError
from agent_sim.results.measures import Family
from agent_sim.results.tally import Tally

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Where the standard has an exporter look for its collector; the first that is set counts."""

_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_INTERVAL_MS: Final = 10_000
_SEND_SECONDS: Final = 5.0
_LAST_SECONDS: Final = 2 * _SEND_SECONDS

Read = Callable[[], tuple[Family, ...]]


@contextmanager
def telling(showing: Showing, tally: Tally, environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Tell what the tally counts, as the command line has it. Raises UsageError before anything else begins."""

    def read() -> tuple[Family, ...]:
        return tally.families

    with ExitStack() as stack:
        if showing.otel:
            stack.enter_context(_sending(_exporter(environ), read, _interval(environ)))
        if showing.metrics_port is not None:
            stack.enter_context(_listening(showing.metrics_port, read))
        yield


# --- Prometheus -------------------------------------------------------------------------------


@contextmanager
def _listening(port: int, read: Read) -> Iterator[None]:
    from prometheus_client import ProcessCollector, start_http_server

    from agent_sim.results.render.prometheus import registry_of

    registry = registry_of(read)
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        raise UsageError(f"--metrics-port {port}: cannot be listened on ({error.strerror})") from error
    sys.stderr.write(f"metrics: http://127.0.0.1:{server.server_port}/metrics\n")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- OpenTelemetry ----------------------------------------------------------------------------


def _exporter(environ: Mapping[str, str]) -> "OTLPMetricExporter":
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    except ImportError as error:
        raise UsageError(f"--otel needs the extra otel: pip install 'agent-sim[otel]' ({error})") from error
    if not any(environ.get(name) for name in ENDPOINTS):
        raise UsageError(f"--otel: where is the collector? set {ENDPOINTS[1]}, such as http://127.0.0.1:4318")
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we say it once, at the end
    return OTLPMetricExporter(timeout=_SEND_SECONDS)


def _interval(environ: Mapping[str, str]) -> float:
    text = environ.get(_INTERVAL) or str(_INTERVAL_MS)
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"{_INTERVAL} must be milliseconds, a whole number from 1 on, is {text!r}")
    return int(text) / 1000


@contextmanager
def _sending(exporter: "OTLPMetricExporter", read: Read, interval: float) -> Iterator[None]:
    """Export every `interval` seconds and once at the end; what did not get there is a remark, not a failure."""
    from agent_sim.results.render.otlp import metrics_data, was_sent

    began, over = time.time_ns(), threading.Event()
    counts = {True: 0, False: 0}

    def send() -> None:
        sent = exporter.export(metrics_data(read(), began, time.time_ns()), timeout_millis=_SEND_SECONDS * 1000)
        counts[was_sent(sent)] += 1

    def keep_sending() -> None:
        while not over.wait(interval):
            send()
        send()

    thread = threading.Thread(target=keep_sending, name="otel", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_LAST_SECONDS)
        exporter.shutdown()
        if counts[False] or thread.is_alive():
            tried = sum(counts.values())
            sys.stderr.write(f"remark: the collector took {counts[True]} of {tried} exports of metrics\n")
