"""The agents' wire over MQTT, as data: topics, headers, payloads, retained statuses and wills.

This contract is OURS: the vendor's product has no MQTT, and nothing here says anything about it. The messages are the
very JSON of the agents' wire (`protocol.agent`); the management side stays HTTP.

    <prefix>/<account>/<station>/status                retained · will     a connection is there, or not
    <prefix>/<account>/<station>/<machine>/status       retained            an agent is there, or not
    <prefix>/<account>/<station>/<machine>/request      agent  → server     headers: reply_to, correlation, endpoint
    <prefix>/<account>/<station>/<machine>/reply        server → agent     headers: correlation, status
    <prefix>/<account>/<station>/<machine>/notify       server → agent     work changed: look now

*Account* is the broker's user, and that is the whole of authentication: the broker checks the password (or the client
certificate), its ACL binds the user to `<prefix>/<user>/#`, and the server believes the topic and nothing in the
payload. *Station* is a connection, named like its client id: a gateway that carries many agents, or one agent that has
a connection of its own and is then called like its machine. All messages go at QoS 1: at least once, so a request may
arrive twice (its correlation says so) and the agents' repetition with the server's idempotence does the rest.

In version 5 headers travel as properties (response topic, correlation data, user properties). Version 3.1.1 has none:
there they are one line of JSON before the payload; a reader can tell by the absence of correlation data.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NewType
from urllib.parse import quote, unquote, urlsplit

from agent_sim.errors import MalformedMessage, UsageError
from agent_sim.instants import MINUTE, SECOND, Instant, Span
from agent_sim.protocol import codec
from agent_sim.protocol.agent import AgentReply, AgentRequest

QOS: Final = 1
PREFIX: Final = "agent-sim"
LARGEST_BODY: Final = 16 * 1024 * 1024
"""Bytes of a payload, as over HTTP; a larger request is answered 413 without being sent."""

REPLY_EXPIRY: Final[Span] = MINUTE
"""How long the broker keeps a reply for a station that is away."""
NOTIFICATION_EXPIRY: Final[Span] = 5 * MINUTE

Version = Literal["5", "3.1.1"]
Life = NewType("Life", int)
"""When a station's process began, in milliseconds: of two statuses, the one of the older life is stale."""


# --- where the broker is ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's address and the prefix of our topics there; `tls` for `mqtts://`."""

    host: str
    port: int
    tls: bool = False
    prefix: str = PREFIX

    @classmethod
    def at(cls, url: str) -> "Broker":
        """From `mqtt://HOST[:PORT][/PREFIX]` or `mqtts://...`. Raises UsageError."""
        shown = url.rpartition("@")[2]  # what stands before an @ may be a password
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"the broker's address {shown!r} cannot be read: {error}") from None
        if "@" in parts.netloc:
            mend = "credentials go into the environment or a credentials file"
            raise UsageError(f"the broker's address {shown!r} came with a user or password; {mend}")
        prefix = parts.path.strip("/")
        wrong = parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.query or parts.fragment
        if wrong or port == 0 or not is_prefix(prefix or PREFIX):
            raise UsageError(f"{shown!r} is no broker's address; expected mqtt[s]://HOST[:PORT][/TOPIC-PREFIX]")
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname or "", port or (8883 if tls else 1883), tls, prefix or PREFIX)

    @property
    def url(self) -> str:
        """The same as text."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}/{self.prefix}"


def is_prefix(text: str) -> bool:
    """True for topic levels that mean only themselves."""
    return all(part and part.isprintable() and not set(part) & {"+", "#"} for part in text.split("/")) and (
        not text.startswith("$")
    )


def check_account(name: str) -> str:
    """The account's name, if it can be a topic level as it is (an ACL knows it as `%u`). Raises UsageError."""
    if not name or not name.isprintable() or set(name) & {"/", "+", "#"}:
        raise UsageError(f"the user name {name!r} cannot be used over MQTT: it must be a topic level, without / + #")
    return name


# --- topics -----------------------------------------------------------------------------------


