"""What is wrong with single values and blocks: each problem at its line and column, with what was expected."""

from pathlib import Path

import pytest

from agent_sim.scenario.load import Overrides
from tests.scenario.files import LAB, loaded, problems

HEAD = "version: 1\nname: s\n"

BROKEN = [
    # the top
    ("name: s\nfleets: [{name: a, count: 1}]\n", ["1:1: version: found nothing, expected a value"]),
    ("version: 2\nname: s\nfleets: [{name: a, count: 1}]\n", ["1:10: version: found 2, expected 1"]),
    (HEAD, ["1:1: fleets: found nothing, expected a value"]),
    (HEAD + "fleets: []\n", ["3:9: fleets: found none, expected at least one"]),
    (HEAD + "fleets: lab\n", ['3:9: fleets: found "lab", expected a list']),
    (
        "version: 1\nname: my scenario\nfleets: [{name: a, count: 1}]\n",
        ['2:7: name: found "my scenario", expected a name: a letter, then letters, digits, - and _, at most 40 in all'],
    ),
    (LAB + "seed: -1\n", ["5:7: seed: found -1, expected at least 0"]),
    (LAB + "seed: 42.5\n", ["5:7: seed: found 42.5, expected a whole number"]),
    # unknown keys
    (LAB + "flets: []\n", ["5:1: flets: unknown key, did you mean fleets?"]),
    (
        LAB + "stop: {colour: red}\n",
        ["5:8: stop.colour: unknown key, this version does not know it; expected one of after, drain"],
    ),
    (
        LAB + "transport: {conections: {}}\n",
        ["5:13: transport.conections: unknown key, did you mean connections?"],
    ),
    # units
    (LAB + "stop: {after: 30}\n", ["5:15: stop.after: found 30, expected a duration with its unit: write 30s"]),
    (
        LAB + "stop:\n  after: soon\n",
        ['6:10: stop.after: found "soon", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d'],
    ),
    (
        HEAD + "fleets: [{name: a, count: 1, heartbeat: {jitter: 10}}]\n",
        ["3:50: fleets[0].heartbeat.jitter: found 10, expected a share with its unit: write 10%"],
    ),
    (
        HEAD + "fleets: [{name: a, count: 1, heartbeat: {every: 10ms}}]\n",
        ['3:49: fleets[0].heartbeat.every: found "10ms", expected at least 100ms'],
    ),
    (
        LAB + "server: {max_data: 2000}\n",
        ["5:20: server.max_data: found 2000, expected a size with its unit: write 2000B"],
    ),
    (
        LAB + "server: {age_out: 36h}\n",
        ["5:19: server.age_out: found 1d12h, expected whole days such as 7d"],
    ),
    (
        LAB + "server: {retries: 1, job_timeout: 0s}\n",
        ['5:35: server.job_timeout: found "0s", expected at least 1ms'],
    ),
    # numbers, words, flags
    (HEAD + "fleets: [{name: a, count: 0}]\n", ["3:27: fleets[0].count: found 0, expected at least 1"]),
    (HEAD + "fleets: [{name: a, count: ten}]\n", ['3:27: fleets[0].count: found "ten", expected a whole number']),
    (
        HEAD + 'fleets: [{name: a, count: "10"}]\n',
        ['3:27: fleets[0].count: found "10", expected a number: leave the quotes out'],
    ),
    (HEAD + "fleets: [{name: a}]\n", ["3:10: fleets[0].count: found nothing, expected a value"]),
    (HEAD + "fleets: [{name: a, count: }]\n", ["3:20: fleets[0].count: found nothing, expected a whole number"]),
    (
        HEAD + "fleets: [{name: a, count: 1, labels: {ring: 1}}]\n",
        ['3:45: fleets[0].labels.ring: found 1, expected a text: write "1"'],
    ),
    (
        HEAD + "fleets: [{name: a, count: 1, capabilities: [LOG]}]\n",
        [
            (
                '3:45: fleets[0].capabilities[0]: found "LOG", which is no capability that this version knows; '
                "did you mean LOGS?"
            )
        ],
    ),
    (
        HEAD + 'fleets: [{name: a, count: 1, capabilities: ["custom:My Type"]}]\n',
        [
            (
                '3:45: fleets[0].capabilities[0]: found "custom:My Type", '
                "expected custom:Name of letters, digits, _, . and -, without blanks"
            )
        ],
    ),
    (LAB + "server: {auto_approve: yes}\n", ['5:24: server.auto_approve: found "yes", expected true or false']),
    (
        LAB + "server: {enum_style: names}\n",
        ['5:22: server.enum_style: found "names", expected int or name; did you mean name?'],
    ),
    (LAB + "server: fast\n", ['5:9: server: found "fast", expected a map']),
    (
        LAB + "phases:\n  - {name: ramp, duration: 1m, online: 50%, shape: poison}\n",
        ['6:52: phases[0].shape: found "poison", expected linear, step, poisson or burst; did you mean poisson?'],
    ),
    (
        LAB + "phases: [{name: a, duration: 1m, churn: {restart: 5/min}}]\n",
        ['5:51: phases[0].churn.restart: found "5/min", expected a share per time such as 0.5%/min'],
    ),
    (
        HEAD + "fleets: [{name: a, count: 1, personas: [{name: x, share: 90%}]}]\n",
        ["3:40: fleets[0].personas: found shares that total 90%, expected 100%"],
    ),
    (
        LAB + "job_types: [{name: My Type}]\n",
        ['5:20: job_types[0].name: found "My Type", expected a name of letters, digits, _, . and -, at most 60 in all'],
    ),
    (
        LAB + "job_types: [{name: Patch, fields: [{name: a}, {name: A}]}]\n",
        ["5:35: job_types[0].fields: found the field A again, expected each once"],
    ),
    # distributions
    (
        HEAD + "fleets: [{name: a, count: 1, stores: {per_agent: {dist: normal}}}]\n",
        [
            (
                '3:57: fleets[0].stores.per_agent.dist: found "normal", '
                "expected constant, uniform, lognormal, exponential, pareto, discrete or mixture; "
                "did you mean lognormal?"
            )
        ],
    ),
    (
        HEAD + "fleets: [{name: a, count: 1, stores: {per_agent: {median: 3}}}]\n",
        ["3:50: fleets[0].stores.per_agent.dist: found nothing, expected the kind of distribution, such as lognormal"],
    ),
    (
        HEAD + "fleets: [{name: a, count: 1, stores: {per_agent: {dist: discrete, values: {1: 70%, 5: 31%}}}}]\n",
        ["3:75: fleets[0].stores.per_agent.values: found shares that total 101%, expected 100%"],
    ),
    (
        HEAD + "fleets: [{name: a, count: 1, stores: {per_agent: {dist: discrete, values: {many: 100%}}}}]\n",
        ['3:76: fleets[0].stores.per_agent.values.many: found "many", expected a number, 0 or more'],
    ),
]

