"""garbage"""

import json

import pytest

from agent_sim.draws import key, unit
from agent_sim.faults.garbage import Garbage
from tests.faults.struck import struck


@pytest.mark.parametrize("size", [1, 6, 7, 200])
def test_answers_are_nonsense_of_that_size_and_each_its_own(size):
    def nonsense(request):
        [effect] = Garbage(size).strike(struck(lambda purpose: unit(key(request), purpose)))
        return effect.body

    assert len(nonsense(1)) == size
    assert nonsense(1) == nonsense(1)
    assert size == 1 or nonsense(1) != nonsense(2)
    with pytest.raises(ValueError):
        json.loads(nonsense(1))
