"""Scenarios that are well formed and yet make no sense."""

from pathlib import Path

import pytest

from agent_sim.scenario.sense import remarks
from tests.scenario.files import LAB, loaded, problems

PHASES = LAB + "stop: {after: 2m}\nphases: [{name: work, duration: 1m}, {name: rest, duration: 1m}]\n"  # 7 is next

STORM = "storms: [{name: a, at: 1s, op: reschedule, load: {rate: 1/s}, for: 5s}]\n"
SITES = """\
version: 1
name: s
fleets:
  - {name: fra, count: 3, labels: {site: fra}}
  - {name: shz, count: 3, labels: {site: shz}, capabilities: [PEM]}
"""  # 6 is next

PATCH = """\
job_types: [{name: Patch, fields: [{name: Target, required: true}, {name: Tries, type: int}]}]
"""
PATCHING = PHASES.replace("[PEM, LOGS]", "['custom:Patch']") + PATCH  # 8 is next

BROKEN = [
    (
        PHASES + "behaviours: [{name: b, rules: [{when: \"phase == 'wrok'\", result: failure}]}]\n",
        "7:39: behaviours[0].rules[0].when: phase is never wrok; did you mean work?",
    ),
    (
        LAB + "behaviours: [{name: b, rules: [{when: \"phase in ['work']\", result: failure}]}]\n",
        "5:39: behaviours[0].rules[0].when: phase is never work; there is no phase at all",
    ),
    (
        PATCHING + "schedules: [{name: a, type: 'custom:Patch', at: 1m, fields: {Target: db01, tires: 3}}]\n",
        "8:83: schedules[0].fields.tires: found a field that Patch does not have; did you mean Tries?",
    ),
    (
        PATCHING + "schedules: [{name: a, type: 'custom:Patch', at: 1m, fields: {Target: db01, tries: many}}]\n",
        '8:83: schedules[0].fields.tries: found "many", expected a whole number',
    ),
    (
        PATCHING + "schedules: [{name: a, type: 'custom:Patch', at: 1m}]\n",
        "8:13: schedules[0].fields: lacks Target, which Patch requires",
    ),
    (
        PATCHING.replace("type: int", "type: bool, default: maybe"),
        '7:103: job_types[0].fields[1].default: found "maybe", expected true or false',
    ),
    (
        LAB + "stop: {after: 1m}\nphases: [{name: work, duration: 1m}, {name: rest, duration: 30s}]\n",
        "5:15: stop.after: found 1m, but the phases last 1m30s in all; expected at least that",
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, at: 1m, select: {ids: [lab-9, lab-10]}}]\n",
        "7:57: schedules[0].select.ids: found lab-10, expected lab-0 to lab-9",
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, at: 1m, select: {ids: [lob-9]}}]\n",
        "7:57: schedules[0].select.ids: found lob-9, but there is no fleet of that name; did you mean lab?",
    ),
    (
        LAB + "phases: [{name: a, duration: 1m, online: 0%}]\n",
        "5:9: phases: found no agent that ever comes online, expected some",
    ),
    (
        PHASES
        + "storms:\n  - {name: a, at: 10s, op: acknowledge, load: {rate: 1/s}, for: 20s}\n"
        + "  - {name: b, at: 15s, op: acknowledge, target: {by: query}, load: {rate: 1/s}, for: 20s}\n",
        (
            "9:19: storms[1].at: acknowledge while storm a does the same until 30s, expected one after the other,"
            " or both by ids"
        ),
    ),
    (
        PHASES + "storms:\n  - {name: a, at: 10s, op: approve, target: {by: query}, load: {rate: 1/s}, for: 20s}\n",
        "8:45: storms[0].target: approve takes no query: the API has none for it",
    ),
    (
        PHASES + "storms:\n  - {name: a, at: 10s, op: custom, load: {rate: 1/s}, for: 20s}\n",
        "8:5: storms[0].target: custom needs a job type: --job-type NAME, or in a scenario target: {type: custom:NAME}",
    ),
    (
        PHASES
        + "storms:\n  - {name: a, at: 10s, op: custom, target: {type: 'custom:X'}, load: {rate: 1/s}, for: 20s}\n",
        "8:44: storms[0].target: found custom:X, but no fleet has a capability for it",
    ),
    (
        PHASES + "storms:\n  - {name: a, at: 10s, op: fetch_logs, target: {batch: 5}, load: {rate: 1/s}, for: 9s}\n",
        "8:48: storms[0].target: fetch_logs asks for one orchestrator a request: batch must be 1, is 5",
    ),
    (
        PHASES + "storms:\n  - {name: a, at: 10s, op: fetch_logs, target: {kind: hot}, load: {rate: 1/s}, for: 9s}\n",
        "8:48: storms[0].target: fetch_logs cannot be hot: each request makes a job of its own",
    ),
    (
        PHASES
        + "storms:\n  - {name: a, at: 9s, op: unschedule, target: {query: Result -eq 4}, load: {rate: 1/s}, for: 9s}\n",
        (
            "8:55: storms[0].target.query: ScheduledJobs has no such field, expected one of Id, JobId, AgentId, Agent,"
            " AgentMachine, ClientMachine, Target, TargetPath, Requested, ScheduleType, Schedule, JobType"
            " (at position 1, near 'Result')"
        ),
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, at: 2m}]\n",
        "7:39: schedules[0].at: found 2m, expected a time before the run ends, at 2m",
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, every: 5s, from: rest+2m}]\n",
        "7:52: schedules[0].from: found rest+2m, which is 3m, expected a time before the run ends, at 2m",
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, every: 5s, from: rest, until: work}]\n",
        "7:65: schedules[0].until: found work, expected a time after it begins, at rest",
    ),
    (
        PHASES + "schedules: [{name: a, type: 'custom:Patch', at: 1m}]\n",
        "7:29: schedules[0].type: found custom:Patch, but no fleet has a capability for it",
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, at: 1m, select: {labels: {site: fra}}}]\n",
        "7:67: schedules[0].select.labels.site: no agent has the label site; there are no labels at all",
    ),
    (
        SITES + "schedules: [{name: a, type: LOGS, at: 1m, select: {labels: {stie: fra}}}]\n",
        "6:67: schedules[0].select.labels.stie: no agent has the label stie; did you mean site?",
    ),
    (
        SITES + "schedules: [{name: a, type: LOGS, at: 1m, select: {labels: {site: fraa}}}]\n",
        '6:67: schedules[0].select.labels.site: found "fraa", which nobody has as site; did you mean fra?',
    ),
    (
        SITES + "schedules: [{name: a, type: LOGS, at: 1m, select: {fleets: [fra], labels: {site: shz}}}]\n",
        "6:51: schedules[0].select: matches nobody: nobody fits all of it",
    ),
    (
        SITES + "schedules: [{name: a, type: LOGS, at: 1m, select: {fleets: [shz]}}]\n",
        "6:51: schedules[0].select: matches nobody: no fleet that it asks for has a capability for LOGS",
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, schedule: {exactly_once: 99h}}]\n",
        "7:60: schedules[0].schedule.exactly_once: found 4d3h, expected a time before the run ends, at 2m",
    ),
    (
        SITES + "faults: [{name: a, at: 1m, select: {ids: [fra-0, fra-99]}, do: {refuse: true}}]\n",
        "6:42: faults[0].select.ids: found fra-99, expected fra-0 to fra-2",
    ),
    (
        SITES + "faults: [{name: a, at: 1m, select: {labels: {sit: fra}}, do: {refuse: true}}]\n",
        "6:51: faults[0].select.labels.sit: no agent has the label sit; did you mean site?",
    ),
    (
        SITES + "behaviours: [{name: b, rules: [{when: \"not agent.labels.stie == 'fra'\", result: failure}]}]\n",
        "6:39: behaviours[0].rules[0].when: no agent has the label stie; did you mean site?",
    ),
    (
        LAB.replace("count: 10", "count: 10, labels: {persona: x}, personas: [{name: y, share: 100%}]"),
        (
            "4:46: fleets[0].labels.persona: found beside personas, expected another label: this one is the name of an"
            " agent's persona"
        ),
    ),
    (
        LAB.replace("count: 10", "count: 10, personas: [{name: y, share: 100%, labels: {persona: x}}]"),
        (
            "4:80: fleets[0].personas[0].labels.persona: found beside personas, expected another label: this one is the"
            " name of an agent's persona"
        ),
    ),
    (
        LAB + "behaviours: [{name: b, jobs: [{type: LOGS, outcomes: [{result: oversize, size: 1B}]}]}]\n",
        (
            "5:80: behaviours[0].jobs[0].outcomes[0].size: found 1B as oversize,"
            " expected more than the server asks for, 4KB"
        ),
    ),
    (
        LAB + 'checks: {thresholds: [{metric: "throughput{op=reschedule}", min: 5/s}]}\n',
        "5:32: checks.thresholds[0].metric: found op=reschedule, but no storm asks for that",
    ),
    (
        LAB + STORM + "faults: [{name: f, at: 1s, on: reschedule, do: {clock: {offset: 1h}}}]\n",
        (
            "6:56: faults[0].do.clock: found for a storm's requests, expected something that can happen to a request"
            " of a storm"
        ),
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, at: 1m, select: {percent: 4%}}]\n",
        "7:51: schedules[0].select: matches nobody: 4% of 10 agents is less than half a one",
    ),
    (
        PHASES + "schedules: [{name: a, type: LOGS, at: 1m, select: {count: 11}}]\n",
        "7:59: schedules[0].select.count: found 11, expected at most the 10 agents that can do it",
    ),
    (
        PHASES + "storms: [{name: a, at: rest+1m, op: reschedule, load: {rate: 1/s}, for: 5s}]\n",
        "7:24: storms[0].at: found rest+1m, which is 2m, expected a time before the run ends, at 2m",
    ),
    (
        PHASES + "storms: [{name: a, at: rest+58s, op: reschedule, load: {rate: 1/s}, for: 5s}]\n",
        "7:74: storms[0].for: ends at 2m3s, expected an end before that of the run, at 2m",
    ),
    (
        PHASES + "storms: [{name: a, at: rest, op: reschedule, load: {stages: [{to: 1/s, over: 2m}]}}]\n",
        "7:52: storms[0].load: ends at 3m, expected an end before that of the run, at 2m",
    ),
    (
        PHASES
        + "storms: [{name: a, at: 1m, op: reschedule, target: {query: Reslt -eq 4}, load: {rate: 1/s}, for: 5s}]\n",
        (
            "7:60: storms[0].target.query: JobHistory has no such field, did you mean Result? (at"
            " position 1, near 'Reslt')"
        ),
    ),
    (
        PHASES
        + "storms: [{name: a, at: 1m, op: reschedule, target: {query: (Result -eq 4}, load: {rate: 1/s}, for: 5s}]\n",
        (
            "7:60: storms[0].target.query: the '(' at position 1 is never closed, "
            "expected ')' (at position 14, at the end of the query)"
        ),
    ),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[said for _, said in BROKEN])
