import sys
from dataclasses import replace

import pytest

from agent_sim.errors import UsageError
from agent_sim.transports import limits
from agent_sim.transports.base import Connections
from agent_sim.transports.limits import (
    Machine,
    Wants,
    check_limits,
    doubts,
    ports_in,
    seconds_held,
    shortages,
    sources,
    this_machine,
)

LAPTOP = Machine(open_files=1024, most_open_files=4096, local_ports=28_232)
LARGE = Machine(open_files=1_000_000, most_open_files=1_000_000, local_ports=28_232)


@pytest.mark.parametrize(
    ("agents", "mode", "limit"),
    [
        (896, "per_agent", 100),  # with 128 files for the rest, exactly enough
        (200_000, "shared", 200),  # a pool stays a pool
        (200_000, "per_request", 200),  # no more at once than the limit
        (10, "shared", 1_000_000),  # a generous limit that few agents cannot use up
    ],
)
def test_what_fits_is_not_complained_about(agents, mode, limit):
    assert shortages(Wants(agents, mode, limit), LAPTOP) == []


def test_one_agent_too_many_is_told_how_to_get_the_files():
    assert shortages(Wants(897, "per_agent", 100), LAPTOP) == [
        (
            "897 agents with connections per_agent need 1025 open files and this process may have 1024: "
            "run `ulimit -n 1025` first, or use fewer agents, or connections: {mode: shared}"
        )
    ]


def test_beyond_the_hard_limit_ulimit_is_not_advised():
    assert shortages(Wants(5000, "per_agent", 100), LAPTOP) == [
        (
            "5000 agents with connections per_agent need 5128 open files and this process may have 1024: "
            "raise the hard limit (now 4096; LimitNOFILE= or limits.conf), "
            "or use fewer agents, or connections: {mode: shared}"
        )
    ]


def test_a_pool_larger_than_the_files_is_noticed_too():
    assert shortages(Wants(5000, "shared", 2000), LAPTOP) == [
        (
            "5000 agents with connections shared need 2128 open files and this process may have 1024: "
            "run `ulimit -n 2128` first, or lower the connections' limit"
        )
    ]


@pytest.mark.parametrize(("agents", "problems"), [(27_232, 0), (27_233, 1)])
def test_local_ports_are_counted_with_some_to_spare(agents, problems):
    assert len(shortages(Wants(agents, "per_agent", 100), LARGE)) == problems


def test_too_few_ports_are_told_with_the_mend():
    assert shortages(Wants(30_000, "per_agent", 100), LARGE) == [
        (
            "30000 agents with connections per_agent need 31000 local ports and "
            "/proc/sys/net/ipv4/ip_local_port_range has 28232: "
            'widen it, as with `sysctl -w net.ipv4.ip_local_port_range="1024 65535"`, '
            "or use fewer agents, or connections: {mode: shared}"
        )
    ]


def test_both_shortages_are_told_at_once():
    assert len(shortages(Wants(50_000, "per_agent", 100), LAPTOP)) == 2


def test_processes_have_files_each_for_its_own_agents_and_share_the_ports():
    fleet = Wants(1_792, "per_agent", processes=2, is_shareable=True)
    assert shortages(fleet, LAPTOP) == []
    assert shortages(replace(fleet, agents=1_793), LAPTOP) == [
        (
            "1793 agents with connections per_agent need 1025 open files in each of 2 processes and this process may "
            "have 1024: run `ulimit -n 1025` first, or run with --processes 3, or use fewer agents, or connections: "
            "{mode: shared}"
        )
    ]
    [problem] = shortages(replace(fleet, agents=30_000, processes=64), LAPTOP)
    assert "30000 agents with connections per_agent need 31000 local ports and" in problem


@pytest.mark.parametrize(
    ("agents", "processes", "machine", "advised"),
    [
        (1_000, 1, LAPTOP, "or run with --processes 2, "),
        (57_344, 1, replace(LAPTOP, local_ports=100_000), "or run with --processes 64, "),
        (57_345, 1, replace(LAPTOP, local_ports=100_000), None),  # more than there can be
        (1_000, 1, replace(LAPTOP, open_files=100), None),  # not even for what is no agent's
    ],
)
def test_more_processes_are_advised_where_they_are_a_way_out(agents, processes, machine, advised):
    [problem] = shortages(Wants(agents, "per_agent", processes=processes, is_shareable=True), machine)

    assert ("--processes" in problem) == (advised is not None)
    assert advised is None or advised in problem


