"""Lines told some dozens at a time: all of them, in order, to everybody, and none kept back for long."""

import pytest

from agent_sim.cli.pen import Pen
from agent_sim.results.journal import PhaseStarted


def line(number: int, t: float = 1.0) -> PhaseStarted:
    return PhaseStarted(t, f"phase {number}", 1.0)


def test_every_listener_is_told_every_line_in_order():
    first, second = [], []
    pen = Pen(first.append, second.append)
    lines = [line(number) for number in range(1000)]

    for each in lines:
        pen.write(each)
    pen.settle()

    assert first == second == lines


def test_a_line_waits_for_some_dozens_or_a_tenth_of_a_second_and_not_for_more():
    told = []
    pen = Pen(told.append)

    for number in range(63):
        pen.write(line(number))
    assert told == []
    pen.write(line(63))
    assert len(told) == 64
    pen.write(line(64, t=2.0))
    pen.write(line(65, t=2.09))
    assert len(told) == 64
    pen.write(line(66, t=2.1))
    assert len(told) == 67


def test_what_a_listener_writes_while_it_listens_is_told_later():
    told = []

    def hear(each: PhaseStarted) -> None:
        told.append(each.phase)
        if each.phase == "phase 1":
            pen.write(line(3))

    pen = Pen(hear)
    pen.write(line(1))
    pen.write(line(2))
    pen.settle()
    pen.settle()

    assert told == ["phase 1", "phase 2", "phase 3"]


def test_a_line_that_a_listener_refuses_costs_no_other_and_is_told_to_who_writes():
    heard, others = [], []

    def hear(each: PhaseStarted) -> None:
        if each.phase in ("phase 2", "phase 4"):
            raise OSError(f"{each.phase}: no space left")
        heard.append(each.phase)

    pen = Pen(hear, lambda each: others.append(each.phase))
    for number in range(1, 6):
        pen.write(line(number))

    with pytest.raises(OSError, match="phase 2: no space left"):
        pen.settle()
    assert heard == ["phase 1", "phase 3", "phase 5"]
    assert others == [f"phase {number}" for number in range(1, 6)]
    pen.settle()  # nothing is left
    assert len(others) == 5
