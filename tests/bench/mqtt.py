"""MQTT beside aiomqtt's bare publish in the same run, agents per process, and how soon a job starts.

    python -m tests.bench.mqtt [--requests 6000] [--gateway-agents 20000] [--own-agents 1000] [--jobs 40]

CPU is that of this process alone: broker and responder are others. Interleaved A B A B, medians. In the end a run whose
broker is restarted every eight seconds must keep both its laws, else it ends with 1. Reference: performance 3.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from statistics import median

import aiomqtt
import psutil

from agent_sim.errors import TransportError
from agent_sim.protocol.agent import HEARTBEAT, NO_TENANT, AgentRequest, Heartbeat
from agent_sim.protocol.mqtt import Broker, Life
from agent_sim.transports.base import Stations
from agent_sim.transports.limits import Wants, check_limits
from agent_sim.transports.stations import MqttPool
from tests.bench.figures import Bound, Figure, exit_code, ratios, tell
from tests.bench.quiet import Watch
from tests.transports.brokers import AGENT, a_mosquitto

AT_ONCE = 64
PAYLOAD = b"x" * 110
RESPONDER = """
import asyncio, sys
from agent_sim.instants import SECOND
from agent_sim.protocol import mqtt as contract
from agent_sim.protocol.agent import OK, AgentReply, HeartbeatReply
from agent_sim.protocol.mqtt import Broker, Link, Topics
from agent_sim.server.mqtt import opened
from tests.transports.brokers import SERVER
async def main():
    waiting = asyncio.Queue()
    broker = Broker.at(sys.argv[1])
    async with opened(broker, SERVER, None, Link("responder"), 10 * SECOND, waiting.put_nowait) as connection:
        await connection.subscribe((Topics(broker.prefix).requests(),))
        print("ready", flush=True)
        async def answer():
            while True:
                packet = await waiting.get()
                await connection.publish(contract.answer(packet.headers, AgentReply(200, HeartbeatReply(1, True, OK))))
        await asyncio.gather(*(answer() for _ in range(32)))
