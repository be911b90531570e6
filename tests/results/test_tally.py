from agent_sim.protocol.enums import Result
from agent_sim.results import journal
from agent_sim.results.measures import BOUNDS, MOST_NAMES, Sample, Spread
from agent_sim.results.tally import AGENTS, COMPLETED, DURATIONS, INSTRUMENTS, REQUESTS, RESPONSE, Tally
from tests.results.journals import completed, configured, fleet, left, registered, second, started, traffic


def told(*lines: journal.Line) -> Tally:
    tally = Tally()
    for line in lines:
        tally.add(line)
    tally.second()
    return tally


def shown(tally, instrument):
    [family] = [each for each in tally.families if each.instrument is instrument]
    return family.samples


def test_an_agent_is_in_one_state_at_a_time():
    tally = told(
        fleet(agents=4),
        registered("agent-1"),
        registered("agent-2"),
        journal.AgentOffline(2.0, "lab", "agent-2"),
        registered("agent-3"),
        journal.AgentCrashed(3.0, "lab", "agent-3", 9.0, True),
    )

    assert tally.agents == {"starting": 1, "online": 1, "offline": 1, "crashed": 1}

    tally.add(registered("agent-3", first=False))
    assert tally.agents == {"starting": 1, "online": 2, "offline": 1}


def test_runs_in_hand_end_with_their_completion_their_agent_or_the_scenario():
    begun = [configured(audit=audit, agent=f"agent-{audit}") for audit in (1, 2, 3, 4)]
    tally = told(*begun, completed(audit=1), completed(audit=1))

    assert tally.running == 3
    tally.add(journal.AgentCrashed(3.0, "lab", "agent-2", 9.0, True))
    tally.add(left(audit=4))  # of another agent than the one that holds it
    assert tally.running == 2


def test_rates_and_percentiles_are_over_the_last_seconds_only():
    tally = told(traffic(ok=1000, milliseconds=500.0))
    for _ in range(10):
        tally.add(traffic(ok=20, milliseconds=10.0))
        tally.second()

    recent = tally.recent()["heartbeat"]
    assert (recent.per_second, recent.latency.max_us) == (20.0, 10_000)


def test_requests_are_counted_by_what_came_of_them():
    tally = told(traffic(ok=3, errors={"read_timeout": 2}), traffic("pool_wait", ok=5))

    assert shown(tally, REQUESTS) == (Sample(("heartbeat", "ok"), 3), Sample(("heartbeat", "read_timeout"), 2))


def test_durations_are_counted_by_bound():
    tally = told(traffic(ok=3, milliseconds=9.9), traffic(ok=1, milliseconds=9_000.0))

    [spread] = shown(tally, DURATIONS)
    place = BOUNDS.index(0.01)
    assert isinstance(spread, Spread)
    assert (spread.counts[place], spread.counts[-1], sum(spread.counts), spread.total) == (3, 1, 4, 9.0297)


def test_outcomes_are_counted_by_type():
    tally = told(completed(), completed(audit=2, outcome=Result.FAILURE), completed(audit=3, accepted=False))

    assert shown(tally, COMPLETED) == (Sample(("LOGS", "success"), 1), Sample(("LOGS", "failure"), 1))


def test_fleets_beyond_the_fiftieth_count_together():
    lines = [fleet(f"fleet-{number}", agents=2) for number in range(MOST_NAMES + 20)]
    tally = told(*lines, journal.AgentOffline(1.0, "fleet-69", "agent-1"))

    found = {sample.labels: sample.value for sample in shown(tally, AGENTS)}
    assert found["fleet-0", "starting"] == 2
    assert found["other", "starting"] == 39
    assert found["other", "offline"] == 1
    assert len({fleet for fleet, _ in found}) == MOST_NAMES + 1


def test_a_storm_tells_its_last_second_while_it_runs():
    tally = told(started())
    tally.add(journal.StormStarted(1.0, "again", "reschedule"))
    tally.storm("again", second(1.0, requests=20, ids=1000))
    tally.storm("again", {"t": 2, "offered": None, "completed": "x"})  # of a storm out of its mind
    tally.storm("again", second(3.0, requests=20, ids=1000))
    tally.second()

    assert (tally.storms["again"].due, tally.storms["again"].ids) == (40, 2000)
    assert Sample(("again", "p95"), 0.048) in shown(tally, RESPONSE)

    tally.add(journal.StormEnded(5.0, "again", {}))
    tally.second()
    assert shown(tally, RESPONSE) == ()


def test_every_instrument_is_shown_in_a_run():
    tally = told(started())

    assert {family.instrument for family in tally.families} == set(INSTRUMENTS)
