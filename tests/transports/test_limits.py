import sys

import pytest

from agent_sim.errors import UsageError
from agent_sim.transports import limits
from agent_sim.transports.base import Connections
from agent_sim.transports.limits import Machine, check_limits, ports_in, shortages, sources, this_machine

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
    assert shortages(agents, mode, limit, LAPTOP) == []


def test_one_agent_too_many_is_told_how_to_get_the_files():
    assert shortages(897, "per_agent", 100, LAPTOP) == [
        (
            "897 agents with connections per_agent need 1025 open files and this process may have 1024: "
            "run `ulimit -n 1025` first, or use fewer agents, or connections: {mode: shared}"
        )
    ]


def test_beyond_the_hard_limit_ulimit_is_not_advised():
    assert shortages(5000, "per_agent", 100, LAPTOP) == [
        (
            "5000 agents with connections per_agent need 5128 open files and this process may have 1024: "
            "raise the hard limit (now 4096; LimitNOFILE= or limits.conf), "
            "or use fewer agents, or connections: {mode: shared}"
        )
    ]


def test_a_pool_larger_than_the_files_is_noticed_too():
    assert shortages(5000, "shared", 2000, LAPTOP) == [
        (
            "5000 agents with connections shared need 2128 open files and this process may have 1024: "
            "run `ulimit -n 2128` first, or lower the connections' limit"
        )
    ]


@pytest.mark.parametrize(("agents", "problems"), [(27_232, 0), (27_233, 1)])
def test_local_ports_are_counted_with_some_to_spare(agents, problems):
    assert len(shortages(agents, "per_agent", 100, LARGE)) == problems


def test_too_few_ports_are_told_with_the_mend():
    assert shortages(30_000, "per_agent", 100, LARGE) == [
        (
            "30000 agents with connections per_agent need 31000 local ports and "
            "/proc/sys/net/ipv4/ip_local_port_range has 28232: "
            'widen it, as with `sysctl -w net.ipv4.ip_local_port_range="1024 65535"`, '
            "or use fewer agents, or connections: {mode: shared}"
        )
    ]


def test_both_shortages_are_told_at_once():
    assert len(shortages(50_000, "per_agent", 100, LAPTOP)) == 2


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
        check_limits(100_000_000, "per_agent")

    check_limits(100_000_000, "shared", limit=10)


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
    assert shortages(200_000, "per_agent", 100, LARGE, sources=8) == []
    [problem] = shortages(230_000, "per_agent", 100, LARGE, sources=8)
    assert "230000 agents with connections per_agent need 29750 local ports at each of 8 addresses and" in problem
