import json

from agent_sim.histogram import Histogram
from agent_sim.results.checks import Checks, InvariantCheck
from agent_sim.results.judge import judge
from agent_sim.results.render.json import SCHEMA, render_json
from agent_sim.results.summary import Summary, summarise
from tests.results.demo import demo_journal
from tests.results.journals import done_job, ended, phase, started, storm, traffic

NONE = Checks()


def rendered(summary: Summary, checks: Checks = NONE):
    text = render_json(summary, judge(summary, checks), environment={"python": "3.11"}, command="agent-sim run x")
    return json.loads(text)


def test_the_document_says_what_it_is_and_how_the_run_ended():
    summary = summarise([started(), *done_job(), ended()])

    made = rendered(summary, Checks((), (InvariantCheck("no_lost_jobs"),)))

    assert made["schema"] == SCHEMA == "agent-sim/result/1"
    assert (made["verdict"], made["exit_code"], made["command"]) == ("PASS", 0, "agent-sim run x")
    assert made["environment"] == {"python": "3.11"}
    assert made["outcome_digest"] == summary.outcome_digest
    assert made["run"]["seed"] == 42
    assert made["verdicts"] == [
        {
            "kind": "invariant",
            "name": "no_lost_jobs",
            "answer": "kept",
            "detail": "1 accepted job: 1 ended",
            "offenders": [],
            "warn_only": False,
            "is_declared": False,
        }
    ]


def test_histograms_come_back_whole():
    made = rendered(summarise([started(), traffic("heartbeat", ok=30, milliseconds=7.0), ended()]))

    histogram = Histogram.from_json(made["whole"]["operations"]["heartbeat"]["latency"])
    assert (histogram.count, histogram.max_us, histogram.percentile(0.5)) == (30, 7_000, 7_000.0)


def test_outcomes_and_phases_are_in_words():
    made = rendered(summarise([started(), phase("all", 0.0, 60.0), *done_job(), ended()]))

    [window] = made["phases"]
    assert (window["name"], window["start"], window["end"]) == ("all", 0.0, 60.0)
    assert window["outcomes"] == [{"type": "LOGS", "outcome": "success", "count": 1}]
    assert made["jobs"][0]["outcomes"] == {"success": 1}


def test_storms_are_there_with_ledger_and_series():
    made = rendered(summarise([started(), *storm(), ended()]))

    [found] = made["storms"]
    assert found["result"]["ledger"]["accepted"] == 15_000
    assert len(found["result"]["series"]) == 15


def test_the_same_run_gives_the_same_text():
    one, other = (render_json(summarise(demo_journal()), (), environment={}) for _ in range(2))

    assert one == other


def test_a_run_that_never_began_has_a_result_too():
    made = rendered(summarise([]))

    assert (made["run"], made["verdict"]) == (None, "INCONCLUSIVE")