BEHAVIOUR = LAB + "behaviours:\n  - name: default\n    jobs:\n"

BROKEN_BEHAVIOURS = [
    ("- {type: LOGS, duration: 2}", "8:32: {job}.duration: found 2, expected a duration with its unit: write 2s"),
    (
        "- {type: Log, duration: 2s}",
        '8:16: {job}.type: found "Log", which is no job type that this version knows; did you mean LOGS?',
    ),
    (
        "- {type: LOGS, duration: {dist: lognormal, median: 5s, p95: 1s}}",
        "8:32: {job}.duration: found p95 and median the wrong way round, expected p95 to be more than median",
    ),
    (
        "- {type: LOGS, duration: {dist: uniform, min: 5s, max: 1}}",
        "8:62: {job}.duration.max: found 1, expected a duration with its unit: write 1s",
    ),
    (
        "- {type: LOGS, duration: {dist: exponential, mean: 0s}}",
        "8:32: {job}.duration: found 0 as mean, expected more than 0",
    ),
    (
        "- {type: LOGS, duration: {dist: uniform, min: 1s, max: 2s, p95: 2s}}",
        "8:66: {job}.duration.p95: unknown key, this version does not know it; expected one of dist, min, max",
    ),
    (
        "- {type: LOGS, outcomes: [{result: success, weight: 90%}, {result: failure, weight: 11%}]}",
        "8:32: {job}.outcomes: found weights that total 101%, expected 100%",
    ),
    (
        "- {type: LOGS, outcomes: [{result: success, weight: 99.99999999%}]}",
        "8:32: {job}.outcomes: found weights that total 99.99999999%, expected 100%",
    ),
    (
        "- {type: LOGS, outcomes: [{result: success, weight: 0.9}, {result: failure, weight: 10%}]}",
        "8:59: {job}.outcomes[0].weight: found 0.9, expected a share with its unit: write 90%",
    ),
    (
        "- {type: LOGS, outcomes: [{result: sucess}]}",
        (
            '8:42: {job}.outcomes[0].result: found "sucess", expected success, warning, failure, reject, never_start, '
            "hang, late, complete_twice, stale_session, lost_ack, crash, oversize or malformed; did you mean success?"
        ),
    ),
    (
        "- {type: LOGS, outcomes: [{result: late, gap: 3s}]}",
        "8:33: {job}.outcomes[0]: found gap beside late, expected it beside complete_twice only",
    ),
    (
        "- {type: LOGS, outcomes: [{result: late}]}",
        "8:33: {job}.outcomes[0]: found late without by, expected how late, such as by: 10m",
    ),
    (
        "- {type: Inventory, outcomes: [{result: oversize}]}",
        "8:9: {job}: found oversize of Inventory, expected it of LOGS or a custom type: they carry data",
    ),
    (
        "- {type: LOGS, sequence: {per: store, results: [failure]}}",
        "8:9: {job}: found a sequence per store of LOGS, which has none, expected per agent or job",
    ),
    (
        "- {type: Inventory, sequence: {per: store, results: [never_start]}}",
        (
            "8:9: {job}: found never_start in a sequence per store, expected per agent or job: "
            "which store a job is about is not known before it is started"
        ),
    ),
    (
        "- {type: LOGS, sequence: {results: [failure, sucess]}}",
        (
            '8:52: {job}.sequence.results[1]: found "sucess", expected success, warning, failure, reject, '
            "never_start, hang, late, complete_twice, stale_session, lost_ack, crash, oversize or malformed; "
            "did you mean success?"
        ),
    ),
    (
        "- {type: LOGS, sequence: {results: []}}",
        "8:42: {job}.sequence.results: found none, expected at least one",
    ),
    (
        '- {type: LOGS, outcomes: [{result: failure, message: "{stor} denied"}]}',
        "8:60: {job}.outcomes[0].message: found the unknown placeholder {stor}, did you mean store?",
    ),
    (
        "- {type: LOGS, rules: []}",
        (
            "8:22: {job}.rules: unknown key, this version does not know it; "
            "expected one of type, duration, outcomes, sequence, size"
        ),
    ),
    ("- {duration: 2s}", "8:9: {job}.type: found nothing, expected a value"),
]

