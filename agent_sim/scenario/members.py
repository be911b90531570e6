"""The agents of a plan, and a sequence of them that costs little for each.

A million agents of a fleet differ in their number, and some in when they come: what they share is kept once, and an
agent is put together again when somebody asks for it.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, overload

from agent_sim.agent.affairs import Timetable
from agent_sim.agent.behaviour import Behaviour
from agent_sim.agent.identity import Identity
from agent_sim.instants import Instant
from agent_sim.scenario.server import Wire
from agent_sim.values import value


@value
class Member:
    """One agent: who it is, how it behaves, when it comes online, how many stores of each kind it has, and when it
    goes, comes back and is restarted."""

    identity: Identity
    behaviour: Behaviour
    online: Instant
    stores: int
    wire: Wire = "http"
    timetable: Timetable = ()
    auth: Literal["basic", "bearer", "client_cert", "none"] = "basic"
    agent_id: str = ""  # that it was given in an earlier run


class Members(Sequence[Member]):
    """As a tuple of them is, at sixteen bytes for each that is like others but for its number and its arrival."""

    __slots__ = ("_kind", "_kinds", "_number", "_online")

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._kinds: list[Member] = []  # what many have in common, in the first of them
        self._kind, self._number, self._online = array("I"), array("I"), array("q")
        # Stocks and behaviours are no keys, and there are few: they are told apart by which they are.
        seen: dict[tuple[object, ...], int] = {}
        for one in members:
            who = one.identity
            key = (
                *(id(who.stock), id(one.behaviour), one.stores, one.wire, one.auth, one.agent_id),
                id(one) if one.timetable else None,
            )
            kind = seen.get(key)
            if kind is None:
                kind = seen[key] = len(self._kinds)
                self._kinds.append(one)
            self._kind.append(kind)
            self._number.append(who.index)
            self._online.append(one.online)

    def __len__(self) -> int:
        return len(self._kind)

    @overload
    def __getitem__(self, place: int) -> Member: ...

    @overload
    def __getitem__(self, place: slice) -> "Members": ...

    def __getitem__(self, place: int | slice) -> "Member | Members":
        if isinstance(place, slice):
            return Members(self[number] for number in range(*place.indices(len(self))))
        return _made(self._kinds[self._kind[place]], self._number[place], self._online[place])

    def __iter__(self) -> Iterator[Member]:
        kinds = self._kinds
        for kind, number, online in zip(self._kind, self._number, self._online, strict=True):
            yield _made(kinds[kind], number, online)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Members | tuple):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # a plan is no key

    def __repr__(self) -> str:
        return f"Members({list(self)!r})"


def _made(kind: Member, number: int, online: Instant) -> Member:
    who = kind.identity
    if number == who.index and online == kind.online:
        return kind
    # Not `replace`: a fleet is looked through more than once, and that takes three times as long.
    return Member(
        Identity(who.stock, number),
        kind.behaviour,
        online,
        kind.stores,
        kind.wire,
        kind.timetable,
        kind.auth,
        kind.agent_id,
    )
