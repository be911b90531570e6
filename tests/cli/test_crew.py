"""The other processes of a run, played by shells: however one goes, that is told, and nobody waits for it."""

import asyncio
from dataclasses import dataclass, field

import pytest

from agent_sim.cli import crew as crews
from agent_sim.cli.crew import Crew
from agent_sim.errors import UsageError
from agent_sim.results import journal, journal_text

pytestmark = pytest.mark.slow

READY = """echo '{"ready": true}'; read order; """
LINE = journal_text.encode(journal.PhaseStarted(1.0, "calm", 2.0))
HANG = "exec sleep 1000"


@dataclass
class Heard:
    """What a crew of two processes for ten agents had to tell."""

    crew: Crew
    lines: list[journal.Line] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    is_lost: asyncio.Event = field(default_factory=asyncio.Event)

    def lose(self, why: str) -> None:
        self.losses.append(why)
        self.is_lost.set()


async def crew_that(script: str) -> Heard:
    """Started, told its order and listened to; `script` is what the second process does then."""
    crew = Crew(2, None, 10, command=("/bin/sh", "-c", READY + script))
    heard = Heard(crew)
    crew.hear, crew.lost = heard.lines.append, heard.lose
    await crew.start()
    crew.begin({})
    crew.listen()
    return heard


async def test_a_process_that_ends_in_good_order_is_heard_to_its_last_word_and_not_lost():
    heard = await crew_that(f"""echo '{{"alive": true}}'; echo '{LINE}'; read stop; echo '{{"over": 1.5}}'""")

    await heard.crew.end()
    await heard.crew.close()

    assert (heard.lines, heard.losses, heard.crew.cpu_seconds) == ([journal_text.decode(LINE)], [], 1.5)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("kill -9 $$", "is gone (exit code -9)"),
        ("""printf '{"event":"send-failed","t":1.'; kill -9 $$""", "is gone (exit code -9)"),  # in the middle of a line
        ("""printf '{"over": 1.5}'; kill -9 $$""", "is gone (exit code -9)"),  # even if that makes sense
        ("exit 0", "is gone (exit code 0)"),  # without a word
        ("""echo '{"over": 1.5}'; exit 3""", "is gone (exit code 3)"),
        ("""echo '{"over": 1.5}'""", "ended before it was told to"),
        (f"echo Killed; {HANG}", "said what is no line of a run (Expecting value: line 1 column 1 (char 0))"),
        (f"printf '\\377\\n'; {HANG}", "said what is no line of a run ('utf-8' codec can't decode byte 0xff"),
        (f"echo 17; {HANG}", "said what is no line of a run (argument of type 'int' is not"),
        (f"""echo '{{"stopped": 1}}'; {HANG}""", 'said what is no line of a run ({"stopped": 1}) and was killed'),
        (f"""echo '{{"event": "unheard-of", "t": 1}}'; {HANG}""", "said what is no line of a run (journal line 1"),
        (f"printf '%02000d\\n' 0; {HANG}", "said what is no line of a run (Separator is found, but chunk is longer"),
        (f"printf '%05000d' 0; {HANG}", "said what is no line of a run (Separator is not found, and chunk exceed"),
    ],
)
async def test_whatever_else_ends_what_a_process_says_is_a_loss_that_is_told_once(monkeypatch, script, why):
    monkeypatch.setattr(crews, "_LINE_LIMIT", 1000)
    heard = await crew_that(script)

    async with asyncio.timeout(60):
        await heard.is_lost.wait()
        await heard.crew.end()
        await heard.crew.close()

    [told] = heard.losses
    assert told.startswith(f"process 2 of 2 {why}")
    assert told.endswith(", and its 5 of 10 agents with it")


async def test_a_process_that_hangs_is_lost_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(crews, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(crews, "_PATIENCE", 3)
    heard = await crew_that(f"""echo '{{"alive": true}}'; {HANG}""")

    async with asyncio.timeout(60):
        await heard.is_lost.wait()
        await heard.crew.end()
        await heard.crew.close()

    assert heard.losses == [
        "process 2 of 2 said nothing for 3 s (stopped, or it hangs) and was killed, and its 5 of 10 agents with it"
    ]


async def test_a_process_that_plans_a_large_fleet_may_be_silent_longer_than_one_that_runs_it(monkeypatch):
    monkeypatch.setattr(crews, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(crews, "_PATIENCE", 0)
    monkeypatch.setattr(crews, "_PATIENCE_AT_FIRST", 1_000_000)
    heard = await crew_that(f"sleep 0.2; echo '{LINE}'; {HANG}")

    async with asyncio.timeout(60):
        await heard.is_lost.wait()
        await heard.crew.close()

    assert len(heard.lines) == 1  # its first word was waited for


async def test_a_process_that_lives_and_does_not_come_to_an_end_is_lost(monkeypatch):
    monkeypatch.setattr(crews, "_END_SECONDS", 0.1)
    heard = await crew_that(HANG)

    async with asyncio.timeout(60):
        await heard.crew.end()
        await heard.crew.close()

    assert heard.losses == [
        "process 2 of 2 did not end within 0.1 s of being told to, and was killed, and its 5 of 10 agents with it"
    ]


async def test_what_goes_wrong_in_hearing_ends_the_run_and_is_raised_at_its_end():
    heard = await crew_that(f"echo '{LINE}'; {HANG}")

    def full(line: journal.Line) -> None:
        raise OSError(28, "No space left on device")

    heard.crew.hear = full
    async with asyncio.timeout(60):
        await heard.is_lost.wait()
        with pytest.raises(OSError, match="No space left"):
            await heard.crew.end()
        await heard.crew.close()

    assert heard.losses == ["process 2 of 2 is not heard any more, and its 5 of 10 agents with it"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("/bin/sh", "-c", HANG), "not ready within 0.1 s"),
        (("/bin/sh", "-c", "exit 7"), "exit code 7"),
        (("/nothing/here",), "No such file or directory"),
    ],
)
async def test_a_process_that_does_not_start_is_one_clear_error(monkeypatch, command, why):
    crew = Crew(3, None, 10, command=command)
    if "within" in why:
        monkeypatch.setattr(crews, "_START_SECONDS", 0.1)

    with pytest.raises(UsageError) as refused:
        await crew.start()
    await crew.close()

    assert str(refused.value) == f"process 2 of 3 did not start ({why}): ask for fewer --processes"