asyncio.run(main())
"""


def beat(machine: str) -> AgentRequest:
    return AgentRequest(HEARTBEAT, Heartbeat(1, NO_TENANT, machine, "t" * 36))


async def in_flight(count: int, act: Callable[[int], Awaitable[object]]) -> None:
    """`count` of them, so many at once."""
    numbers = iter(range(count))

    async def one_after_another() -> None:
        for number in numbers:
            await act(number)

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


async def cpu_of(count: int, act: Callable[[int], Awaitable[object]]) -> float:
    """Microseconds of this process for each."""
    gc.collect()
    before = time.process_time()
    await in_flight(count, act)
    return (time.process_time() - before) / count * 1e6


@contextlib.contextmanager
def responder(broker: Broker):
    process = subprocess.Popen([sys.executable, "-c", RESPONDER, broker.url], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.asynccontextmanager
async def bare(broker: Broker) -> AsyncIterator[aiomqtt.Client]:
    """aiomqtt and nothing else."""
    client = aiomqtt.Client(
        broker.host, broker.port, username=AGENT.username, password=AGENT.password, identifier="bare",
        protocol=aiomqtt.ProtocolVersion.V5, max_inflight_messages=AT_ONCE,
    )  # fmt: skip
    client.pending_calls_threshold = AT_ONCE + 1
    async with client:
        yield client


async def messages(requests: int, rounds: int) -> dict[str, list[float]]:
    """CPU per message, round by round: a request and its reply are two, one published and one received."""
    async with a_mosquitto() as mosquitto:
        broker = mosquitto.broker
        stations = Stations(gateways=1)
        with responder(broker):
            async with bare(broker) as client, MqttPool(broker, AGENT, stations, Life(1), "gateway") as pool:
                agents = [pool.agent(n, f"m{n}") for n in range(AT_ONCE)]
                topic = f"{broker.prefix}/{AGENT.username}/bare/nowhere"
                returned, got = f"{broker.prefix}/{AGENT.username}/bare/back", asyncio.Queue[None]()

                async def publish(number: int) -> None:
                    await client.publish(topic, PAYLOAD, 1)

                async def read() -> None:
                    async for _ in client.messages:
                        got.put_nowait(None)

                async def there_and_back(number: int) -> None:
                    await client.publish(returned, PAYLOAD, 1)
                    await got.get()

                async def exchange(number: int) -> None:
                    reply = await agents[number % AT_ONCE].send(beat(f"m{number % AT_ONCE}"))
                    assert reply.status == 200, reply

                await in_flight(500, publish)
                await in_flight(500, exchange)
                await client.subscribe(returned, 1)
                reading = asyncio.create_task(read())
                found: dict[str, list[float]] = {"publish": [], "round": [], "exchange": []}
                for _ in range(rounds):
                    found["publish"].append(await cpu_of(requests, publish))
                    found["round"].append(await cpu_of(requests, there_and_back))
                    found["exchange"].append(await cpu_of(requests, exchange))
                reading.cancel()
    return found


async def agents_in_one_process(count: int, stations: Stations) -> dict[str, float]:
    """So many agents each say something: memory for each, and CPU a second while they are silent."""
    check_limits(Wants(count, stations.mode, stations.gateways))
    process = psutil.Process()
    async with a_mosquitto() as mosquitto:
        with responder(mosquitto.broker):
            async with MqttPool(mosquitto.broker, AGENT, stations, Life(1), "gateway") as pool:
                for number in range(500):
                    await pool.agent(number % 4, f"warm-{number % 4}").send(beat(f"warm-{number % 4}"))
                gc.collect()
                before, started = process.memory_info().rss, time.monotonic()
                agents = [pool.agent(number, f"m{number:06}") for number in range(count)]
                # An answer may be late while thousands connect at once: asked again until there is one, as agents do.
                pending = list(range(count))
                while pending:
                    failed: list[int] = []

                    async def ask(place: int, failed: list[int] = failed, pending: list[int] = pending) -> None:
                        number = pending[place]
                        try:
                            await agents[number].send(beat(f"m{number:06}"))
                        except TransportError:
                            failed.append(number)

                    await in_flight(len(pending), ask)
                    pending = failed
                seconds = time.monotonic() - started
                gc.collect()
                memory = process.memory_info().rss - before
                idle = time.process_time()
                await asyncio.sleep(5)
                idle = (time.process_time() - idle) / 5
                connections = len(pool.stations)
    return {"agents": count, "connections": connections, "seconds": seconds, "kb": memory / count / 1024, "idle": idle}


def measured_alone(count: int, mode: str) -> dict[str, float]:
    """The same in a process of its own: memory that another measurement has freed would be used again."""
    script = f"""
import asyncio, json
from agent_sim.instants import SECOND
from agent_sim.transports.base import Stations
from tests.bench.mqtt import agents_in_one_process
print(json.dumps(asyncio.run(agents_in_one_process({count}, Stations({mode!r}, connect_timeout=30 * SECOND)))))
"""
    ended = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ended.stdout)


SOON = """
version: 1
name: soon
seed: 1
stop: {{after: 16s, drain: 30s}}
fleets:
  - {{name: lab, count: {jobs}, capabilities: [LOGS], heartbeat: {{every: 10s}}}}
behaviours:
  - {{name: default, jobs: [{{type: LOGS, duration: 100ms}}]}}
schedules:
  - {{name: fetch, type: LOGS, at: 4s, spread: 10s}}
"""


def until_started(jobs: int, transport: str) -> list[float]:
    """Seconds from a job that is scheduled to its start, by a run's journal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "soon.yaml"
        path.write_text(SOON.format(jobs=jobs))
        words = ["run", str(path), "--transport", transport, "--runs", folder]
        subprocess.run([sys.executable, "-m", "agent_sim.cli.main", *words], check=True, capture_output=True)
        [journal] = Path(folder).glob("*/journal.jsonl")
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
    posted = {line["job"]: line["t"] for line in lines if line["event"] == "job_posted"}
    return sorted(line["t"] - posted[line["job"]] for line in lines if line["event"] == "job_configured")


