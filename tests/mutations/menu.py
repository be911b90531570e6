"""A long hour of a correct server under every fault that virtual time knows, with agents that hang, die and repeat
themselves, and no alarm due: twenty thousand jobs of sixty agents, or a quarter of that.

    python -m tests.mutations.menu --jobs 1000000

replays the whole of it with one seed after the other until so many jobs are done, and ends with 1 if a law was said to
be broken.
"""

import argparse
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from tests.fleet.replays import play

SCENARIO = """
version: 1
name: menu
seed: 5
stop: {after: 1h, drain: 5m}
server: {retries: 2, job_timeout: 30s}
transport: {timeouts: {connect: 2s, request: 5s}}
fleets:
  - {name: one, count: 30, capabilities: [LOGS, PEM], heartbeat: {every: 10s}}
  - {name: two, count: 30, capabilities: [LOGS, "custom:Patch"], heartbeat: {every: 12s}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: {dist: lognormal, median: 1s, p95: 5s, max: 40s}
        outcomes:
          - {result: success, weight: 60%}
          - {result: warning, weight: 15%}
          - {result: failure, weight: 12%}
          - {result: reject, weight: 1%}
          - {result: hang, weight: 1%}
          - {result: late, weight: 2%, by: 40s}
          - {result: complete_twice, weight: 3%}
          - {result: stale_session, weight: 2%}
          - {result: lost_ack, weight: 2%}
          - {result: crash, weight: 1%, restart_after: 5s}
          - {result: malformed, weight: 1%}
      - {type: Management, outcomes: [{result: success, weight: 50%}, {result: failure, weight: 50%}]}
schedules:
  - {name: logs, type: LOGS, every: 12s, until: 57m}
  - {name: renewals, type: Management, every: 1m, until: 57m}
  - {name: patches, type: "custom:Patch", every: 1m, until: 57m}
faults:
  - {name: unheard, at: 1m, for: 55m, probability: 2%, do: {drop: response}}
  - {name: lost, at: 1m, for: 55m, probability: 2%, do: {drop: request}}
  - {name: cut, at: 1m, for: 55m, probability: 1%, do: {reset: request}}
  - {name: torn, at: 1m, for: 55m, probability: 1%, do: {reset: response}}
  - {name: closed, at: 1m, for: 55m, probability: 1%, do: {refuse: true}}
  - {name: busy, at: 1m, for: 55m, probability: 1%, do: {status: {code: 503, retry_after: 2s}}}
  - {name: short, at: 1m, for: 55m, probability: 1%, do: {truncate: 50%}}
  - {name: noisy, at: 1m, for: 55m, probability: 1%, do: {garbage: 300B}}
  - {name: deaf, at: 10m, for: 1m, select: {percent: 30%}, do: {partition: in}}
  - {name: mute, at: 15m, for: 1m, select: {percent: 30%}, do: {partition: out}}
  - {name: island, at: 20m, for: 2m, select: {percent: 30%}, do: {partition: both}}
  - {name: nameless, at: 25m, for: 1m, select: {percent: 30%}, do: {dns: not_found}}
  - {name: expired, at: 28m, for: 1m, select: {percent: 30%}, do: {tls: expired}}
  - {name: twice, at: 1m, for: 55m, probability: 2%, do: {duplicate: 50ms}}
  - {name: swapped, at: 1m, for: 55m, probability: 2%, do: {reorder: 150ms}}
  - {name: slow, at: 1m, for: 55m, probability: 2%, do: {latency: 800ms}}
  - {name: shaky, at: 1m, for: 55m, probability: 2%, do: {jitter: 500ms}}
  - {name: thin, at: 1m, for: 55m, probability: 1%, do: {bandwidth: 3KB/s}}
  - {name: dies, every: 20s, select: {count: 1}, do: {crash: {point: before_complete, restart_after: 5s}}}
  - {name: dies-later, every: 30s, select: {count: 1}, do: {crash: {point: after_complete, restart_after: 5s}}}
storms:
  - {name: again, at: 30m, op: reschedule, target: {batch: 5}, load: {rate: 5/s}, for: 20s}
  - {name: seen, at: 45m, op: acknowledge, target: {batch: 5}, load: {rate: 5/s}, for: 20s}
checks: {invariants: EVERY_LAW}
"""


QUARTER = SCENARIO.replace("count: 30", "count: 8")
"""The same hour for fewer agents: what `make test` has the time for."""


def alarms(played):
    """Every verdict that is not as it should be."""
    return [verdict for verdict in played.verdicts if verdict.answer not in ("kept", "held")]


def jobs(played):
    """How many jobs were accepted."""
    return len(played.summary.facts.posted)


def main():
    """Replay until enough jobs are done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--first-seed", type=int, default=1)
    arguments = parser.parse_args()
    done = bad = 0
    for seed in count(arguments.first_seed):
        with tempfile.TemporaryDirectory() as folder:
            played = play(Path(folder), SCENARIO, seed=seed)
        done += jobs(played)
        for verdict in alarms(played):
            bad += 1
            print(f"seed {seed}: {verdict.name} {verdict.answer}: {verdict.detail} {verdict.offenders}")
        print(f"seed {seed}: {done:,} correct jobs, {bad} false alarms, {time.process_time():.0f} CPU s", flush=True)
        if done >= arguments.jobs:
            sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
