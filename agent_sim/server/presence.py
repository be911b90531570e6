"""Who is there over MQTT, and through which station: what statuses and requests have told, in memory.

An agent is there if its station is, and if it has not said otherwise itself in the station's present life. A gateway's
will therefore marks all its agents offline with one message. What an older life said (a will that fired late, a
message retained since) is stale, changes nothing, and is counted.
"""

from dataclasses import dataclass

from agent_sim.instants import Instant
from agent_sim.protocol.mqtt import Place, Status
from agent_sim.protocol.mqtt_commands import MqttAgent, MqttState


@dataclass(slots=True)
class _Known:
    """What is known of a station or an agent; `status` None if only its requests were seen."""

    station: str
    since: Instant
    status: Status | None = None


class Presence:
    """Stations by account and name, agents by account and machine; and what at-least-once brought."""

    def __init__(self) -> None:
        self._stations: dict[tuple[str, str], _Known] = {}
        self._agents: dict[tuple[str, str], _Known] = {}
        self.requests = 0
        self.duplicates = 0
        self.refused = 0
        self.dropped = 0
        self.stale = 0
        self.notified = 0

    def heard(self, place: Place, said: Status | None, now: Instant) -> None:
        """A status arrived; None if it was taken back."""
        if said is None:
            return
        table = self._agents if place.machine else self._stations
        name = place.account, place.machine or place.station
        known = table.get(name)
        if known is not None and known.status is not None and said.age < known.status.age:
            self.stale += 1
        elif known is None or known.status != said:
            table[name] = _Known(place.station, now, said)

    def asked(self, place: Place, now: Instant) -> None:
        """A request came: its agent is reached through that station."""
        known = self._agents.get((place.account, place.machine))
        if known is None or known.station != place.station:
            self._agents[place.account, place.machine] = _Known(place.station, now)

    def place_of(self, account: str, machine: str) -> Place | None:
        """Where an agent is reached; None for one that does not use MQTT."""
        known = self._agents.get((account, machine))
        return None if known is None else Place(account, known.station, machine)

    def is_online(self, account: str, machine: str) -> bool:
        """True if the agent is there as far as anybody has said."""
        known = self._agents.get((account, machine))
        return known is not None and self._state(account, known)[0]

    def _state(self, account: str, known: _Known) -> tuple[bool, Instant]:
        """Whether an agent is there, and since when."""
        station = self._stations.get((account, known.station))
        if station is None or station.status is None:
            return known.status is None or known.status.online, known.since
        said = known.status
        is_stale = said is not None and (not said.online or said.life != station.status.life)
        return station.status.online and not is_stale, max(station.since, known.since)

    def state(self) -> MqttState:
        """All of it, agents in the order of their names."""
        agents = []
        for (account, machine), known in sorted(self._agents.items()):
            online, since = self._state(account, known)
            agents.append(MqttAgent(machine, account, known.station, online, since))
        return MqttState(
            self.requests,
            self.duplicates,
            self.refused,
            self.dropped,
            self.stale,
            self.notified,
            sum(agent.online for agent in agents),
            tuple(agents),
        )