SCHEDULE = LAB + "phases: [{name: work, duration: 1m}]\nschedules:\n"

BROKEN_SCHEDULES = [
    ("- {name: a, type: LOGS}", "7:5: {it}: found no time, expected one of every, at and schedule"),
    (
        "- {name: a, type: LOGS, every: 5s, at: work}",
        "7:5: {it}: found every and at, expected one of every, at and schedule",
    ),
    (
        "- {name: a, type: LOGS, at: work, until: work+5s}",
        "7:5: {it}: found until beside at, expected it beside every only",
    ),
    (
        "- {name: a, type: LOGS, at: work, from: 5s}",
        "7:5: {it}: found from beside at, expected it beside every or schedule only",
    ),
    (
        "- {name: a, type: LOGS, every: 5s, spread: 6s}",
        "7:5: {it}: found a spread that is longer than every, expected at most that",
    ),
    (
        "- {name: a, type: LOGS, at: work, operation: add}",
        "7:5: {it}: found an operation of LOGS, expected it of Management only",
    ),
    (
        "- {name: a, type: Sync, at: work}",
        (
            '7:21: {it}.type: found "Sync", which is no job type that this version knows; expected one of '
            "Inventory, Management, LOGS, SslDiscovery, Monitoring, Reenrollment, Discovery, custom:Name"
        ),
    ),
    (
        "- {name: a, type: Reenrollment, schedule: {interval: 5m}}",
        "7:5: {it}: found a schedule of Reenrollment, which no server repeats, expected every or at",
    ),
    (
        "- {name: a, type: LOGS, at: work, alias: web01}",
        "7:5: {it}: found alias of LOGS, expected it of Management only",
    ),
    (
        "- {name: a, type: LOGS, at: work, fields: {a: 1}}",
        "7:5: {it}: found fields of LOGS, expected them of custom types only",
    ),
    (
        "- {name: a, type: 'custom:Patch', at: work, fields: {a: [1]}}",
        "7:59: {it}.fields.a: found a list, expected a text, a number, true or false",
    ),
    ("- {name: a, type: LOGS, at: 30}", "7:31: {it}.at: found 30, expected a duration with its unit: write 30s"),
    (
        "- {name: a, type: LOGS, at: -5s}",
        (
            '7:31: {it}.at: found "-5s", '
            "expected a phase such as steady or steady+30s, or a time from the start such as 1m30s"
        ),
    ),
    (
        "- {name: a, type: LOGS, at: work+soon}",
        '7:31: {it}.at: found "soon", expected a duration such as 500ms, 30s, 1m30s, 2h or 1d',
    ),
    (
        "- {name: a, type: LOGS, schedule: {daily: 25:00}}",
        '7:45: {it}.schedule.daily: found "25:00", expected a time of day from 00:00 to 23:59 (UTC)',
    ),
    (
        '- {name: a, type: LOGS, schedule: {daily: "02:00", immediate: true}}',
        (
            "7:37: {it}.schedule: found immediate and daily, "
            "expected one of immediate, interval, daily, weekly, monthly, exactly_once"
        ),
    ),
    (
        "- {name: a, type: LOGS, schedule: {interval: 90s}}",
        "7:48: {it}.schedule.interval: found 1m30s, expected whole minutes such as 15m",
    ),
    (
        "- {name: a, type: LOGS, schedule: {immediate: false}}",
        "7:49: {it}.schedule.immediate: found false, expected true, or another schedule",
    ),
    (
        "- {name: a, type: LOGS, schedule: {weekly: {days: [mon], time: work}}}",
        (
            '7:54: {it}.schedule.weekly.days[0]: found "mon", '
            "expected sunday, monday, tuesday, wednesday, thursday, friday or saturday; did you mean monday?"
        ),
    ),
    (
        "- {name: a, type: LOGS, at: work, select: {percent: 10%, count: 2}}",
        "7:45: {it}.select: found both percent and count, expected one of them",
    ),
    (
        "- {name: a, type: LOGS, at: work, select: {stick: true}}",
        "7:46: {it}.select.stick: unknown key, did you mean sticky?",
    ),
    (
        "- {name: a, type: LOGS, at: work, select: {ids: [lab]}}",
        '7:52: {it}.select.ids[0]: found "lab", expected an agent by fleet and index such as emea-17',
    ),
]