def test_what_makes_no_sense_is_told_with_its_place(text: str, said: str, tmp_path: Path):
    assert problems(text, tmp_path) == [said]


def test_what_is_perhaps_not_meant_is_remarked(tmp_path: Path):
    text = (
        LAB + "behaviours: [{name: spare}]\nstorms: [{name: a, at: 1s, op: reschedule, load: {rate: 1/s}, for: 5s}]\n"
    )

    assert list(remarks(loaded(text, tmp_path))) == [
        "no fleet follows the behaviour spare",
        "a failed job is tried 5 more times before it can be rescheduled: server.retries is 5",
        "heartbeat.every and server hold for the embedded server; any other target has its own",
    ]


def test_a_behaviour_for_a_custom_type_that_no_fleet_has_is_remarked(tmp_path: Path):
    jobs = "[{type: 'custom:patch'}, {type: 'custom:Pacth'}, {type: LOGS}]"
    behaviours = f"behaviours: [{{name: default, jobs: {jobs}}}]\n"
    said = list(remarks(loaded(LAB.replace("LOGS]", "'custom:Patch']") + behaviours, tmp_path)))

    assert [text for text in said if "custom" in text] == [
        "behaviour default: no fleet has the capability custom:Pacth"
    ]


def test_what_is_larger_than_the_servers_own_limit_is_oversize(tmp_path: Path):
    jobs = "behaviours: [{name: default, jobs: [{type: LOGS, outcomes: [{result: oversize, size: 5KB}]}]}]\n"

    assert loaded(LAB + "server: {max_data: 1KB}\n" + jobs, tmp_path)


def test_runs_that_only_a_timeout_ends_are_remarked_upon_where_there_is_no_time_for_it(tmp_path: Path):
    behaviours = """\
behaviours:
  - name: default
    jobs: [{type: LOGS, outcomes: [{result: hang, weight: 50%}, {result: late, weight: 50%, by: 10m}]}]
"""
    said = list(remarks(loaded(LAB + behaviours, tmp_path)))
    quiet = list(remarks(loaded(LAB + "server: {job_timeout: 1m}\n" + behaviours, tmp_path)))

    assert said[:2] == [
        (
            "behaviour default: hang and late leave runs open until server.job_timeout (1h), and the drain lasts 1m: "
            "some may still be open at the end"
        ),
        "behaviour default: late by 10m is in time if server.job_timeout is 1h",
    ]
    assert not [text for text in quiet if "job_timeout" in text]