class Kind(StrEnum):
    """The last level of a topic."""

    STATUS = "status"
    REQUEST = "request"
    REPLY = "reply"
    NOTIFY = "notify"


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a topic is about; a `machine` of "" means the station itself."""

    account: str
    station: str
    machine: str = ""

    @property
    def of_station(self) -> "Place":
        """The station that this agent is reached through."""
        return Place(self.account, self.station)


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics under one prefix."""

    prefix: str = PREFIX

    def of(self, place: Place, kind: Kind) -> str:
        """The topic of one kind of message about one place."""
        levels = [place.account, _level(place.station), *filter(None, [_level(place.machine)]), kind.value]
        return "/".join((self.prefix, *levels))

    def read(self, topic: str) -> tuple[Place, Kind] | None:
        """The reverse; None for a topic that is none of ours."""
        head = f"{self.prefix}/"
        levels = topic[len(head) :].split("/") if topic.startswith(head) else []
        if len(levels) not in (3, 4) or levels[-1] not in _KINDS or not all(levels):
            return None
        account, station, *machine = levels[:-1]
        return Place(account, unquote(station), unquote("".join(machine))), _KINDS[levels[-1]]

    def requests(self, share: str = "") -> str:
        """What the server subscribes to; servers' connections of one `share` take turns (version 5 only)."""
        shared = f"$share/{_level(share)}/" if share else ""
        return f"{shared}{self.prefix}/+/+/+/{Kind.REQUEST.value}"

    def statuses(self) -> tuple[str, str]:
        """Of all stations, and of all agents."""
        return f"{self.prefix}/+/+/{Kind.STATUS.value}", f"{self.prefix}/+/+/+/{Kind.STATUS.value}"

    def to_station(self, station: Place) -> tuple[str, ...]:
        """What a station subscribes to: all that is for its agents, and its own status."""
        below = f"{self.prefix}/{station.account}/{_level(station.station)}/+"
        return f"{below}/{Kind.REPLY.value}", f"{below}/{Kind.NOTIFY.value}", self.of(station.of_station, Kind.STATUS)


_KINDS: Final = {kind.value: kind for kind in Kind}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]*")


def _level(text: str) -> str:
    """Any text as one topic level: letters, digits and what is harmless as they are, all else as %XX."""
    if _PLAIN.fullmatch(text):
        return text
    return quote(text, safe=" !&'()*,:;=@[]{}|\\~^`<>\"")


# --- messages ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Headers:
    """What goes along with a payload; names as in the module's drawing."""

    correlation: bytes = b""
    reply_to: str = ""
    endpoint: str = ""
    status: str = ""


NONE: Final = Headers()


@dataclass(frozen=True, slots=True)
class Packet:
    """One message. `expiry`: how long a broker keeps it for somebody who is away, 0 for ever (version 5 only)."""

    topic: str
    payload: bytes
    headers: Headers = NONE
    retain: bool = False
    expiry: Span = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the server got it."""

    place: Place
    request: AgentRequest
    headers: Headers


class NoReplyTopic(MalformedMessage):
    """A request that must not be answered: where it wants its reply is not its sender's."""


def ask(topics: Topics, place: Place, request: AgentRequest, correlation: bytes, expiry: Span) -> Packet:
    """A request of an agent."""
    headers = Headers(correlation, topics.of(place, Kind.REPLY), request.endpoint)
    return Packet(topics.of(place, Kind.REQUEST), codec.agent_body(request.body), headers, expiry=expiry)


def read_asked(topics: Topics, packet: Packet, place: Place) -> Asked:
    """The request in a packet from an agent's request topic. Raises MalformedMessage.

    A reply goes to the asking agent's own reply topic or nowhere: the server, which may write to all, must not be
    talked into writing to somebody else.
    """
    headers = packet.headers
    if headers.reply_to != topics.of(place, Kind.REPLY):
        raise NoReplyTopic(f"the response topic must be {topics.of(place, Kind.REPLY)!r}")
    if len(packet.payload) > LARGEST_BODY:
        raise MalformedMessage(f"larger than {LARGEST_BODY} bytes")
    if not headers.correlation:
        raise MalformedMessage("correlation data is missing")
    request = codec.read_agent_request(headers.endpoint, packet.payload)
    named = getattr(request.body, "client_machine", place.machine)
    if named != place.machine:
        raise MalformedMessage(f"ClientMachine is {named!r} and the topic says {place.machine!r}")
    return Asked(place, request, headers)


def answer(headers: Headers, reply: AgentReply) -> Packet:
    """The reply to a request that came with these headers."""
    has_body = reply.body is not None and reply.status < 300
    payload = codec.agent_body(reply.body) if has_body and reply.body is not None else b""
    status = Headers(headers.correlation, status=str(reply.status))
    return Packet(headers.reply_to, payload, status, expiry=REPLY_EXPIRY)


def read_answer(request: AgentRequest, packet: Packet) -> AgentReply:
    """The reply in a packet; one whose status cannot be read counts as 502."""
    text = packet.headers.status
    status = int(text) if text.isascii() and text.isdigit() and len(text) == 3 else 502
    return AgentReply(status, codec.read_agent_reply(request, packet.payload) if status < 300 else None)


def notification(topics: Topics, place: Place) -> Packet:
    """Tell an agent that its work changed."""
    return Packet(topics.of(place, Kind.NOTIFY), b'{"Reason":"jobs"}', expiry=NOTIFICATION_EXPIRY)


# --- presence ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a station or an agent is there, as said in a life's n-th connection."""

    life: Life
    connection: int
    online: bool

    @property
    def age(self) -> tuple[int, int]:
        """Of two statuses about the same, the one with the smaller one is stale."""
        return self.life, self.connection