STORM = LAB + "storms:\n"

BROKEN_STORMS = [
    ("- {name: a, at: 1s, op: reschedule}", "6:5: {it}.load: found nothing, expected a value"),
    (
        "- {name: a, at: 1s, op: unshedule, load: {rate: 1/s}, for: 1s}",
        (
            '6:27: {it}.op: found "unshedule", expected reschedule, acknowledge, unschedule, custom, custom_bulk,'
            " fetch_logs, approve, oig_create, oig_run or oig_stop; did you mean unschedule?"
        ),
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {rate: 20}, for: 1s}",
        "6:52: {it}.load.rate: found 20, expected a rate such as 20/s or 5/min: write 20/s",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {rate: 20/s}}",
        "6:5: {it}: found a rate without `for`, expected how long it lasts, such as for: 10s",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {}, for: 5s}",
        "6:45: {it}.load: found neither, expected either rate or stages",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {rate: 1/s, stages: [{to: 5/s, over: 5s}]}}",
        "6:45: {it}.load: found both, expected either rate or stages",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {rate: 0/s}, for: 5s}",
        "6:52: {it}.load.rate: found 0/s, expected more than that",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {stages: [{hold: 5s}]}}",
        (
            "6:54: {it}.load.stages: found hold as the first stage, "
            "expected a rate to hold: begin with {to: 20/s, over: 0s}"
        ),
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {stages: [{to: 5/s}]}}",
        "6:55: {it}.load.stages[0]: found to, expected to and over, or hold alone",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {stages: [{to: 5/s, over: 0s}]}}",
        "6:54: {it}.load.stages: found stages that last no time, expected one that holds",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {stages: [{to: 0/s, over: 1s}]}}",
        "6:54: {it}.load.stages: found no rate above 0/s, expected one",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, load: {stages: [{to: 5/s, over: 1s}]}, for: 5s}",
        "6:5: {it}: found `for` beside stages, which have their own length, expected one of them",
    ),
    (
        "- {name: a, at: 1s, op: reschedule, target: {batch: 20000}, load: {rate: 1/s}, for: 5s}",
        "6:55: {it}.target.batch: found 20000, expected at most 10000",
    ),
]

