import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.agent.papers import agent_id_of, has_token, number_of, papers, token_of

GUIDS = st.uuids().map(str)
TEXTS = st.one_of(
    GUIDS,
    GUIDS.map(str.upper),
    st.text(max_size=40),
    st.just("a" * 36),
    st.just("f" * 8 + "-ffff-ffff-ffff-" + "f" * 12),
)


@given(number=st.integers(0, 1 << 40), agent_id=TEXTS, token=st.none() | TEXTS)
def test_whatever_an_agent_is_known_by_is_read_back_as_it_came(number, agent_id, token):
    kept = papers(number, agent_id, token)

    assert (number_of(kept), agent_id_of(kept), token_of(kept)) == (number, agent_id, token)
    assert has_token(kept) == (token is not None)


@pytest.mark.parametrize(
    ("agent_id", "token"),
    [("", None), ("00000000-0000-0000-0000-000000000000", "3f2504e0-4f89-41d3-9a0c-0305e82c3301")],
)
def test_guids_take_no_more_than_their_bits(agent_id, token):
    assert sys.getsizeof(papers(999_999, agent_id, token)) <= 64
