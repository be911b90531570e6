import json

import pytest

from agent_sim.errors import MalformedMessage
from agent_sim.protocol import store_commands
from agent_sim.protocol.endpoints import BY_OPERATION
from agent_sim.protocol.forms import form_as_json


@pytest.mark.parametrize(
    ("form", "members"),
    [
        (b"", {}),
        (b"Id=1&DisplayName=a+b%20c", {"Id": "1", "DisplayName": "a b c"}),
        (b"Id=1&Id=2&Properties=", {"Id": "2"}),
        (b"containerid=7&CreateIfMissing=True&Other=3", {"containerid": 7, "CreateIfMissing": True, "Other": "3"}),
        (b"ContainerId=seven&CreateIfMissing=1", {"ContainerId": "seven", "CreateIfMissing": "1"}),
        (b"Password.SecretValue=hush&A.B.C=1", {"Password": {"SecretValue": "hush"}, "A": {"B": {"C": "1"}}}),
        (b"A=1&A.B=2", {"A": "1"}),
    ],
)
def test_a_form_is_the_object_that_it_stands_for(form, members):
    assert json.loads(form_as_json(BY_OPERATION[store_commands.UpdateStore], form)) == members


@pytest.mark.parametrize("form", [b"{}", b"name=\xff"])
def test_what_is_no_form_is_refused(form):
    with pytest.raises(MalformedMessage, match="form"):
        form_as_json(BY_OPERATION[store_commands.UpdateStore], form)