CHECKS = LAB + "checks:\n  thresholds:\n"

BROKEN_CHECKS = [
    ("- {metric: latncy, max: 1s}", '7:16: {it}.metric: found "latncy", which is no metric; did you mean latency?'),
    (
        "- {metric: latency of everything, max: 1s}",
        (
            '7:16: {it}.metric: found "latency of everything", '
            "expected a metric such as error_rate or latency{op=complete}"
        ),
    ),
    (
        '- {metric: "latency{op=complet}", max: 1s}',
        "7:16: {it}.metric: found op=complet, did you mean complete?",
    ),
    (
        '- {metric: "latency{phase=work}", max: 1s}',
        "7:16: {it}.metric: found the label phase, expected one of op, storm",
    ),
    ('- {metric: "jobs{type}", max: 1}', '7:16: {it}.metric: found "type" as a label, expected name=value'),
    ("- {metric: latency, max: 1}", "7:30: {it}.max: found 1, expected a duration with its unit: write 1s"),
    ("- {metric: error_rate, max: 1s}", '7:33: {it}.max: found "1s", expected a share such as 12% or 0.5%'),
    ("- {metric: throughput, min: 40}", "7:33: {it}.min: found 40, expected a rate such as 20/s or 5/min: write 40/s"),
    ("- {metric: jobs, min: 1%}", '7:27: {it}.min: found "1%", expected a whole number'),
    ("- {metric: latency}", "7:7: {it}: found no bound, expected min or max"),
    (
        "- {metric: latency, stat: median, max: 1s}",
        '7:31: {it}.stat: found "median", expected p50, p95, p99.9, max, mean or the like',
    ),
    ("- {metric: error_rate, stat: p95, max: 1%}", '7:34: {it}.stat: found "p95", expected no stat of error_rate'),
    (
        "- {metric: error_rate, max: 1%, exclude_fault: true}",
        "7:37: {it}.exclude_fault: unknown key, did you mean exclude_faults?",
    ),
]

ALL = [
    *BROKEN,
    *(
        (f"{BEHAVIOUR}      {one}\n", [said.replace("{job}", "behaviours[0].jobs[0]")])
        for one, said in BROKEN_BEHAVIOURS
    ),
    *((f"{SCHEDULE}  {one}\n", [said.replace("{it}", "schedules[0]")]) for one, said in BROKEN_SCHEDULES),
    *((f"{STORM}  {one}\n", [said.replace("{it}", "storms[0]")]) for one, said in BROKEN_STORMS),
    *((f"{CHECKS}    {one}\n", [said.replace("{it}", "checks.thresholds[0]")]) for one, said in BROKEN_CHECKS),
]


@pytest.mark.parametrize(("text", "said"), ALL, ids=[said[0] for _, said in ALL])
def test_a_wrong_value_is_told_with_its_place_and_what_was_expected(text: str, said: list[str], tmp_path: Path):
    assert problems(text, tmp_path) == said


