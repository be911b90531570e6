import pytest

from agent_sim.results import wording


@pytest.mark.parametrize(
    ("microseconds", "said"),
    [
        (0, "0 µs"),
        (870.4, "870 µs"),
        (999.6, "1.00 ms"),  # never 1,000 µs
        (12_345, "12.3 ms"),
        (99_960, "100 ms"),
        (999_700, "1.00 s"),
        (1_254_000, "1.25 s"),
        (1_234_567_890, "1,235 s"),
    ],
)
def test_a_latency_has_three_digits_and_a_fitting_unit(microseconds, said):
    assert wording.latency(microseconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.85, "850 ms"), (61.24, "61.2 s"), (725, "12 min 5 s"), (12_000, "3 h 20 min")]
)
def test_a_duration_is_said_as_people_say_it(seconds, said):
    assert wording.duration(seconds) == said


def test_shares_rates_and_counts():
    assert wording.share(0.00123) == "0.123 %"
    assert wording.rate(17.64) == "17.6/s"
    assert wording.counted(1, "job") == "1 job"
    assert wording.counted(2_000, "job") == "2,000 jobs"


def test_what_could_steer_a_terminal_is_made_visible():
    assert wording.visible("a\x1b[31mb\nc\u202ed") == "a\ufffd[31mb\ufffdc\ufffdd"