def status(topics: Topics, place: Place, said: Status) -> Packet:
    """A status, retained; a station's offline status is also its connection's will."""
    word = "online" if said.online else "offline"
    payload = json.dumps({"Status": word, "Life": said.life, "Connection": said.connection}).encode()
    return Packet(topics.of(place, Kind.STATUS), payload, retain=True)


def read_status(packet: Packet) -> Status | None:
    """The status in a packet; None for an empty one, which says that there is none. Raises MalformedMessage."""
    if not packet.payload:
        return None
    try:
        said = json.loads(packet.payload)
        word, life, connection = said["Status"], said["Life"], said["Connection"]
    except (ValueError, KeyError, TypeError):
        raise MalformedMessage("not a status") from None
    if word not in ("online", "offline") or type(life) is not int or type(connection) is not int:
        raise MalformedMessage("not a status")
    return Status(Life(life), connection, word == "online")


# --- packets as a version carries them ----------------------------------------------------------

Properties = Mapping[str, object]
"""MQTT 5 properties by the names that the standard gives them, without spaces."""


def carried(packet: Packet, version: Version) -> tuple[bytes, Properties]:
    """The payload and the properties that a packet travels as."""
    if version == "3.1.1":
        return _inline(packet), {}
    given = packet.headers
    properties = {
        "CorrelationData": given.correlation,
        "ResponseTopic": given.reply_to,
        "UserProperty": [pair for pair in (("endpoint", given.endpoint), ("status", given.status)) if pair[1]],
        "MessageExpiryInterval": math.ceil(packet.expiry / SECOND),
    }
    return packet.payload, {name: value for name, value in properties.items() if value}


def read_packet(topic: str, payload: bytes, properties: Properties, *, retain: bool) -> Packet:
    """The reverse, for either version. Raises MalformedMessage."""
    correlation = properties.get("CorrelationData")
    if isinstance(correlation, bytes):
        named = _user_properties(properties.get("UserProperty"))
        reply_to = str(properties.get("ResponseTopic", ""))
        headers = Headers(correlation, reply_to, named.get("endpoint", ""), named.get("status", ""))
    elif topic.endswith((f"/{Kind.REQUEST.value}", f"/{Kind.REPLY.value}")):
        headers, payload = _split(payload)
    else:
        headers = NONE
    return Packet(topic, payload, headers, retain)


def _user_properties(pairs: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in pairs} if isinstance(pairs, list) else {}


def _inline(packet: Packet) -> bytes:
    """Headers as one line of JSON before the payload."""
    if packet.headers == NONE:
        return packet.payload
    given = packet.headers
    named = {"reply_to": given.reply_to, "endpoint": given.endpoint, "status": given.status}
    line = {"correlation": given.correlation.decode("latin-1"), **{key: text for key, text in named.items() if text}}
    return json.dumps(line).encode() + b"\n" + packet.payload


def _split(payload: bytes) -> tuple[Headers, bytes]:
    line, _, rest = payload.partition(b"\n")
    try:
        given = json.loads(line)
        correlation = _text(given, "correlation").encode("latin-1")
    except (ValueError, RecursionError):
        raise MalformedMessage("no headers: neither properties nor a first line of JSON") from None
    return Headers(correlation, *(_text(given, name) for name in ("reply_to", "endpoint", "status"))), rest


def _text(given: object, name: str) -> str:
    value = given.get(name, "") if isinstance(given, Mapping) else None
    if not isinstance(value, str):
        raise MalformedMessage(f"the header {name} is not text")
    return value


# --- a connection -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """How a station or a server's bridge connects. `session_expiry`: how long the broker keeps what it missed.

    With `clean_start` off a connection goes on where the last one of the same name ended. `will_delay` is how long the
    broker waits for that before it says that the station is gone. Version 3.1.1 has neither of the two spans: there
    the will is immediate and a session without clean start is for ever.
    """

    name: str
    version: Version = "5"
    clean_start: bool = False
    session_expiry: Span = 5 * MINUTE
    keepalive: Span = 30 * SECOND
    will: Packet | None = None
    will_delay: Span = 0

    def properties(self) -> Properties:
        """Those of the connection itself."""
        return {"SessionExpiryInterval": math.ceil(self.session_expiry / SECOND)} if self.version == "5" else {}

    def will_properties(self) -> Properties:
        """Those of its will."""
        seconds = math.ceil(self.will_delay / SECOND)
        return {"WillDelayInterval": seconds} if self.version == "5" and seconds else {}


REFUSALS: Final = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""Reasons of a CONNACK that trying again will not help: version, client id, credentials, ACL, ban, method."""


def life_at(now: Instant) -> Life:
    """The life of a process that begins now."""
    return Life(now // 1_000_000)