def test_our_own_server_holds_the_connections_of_all_processes_in_one():
    [problem] = shortages(Wants(1_793, "per_agent", processes=2), LAPTOP)

    assert "need 1921 open files and this process may have 1024" in problem
    assert "--processes" not in problem


def test_the_limit_of_connections_is_each_processs_own():
    assert shortages(Wants(100_000, "shared", 896, processes=64, is_shareable=True), LAPTOP) != []
    assert shortages(Wants(100_000, "shared", 400, processes=64, is_shareable=True), LAPTOP) == []
    [problem] = shortages(Wants(100_000, "shared", 400, processes=3), LAPTOP)
    assert "need 1328 open files and this process may have 1024: run `ulimit -n 1328` first, " in problem
    assert problem.endswith("or lower the connections' limit, which each of 3 processes has")


def test_ports_of_connections_that_we_close_are_held_and_counted_but_only_remarked():
    fleet = Wants(10_000, "per_request", 232, per_second=450.0)
    assert doubts(fleet, LARGE) == []
    more = replace(fleet, per_second=450.01)
    assert doubts(more, LARGE) == [
        (
            "10000 agents with connections per_request need 28233 local ports, if the server has them beat as often as "
            "the scenario says: for that they close 450 connections a second, the system keeps the port of each for "
            "60 s, and /proc/sys/net/ipv4/ip_local_port_range has 28232. Without enough, connects take ever longer: "
            'widen it, as with `sysctl -w net.ipv4.ip_local_port_range="1024 65535"`, or use connections: {mode: '
            "shared}, fewer agents or a longer heartbeat, or have ports used again: "
            "`sysctl -w net.ipv4.tcp_tw_reuse=1`"
        )
    ]
    assert shortages(more, LARGE) == []  # the server says how often they beat
    assert doubts(replace(more, seconds=59.0), LARGE) == []  # the run is over before
    assert doubts(replace(fleet, per_second=20_000.0), replace(LARGE, held_seconds=1)) == []


@pytest.mark.parametrize(("text", "seconds"), [("1\n", 1), ("2\n", 60), ("0\n", 60), ("", 60)])
def test_a_port_is_held_for_a_minute_unless_it_may_be_used_again_everywhere(text, seconds):
    assert seconds_held(text) == seconds


@pytest.mark.parametrize(
    ("text", "ports"),
    [("32768\t60999\n", 28_232), ("1024 65535", 64_512), ("", sys.maxsize)],  # none told: plenty
)
def test_the_port_range_includes_both_ends(text, ports):
    assert ports_in(text) == ports


def test_this_machine_has_limits_in_their_order():
    machine = this_machine()

    assert 0 < machine.open_files <= machine.most_open_files
    assert machine.local_ports > 0


def test_checking_refuses_what_no_machine_can_hold_and_lets_a_pool_pass():
    with pytest.raises(UsageError, match="100000000 agents with connections per_agent need"):
        check_limits(Wants(100_000_000, "per_agent"))

    check_limits(Wants(100_000_000, "shared", limit=10))


def test_a_system_without_a_port_range_has_plenty(tmp_path):
    assert ports_in(limits._read(tmp_path / "nothing here")) == sys.maxsize


@pytest.mark.parametrize(
    ("host", "how", "many"),
    [
        ("127.0.0.1", Connections("per_agent"), 8),
        ("127.0.0.1", Connections("per_request"), 8),
        ("127.0.0.1", Connections("shared"), 1),  # a pool needs few ports
        ("127.0.0.1", Connections("per_agent", client="aiohttp"), 1),
        ("127.example", Connections("per_agent"), 1),  # a name
        ("10.0.0.1", Connections("per_agent"), 1),
    ],
)
def test_only_many_connections_over_loopback_come_from_many_addresses(host, how, many):
    assert sources(host, how) == many


def test_each_address_has_all_local_ports_once_more():
    assert shortages(Wants(200_000, "per_agent", 100, sources=8), LARGE) == []
    [problem] = shortages(Wants(230_000, "per_agent", 100, sources=8), LARGE)
    assert "230000 agents with connections per_agent need 29750 local ports at each of 8 addresses and" in problem
