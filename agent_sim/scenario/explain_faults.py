"""What goes wrong in a scenario, in plain words: a sentence for each fault.

A table from a key of `do` to its words; a fault without a row is told by its name and value.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from agent_sim.instants import Span
from agent_sim.scenario.explain_values import all_of, counted, selected, spread
from agent_sim.scenario.faults import CrashAt, Fault, StatusAnswer, WrongClock
from agent_sim.scenario.models import Scenario
from agent_sim.scenario.timeline import offset
from agent_sim.scenario.units import duration_text, share_text, size_text


def fault(scenario: Scenario, said: Fault) -> str:
    """When, for whom, which requests, and what happens to them."""
    whom = _whom(said)
    often = f"{share_text(said.probability)} of " if said.probability < 1 else ""
    which = f"{all_of(said.on)} requests of {whom}" if said.on else whom
    return f"{said.name}: {_times(scenario, said)}, {often}{which}: {_happens(said)}"


def happening(said: Fault) -> str:
    """To whom what happens, in a few words."""
    return f"{_whom(said)}: {_happens(said)}".replace(" (", " of ", 1).replace(")", "", 1)


def _happens(said: Fault) -> str:
    return all_of(_TOLD.get(name, _by_name(name))(value) for name, value in said.do.given)


def _whom(said: Fault) -> str:
    if said.is_of_storms:
        return "storms"
    who, count = selected(said.select), said.select.count
    if count is not None:
        return f"{counted(count, 'agent')}{who}"
    return f"agents{who}" if who else "all agents"


def _times(scenario: Scenario, said: Fault) -> str:
    lasts = f" for {duration_text(said.for_)}" if said.for_ is not None else ""
    if said.during:
        since = f"while {all_of(said.during)} {'last' if len(said.during) > 1 else 'lasts'}"
    else:
        since = f"from {duration_text(offset(scenario, said.at) if said.at is not None else 0)}"
    if said.every is not None:
        return f"{since}, again and again after {spread(said.every)}{lasts}"
    return f"{since}{lasts}"


def _crash(said: CrashAt) -> str:
    when = "" if said.point == "now" else f" {said.point.replace('_', ' ')}"
    back = f"is back after {duration_text(said.restart_after)}"
    return f"the process dies{when} and {back}{'' if said.keeps_identity else ' as somebody else'}"


def _clock(said: WrongClock) -> str:
    words = []
    if said.offset:
        words.append(f"are {duration_text(abs(said.offset))} {'ahead' if said.offset > 0 else 'behind'}")
    if said.drift:
        words.append(f"{'gain' if said.drift > 0 else 'lose'} {share_text(abs(said.drift))}")
    return f"their clocks {all_of(words)}"


def _status(said: StatusAnswer) -> str:
    again = "" if said.retry_after is None else f", to be asked again after {duration_text(said.retry_after)}"
    return f"HTTP {said.code} is answered in the server's place{again}"


def _cut(ways: str) -> str:
    return {"in": "nothing reaches them", "out": "nothing leaves them", "both": "the network is cut both ways"}[ways]


def _span(words: str) -> Callable[[Span], str]:
    return lambda span: words.format(duration_text(span))


def _by_name(name: str) -> Callable[[Any], str]:
    return lambda value: f"{name} {value}"


_TOLD: Final[Mapping[str, Callable[[Any], str]]] = {
    "latency": lambda said: f"requests take longer by {spread(said)}",
    "jitter": _span("requests take longer by up to {}"),
    "bandwidth": lambda rate: f"everything trickles at {size_text(round(rate))}/s",
    "drop": lambda what: {"request": "requests never arrive", "response": "the answers never come back"}[what],
    "reset": lambda what: (
        f"the connection breaks {'before the server acts' if what == 'request' else 'after the server acted'}"
    ),
    "refuse": lambda _: "nobody listens",
    "status": _status,
    "truncate": lambda kept: f"answers end after {share_text(kept)}",
    "garbage": lambda size: f"answers are {size_text(size)} of nonsense",
    "partition": _cut,
    "dns": lambda what: f"the server's name does not resolve ({what.replace('_', ' ')})",
    "tls": lambda what: f"no secure connection comes about ({what.replace('_', ' ')})",
    "duplicate": lambda said: f"the server gets requests twice, the copy later by {spread(said)}",
    "reorder": _span("later requests overtake them, for up to {}"),
    "crash": _crash,
    "clock": _clock,
    "broker_disconnect": lambda said: f"the connection to the broker ends with a goodbye, back after {spread(said)}",
    "will": lambda said: f"the connection to the broker breaks, back after {spread(said)}",
    "session_takeover": lambda _: "somebody else takes their name at the broker",
    "duplicate_delivery": lambda _: "the broker delivers everything twice",
    "broker_restart": _span("the broker goes down for {}"),
}