RESTARTS = """
version: 1
name: restarts
seed: 1
stop: {{after: 60s, drain: 60s}}
server: {{retries: 1}}
transport: {{kind: mqtt, timeouts: {{connect: 2s, request: 5s}}}}
fleets:
  - {{name: lab, count: {agents}, capabilities: [LOGS], heartbeat: {{every: 5s}}}}
behaviours:
  - name: default
    jobs:
      - type: LOGS
        duration: 300ms
        outcomes: [{{result: success, weight: 80%}}, {{result: failure, weight: 20%}}]
schedules:
  - {{name: fetch, type: LOGS, every: 5s, spread: 4s}}
faults:
  - {{name: restart, at: 5s, every: 8s, do: {{broker_restart: 2s}}}}
checks:
  invariants: {{no_lost_jobs: true, at_most_once: true}}
"""


def restarted(agents: int) -> tuple[int, int, str, list[str]]:
    """Restarts, runs, the verdict, and what the two laws say."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "restarts.yaml"
        path.write_text(RESTARTS.format(agents=agents))
        words = ["run", str(path), "--runs", folder]
        subprocess.run([sys.executable, "-m", "agent_sim.cli.main", *words], check=False, capture_output=True)
        [journal] = Path(folder).glob("*/journal.jsonl")
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        [result] = Path(folder).glob("*/result.json")
        said = json.loads(result.read_text())
    events = [line["event"] for line in lines]
    laws = [f"{law['answer']}  {law['name']} · {law['detail']}" for law in said["verdicts"]]
    return events.count("fault_armed"), events.count("job_completed"), said["verdict"], laws


def costs(requests: int, rounds: int) -> list[Figure]:
    """What a message costs the agents' process."""
    found = asyncio.run(messages(requests, rounds))
    ours = [cost / 2 for cost in found["exchange"]]
    return [
        Figure("aiomqtt, bare publish", found["publish"], "µs CPU"),
        Figure("aiomqtt, published and received", found["round"], "µs CPU"),
        Figure("our request and its reply", found["exchange"], "µs CPU"),
        Figure("our message ÷ bare publish", ratios(ours, found["publish"])),
        Figure("our request and its reply ÷ published and received", ratios(found["exchange"], found["round"])),
    ]


def crowd(mode: str, count: int) -> list[Figure]:
    """So many agents in one process, over few connections or one each."""
    found = measured_alone(count, mode)
    name = f"{found['agents']:,.0f} agents over {found['connections']:,.0f} connections"
    return [
        Figure(f"{name}: each", [found["kb"]], "KB"),
        Figure(f"{name}: all heard after", [found["seconds"]], "s"),
        Figure(f"{name}: idle", [100 * found["idle"]], "% of a core"),
    ]


def starts(transport: str, jobs: int) -> list[Figure]:
    """How soon a job starts where heartbeats come every ten seconds."""
    spans = until_started(jobs, transport)
    name = f"{transport}: from a job's schedule to its start"
    return [
        Figure(f"{name}, median of {len(spans)}", [median(spans)], "s"),
        Figure(f"{name}, longest", [spans[-1]], "s"),
    ]


def main(given: argparse.Namespace) -> int:
    """Measure, print two tables and keep their JSON."""
    with Watch() as watch:
        figures = costs(given.requests, given.rounds)
        figures += crowd("shared", given.gateway_agents) + crowd("per_agent", given.own_agents)
        figures += starts("mqtt", given.jobs) + starts("http", given.jobs)
    tell("mqtt", figures, watch.share)
    restarts, runs, verdict, laws = restarted(given.restart_agents)
    sys.stdout.write("\n".join(["what a broker that is restarted in the middle leaves:", *laws, "", ""]))
    kept = [
        Figure("restarts of the broker in a minute", [restarts]),
        Figure("runs meanwhile", [runs]),
        Figure("no job lost and none run twice", [verdict == "PASS"], "", Bound(1, 1)),
    ]
    tell("mqtt-restarts", kept, None)
    return exit_code(kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gateway-agents", type=int, default=20_000)
    parser.add_argument("--own-agents", type=int, default=1000)
    parser.add_argument("--restart-agents", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=40)
    sys.exit(main(parser.parse_args()))
