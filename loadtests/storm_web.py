"""A tab of Locust's web page for the storm: what was offered and achieved, ids, the ledger, the generator's health.

Locust's own way of extending its page: a tab, a table, and rows that ride on the page's regular questions.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from agent_sim.histogram import Histogram
from agent_sim.storms.ledger import Totals
from agent_sim.storms.meter import Meter

KEY: Final = "storm"
_TAB: Final = {"title": "Storm", "key": KEY}
_TABLE: Final = {"key": KEY, "structure": [{"key": "name", "title": "Storm"}, {"key": "value", "title": ""}]}
_PERCENTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))

Rows = list[dict[str, str]]


def extend(web_ui: Any, rows: Callable[[], Rows]) -> None:
    """Add the tab; `rows` are asked for whenever the page asks for its figures."""
    web_ui.template_args["extended_tabs"] = [*web_ui.template_args.get("extended_tabs", ()), _TAB]
    web_ui.template_args["extended_tables"] = [*web_ui.template_args.get("extended_tables", ()), _TABLE]

    @web_ui.app.after_request
    def add_rows(response: Any) -> Any:
        from flask import request

        if request.path.endswith("/stats/requests") and response.is_json:
            told = response.get_json()
            # Locust answers from a cache: what is there may be what was added before.
            others = [table for table in told.get("extended_stats", ()) if table["key"] != KEY]
            told["extended_stats"] = [*others, {"key": KEY, "data": rows()}]
            response.set_data(json.dumps(told))
        return response


def rows_of(meter: Meter, totals: Totals, elapsed: float, cpu_percent: float, said: str, workers: str) -> Rows:
    """What the tab shows, `elapsed` seconds into the storm."""
    return [{"name": name, "value": value} for name, value in _rows(meter, totals, elapsed, cpu_percent, said, workers)]


def _rows(
    meter: Meter, totals: Totals, elapsed: float, cpu_percent: float, said: str, workers: str
) -> Iterator[tuple[str, str]]:
    measured = meter.measured
    passed = max(elapsed, 0.001)
    yield "verdict", said
    yield "offered", f"{measured.planned:,} requests, {measured.planned / passed:,.1f}/s"
    yield "achieved", f"{measured.completed:,} requests, {measured.completed / passed:,.1f}/s"
    share = measured.completed / measured.planned if measured.planned else 1.0
    yield "achieved / offered", f"{share:.1%}"
    yield "dropped, late", f"{measured.dropped:,}, {measured.late_starts:,}"
    yield "ids", f"{measured.ids:,} accepted, {measured.ids / passed:,.1f}/s"
    yield "response from the due time", _latencies(measured.response)
    yield "service time", _latencies(measured.service)
    yield "waiting for a connection", _latencies(measured.wait)
    ledger = f"{totals.sent:,} / {totals.accepted:,} / {totals.refused:,} / {totals.unknown:,}"
    yield "ledger: sent / accepted / refused / unknown", ledger
    errors = ", ".join(f"{count:,} {kind}" for kind, count in sorted(measured.errors.items()))
    yield "errors", errors or "none"
    yield "generator", f"CPU up to {cpu_percent:.0f} % of a core; sent late: {_latencies(measured.lateness)}"
    if workers:
        yield "workers", workers


def _latencies(histogram: Histogram) -> str:
    shown = [f"{name} {histogram.percentile(q) / 1000:.1f} ms" for name, q in _PERCENTILES if histogram.supports(q)]
    return ", ".join([*shown, f"max {histogram.max_us / 1000:.1f} ms"]) if histogram.count else "nothing yet"
