"""A demo's buttons over a pipe: what there is comes in as lines, what is pressed goes out."""

import pytest

from agent_sim.errors import UsageError
from agent_sim.server.web.controls import Control
from agent_sim.server.web.remote import RemoteControls, pressed, state

DOWN = Control("fault", "shz-down", "agents of shz: cut off", is_running=False)
STORM = Control("storm", "mass-reschedule", "reschedule, 20 ids a request", is_running=True)


def remote(*controls, story=""):
    said = []
    made = RemoteControls(said.append)
    made.feed(f"{state(controls, story)}\n".encode())
    return made, said


def test_what_is_told_at_one_end_is_listed_at_the_other():
    made, _ = remote(DOWN, STORM, story="The line breaks: ünbelievable\nat shz.")

    assert made.listed() == (DOWN, STORM)
    assert made.story() == "The line breaks: ünbelievable\nat shz."


def test_what_is_pressed_at_one_end_is_heard_at_the_other():
    made, said = remote(DOWN, STORM)
    made.start("fault", "shz-down")
    made.stop("storm", "mass-reschedule")

    assert list(map(pressed, said)) == [("fault", "shz-down", True), ("storm", "mass-reschedule", False)]


def test_what_is_under_way_cannot_be_started_and_nobody_starts_what_is_not_there():
    made, said = remote(STORM)

    with pytest.raises(UsageError, match="mass-reschedule is under way already"):
        made.start("storm", "mass-reschedule")
    for name in ("nosuch", "mass-reschedule extra", "shz-down\ncontrol start storm mass-reschedule"):
        with pytest.raises(KeyError):
            made.start("fault", name)
    assert said == []


def test_the_first_look_is_told_once():
    made, said = remote()
    made.listed()
    made.listed()

    assert said == ["looked"]


def test_lines_come_in_pieces_and_what_makes_no_sense_is_dropped():
    made = RemoteControls(lambda line: None)
    line = f"{state((DOWN,), 'told')}\n".encode()
    made.feed(b'nonsense\n{"controls": 7, "story": ""}\n{}\n\xff\xfe\n' + line[:5])
    made.feed(line[5:20])
    assert made.listed() == ()
    made.feed(line[20:])

    assert (made.listed(), made.story()) == ((DOWN,), "told")


def test_a_line_without_an_end_is_not_kept_for_ever():
    made = RemoteControls(lambda line: None)
    for _ in range(20):
        made.feed(b"x" * 2**17)
    made.feed(f"\n{state((DOWN,), '')}\n".encode())

    assert made.listed() == (DOWN,)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "looked",
        "control",
        "control start",
        "control arm fault a",
        "control start fleet a",
        "control start fault a b",
    ],
)
def test_other_lines_press_nothing(line):
    assert pressed(line) is None
