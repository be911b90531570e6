from agent_sim.protocol.agent import RENEWAL_CODES
from agent_sim.server.problems import MOST_REASONS, AgentCode, Problem, refuse


def test_every_kind_of_refusal_has_a_code_of_its_own():
    codes = [problem.code for problem in Problem]

    assert len(set(codes)) == len(codes)
    assert all(code.startswith("0xA01") and len(code) == 10 for code in codes)


def test_no_code_for_agents_asks_for_a_new_certificate():
    assert set(AgentCode).isdisjoint(RENEWAL_CODES)


def test_a_refusal_lists_reasons_up_to_a_limit_and_counts_the_rest():
    few = refuse(Problem.NOT_ELIGIBLE, "no", ["a", "b"]).body.failed_operations
    many = refuse(Problem.NOT_ELIGIBLE, "no", ["a"] * (MOST_REASONS + 3)).body.failed_operations

    assert [item.reason for item in few] == ["a", "b"]
    assert len(many) == MOST_REASONS + 1
    assert many[-1].reason == "and 3 more"