def test_all_that_is_wrong_is_told_at_once_in_order_of_the_file(tmp_path: Path):
    text = """\
version: 1
name: s
fleets:
  - {name: lab, cuont: 100, heartbeat: {every: 30}}
  - {name: yard, count: 0}
stop: {after: 5}
checks: {invariants: {no_lost_job: true}}
"""
    assert problems(text, tmp_path) == [
        "4:5: fleets[0].count: found nothing, expected a value",
        "4:17: fleets[0].cuont: unknown key, did you mean count?",
        "4:48: fleets[0].heartbeat.every: found 30, expected a duration with its unit: write 30s",
        "5:25: fleets[1].count: found 0, expected at least 1",
        "6:15: stop.after: found 5, expected a duration with its unit: write 5s",
        "7:23: checks.invariants.no_lost_job: unknown key, did you mean no_lost_jobs?",
    ]


def test_what_several_behaviours_inherit_is_wrong_once(tmp_path: Path):
    text = BEHAVIOUR + (
        "      - {type: LOGS, duration: 2}\n  - {name: a, extends: default}\n  - {name: b, extends: default}\n"
    )
    assert problems(text, tmp_path) == [
        "8:32: behaviours[0].jobs[0].duration: found 2, expected a duration with its unit: write 2s"
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (LAB.replace("count", "transport: {kind: mqtt, mqtt: {gateways: 2}}, count"), "4:41: fleets[0].transport.mqtt"),
        (LAB.replace("count", "transport: {timeouts: {request: 2s}}, count"), "4:29: fleets[0].transport.timeouts"),
        (LAB + "mqtt: {gateways: 2}\n", "5:1: mqtt"),
    ],
)
def test_what_holds_for_all_fleets_is_told_to_stand_in_the_scenarios_own_transport(
    text: str, place: str, tmp_path: Path
):
    key = place.rpartition(".")[2].rpartition(" ")[2]
    told = f"unknown key, expected it in the scenario's own transport, which holds for all: transport: {{{key}: ...}}"

    assert problems(text, tmp_path) == [f"{place}: {told}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            LAB + "checks: {invariants: {no_lost_jobs: 5}}\n",
            "5:37: checks.invariants.no_lost_jobs: found 5, expected true, false or a map",
        ),
        (
            LAB + "checks: {thresholds: [{metric: latency, min: 2s, max: 1s}]}\n",
            "5:23: checks.thresholds[0]: found max and min the wrong way round, expected max to be at least min",
        ),
        (
            LAB + 'checks: {thresholds: [{metric: "latency{op=complete,op=upload}", max: 1s}]}\n',
            "5:32: checks.thresholds[0].metric: found the label op twice, expected it once",
        ),
        (
            BEHAVIOUR + "      - {type: LOGS, duration: {dist: discrete, values: {1s: 50%, 1000ms: 50%}}}\n",
            (
                '8:57: behaviours[0].jobs[0].duration.values: found "1s" and 1000ms, which are the same, expected each'
                " value once"
            ),
        ),
        (
            LAB + "profiles: {ci: {extends: b.yaml}}\n",
            (
                "5:17: profiles.ci.extends: found what only a file itself can say, expected another key: parents and"
                " profiles are read first"
            ),
        ),
        (
            LAB + "profiles: {ci: {profiles: {x: {}}}}\n",
            (
                "5:17: profiles.ci.profiles: found what only a file itself can say, expected another key: parents and"
                " profiles are read first"
            ),
        ),
    ],
)
def test_what_was_once_taken_in_silence_or_told_wrongly(text: str, said: str, tmp_path: Path):
    assert problems(text, tmp_path) == [said]


@pytest.mark.parametrize("way", ["extends", "profiles", "profiles.ci.name"])
def test_no_option_sets_what_only_a_file_can_say(way: str, tmp_path: Path):
    [said] = problems(LAB, tmp_path, Overrides(settings=((way, "x"),)))

    assert said.startswith(f"--set {way}=x: found what only a file itself can say, expected another key")


def test_an_option_for_an_item_of_a_list_without_names_says_that_there_is_none(tmp_path: Path):
    [said] = problems(LAB, tmp_path, Overrides(settings=(("fleets.lab.capabilities.LOGS", "x"),)))

    assert said.endswith('found no item named "LOGS", there is none to choose from')


def test_free_keys_are_free_in_options_too(tmp_path: Path):
    given = Overrides(settings=(("x-foo", "1"), ("fleets.lab.x-note", "hi")))

    assert loaded(LAB, tmp_path, given) == loaded(LAB, tmp_path)
