from typing import Any

from agent_sim.protocol.enums import Result
from agent_sim.results.journal import FaultArmed, FaultOver
from agent_sim.results.render.charts import axis_seconds, chart_data
from agent_sim.results.summary import summarise
from agent_sim.results.timeline import LIMIT
from tests.results.journals import completed, ended, phase, second, started, storm, traffic


def whole(series: dict[str, Any], length: int) -> list[float | None]:
    """The values with the nulls around them that a report leaves out."""
    after = length - series["from"] - len(series["values"])
    return [None] * series["from"] + series["values"] + [None] * after


def panels(*lines) -> dict[str, Any]:
    made: Any = chart_data(summarise([started(), *lines]))
    return {panel["title"]: panel for panel in made["panels"]}


def test_all_series_share_one_axis():
    made: Any = chart_data(summarise([started(), traffic(t=3.0), completed(t=4.5), *storm(), ended(60.0)]))

    assert made["x"] == [place + 0.5 for place in range(60)]
    for panel in made["panels"]:
        for series in panel["series"]:
            assert series["from"] + len(series["values"]) <= 60
            assert None not in (series["values"][0], series["values"][-1])


def test_phases_and_storms_are_stretches_of_it():
    made: Any = chart_data(summarise([started(), phase("ramp", 0.0, 20.0), *storm(), ended(60.0)]))

    assert made["phases"] == [{"name": "ramp", "start": 0.0, "end": 20.0}]
    assert made["storms"] == [{"name": "again", "start": 30.0, "end": 45.0}]


def test_faults_are_stretches_of_it():
    lines = (FaultArmed(10.0, "slow", 0, 20.0, 3), FaultOver(20.0, "slow", 0, 10.0, 7, ("agent-1",)))

    made: Any = chart_data(summarise([started(), *lines, ended(60.0)]))

    assert made["faults"] == [{"name": "slow", "start": 10.0, "end": 20.0}]


def test_a_storms_seconds_stand_where_they_happened():
    made = panels(traffic(t=60.0), *storm(series=[second(1.0, 20, 1000), second(3.0, 10, 500)]), ended(60.0))

    ids = whole(made["Ids accepted per second, by storm"]["series"][0], 60)
    assert ids[29:34] == [None, 1000, None, 500, None]


def test_requests_count_those_that_failed_too():
    made = panels(traffic("heartbeat", t=1.0, ok=3, errors={"reset": 2}), ended(2.0))

    assert made["Requests per second"]["series"] == [
        {"label": "heartbeat", "colour": "", "from": 0, "values": [5.0, 0.0]}
    ]


def test_waiting_for_a_connection_has_a_latency_but_no_rate():
    made = panels(traffic("complete", t=1.0), traffic("pool_wait", t=1.0), ended(2.0))

    assert [each["label"] for each in made["Requests per second"]["series"]] == ["complete"]
    assert "(connection wait)" in made


def test_latencies_are_a_median_and_a_band_in_milliseconds():
    band = panels(traffic("heartbeat", t=1.0, milliseconds=10.0), ended(2.0))["heartbeat"]

    assert (band["kind"], band["unit"]) == ("band", "ms")
    assert [(each["label"], whole(each, 2)) for each in band["series"]] == [
        ("p50", [10.0, None]),
        ("p95", [10.0, None]),
    ]


def test_jobs_are_coloured_by_outcome():
    made = panels(completed(t=0.5), completed(t=0.6, audit=2, outcome=Result.FAILURE), ended(1.0))

    stack = made["Runs completed per second, by outcome"]["series"]
    assert [(each["label"], each["colour"], each["values"]) for each in stack] == [
        ("success", "good", [1.0]),
        ("failure", "bad", [1.0]),
    ]


def test_seconds_that_share_a_wide_bucket_are_merged_by_their_weights():
    series = [second(1.0, 10, 100), {**second(2.0, 30, 300), "response_p50_us": 41_000}]  # 21 ms and 41 ms
    long = summarise([started(), traffic(t=1.0), *storm(series=series), ended(2.0 * LIMIT - 1)])

    found: Any = chart_data(long)
    made = {panel["title"]: panel for panel in found["panels"]}

    assert made["Ids accepted per second, by storm"]["series"][0] == {
        "label": "again (reschedule)",
        "colour": "",
        "from": 15,
        "values": [200.0],
    }
    assert whole(made["again (reschedule)"]["series"][0], 1200)[15] == 36.0


def test_a_run_without_measurements_has_no_panels():
    summary = summarise([started(), ended()])

    assert chart_data(summary)["panels"] == []
    assert axis_seconds(summary) == 0.0
