"""Our MQTT contract as data: addresses, topics, headers in both versions, statuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sim.errors import MalformedMessage, UsageError
from agent_sim.instants import SECOND
from agent_sim.protocol import mqtt
from agent_sim.protocol.agent import (
    HEARTBEAT,
    NO_TENANT,
    OK,
    AgentReply,
    AgentRequest,
    Complete,
    Heartbeat,
    HeartbeatReply,
)
from agent_sim.protocol.enums import Result
from agent_sim.protocol.mqtt import Broker, Headers, Kind, Life, Packet, Place, Status, Topics

TOPICS = Topics()
PLACE = Place("DOMAIN\\agent", "gateway-0", "agentsim-lab-00000")
BEAT = AgentRequest(HEARTBEAT, Heartbeat(5, NO_TENANT, "agentsim-lab-00000", "token"))


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://127.0.0.1", Broker("127.0.0.1", 1883)),
        ("mqtts://broker.example", Broker("broker.example", 8883, tls=True)),
        ("mqtt://[::1]:1884/site/agents/", Broker("::1", 1884, prefix="site/agents")),
    ],
)
def test_an_address_names_host_port_and_prefix(url, broker):
    assert Broker.at(url) == broker
    assert Broker.at(broker.url) == broker


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "mqtt://",
        "127.0.0.1:1883",
        "mqtt://h:0",
        "mqtt://h:99999",
        "mqtt://h/a/+/b",
        "mqtt://h/$share",
        "mqtt://h/a//b",
        "mqtt://h?x=1",
    ],
)
def test_what_is_no_address_is_refused_with_what_was_expected(url):
    with pytest.raises(UsageError, match="address"):
        Broker.at(url)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(UsageError) as refused:
        Broker.at("mqtt://agent:hush@127.0.0.1")

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", "a\0b"])
def test_a_user_that_is_no_topic_level_cannot_speak_over_mqtt(name):
    with pytest.raises(UsageError):
        mqtt.check_account(name)


NAMES = st.text(min_size=1, max_size=30).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))


@given(station=NAMES, machine=NAMES | st.just(""), kind=st.sampled_from(Kind))
def test_a_topic_reads_as_what_it_was_made_of_whatever_the_names(station, machine, kind):
    place = Place("agent", station, machine)
    topic = TOPICS.of(place, kind)

    assert TOPICS.read(topic) == (place, kind)
    assert not set(topic) & {"+", "#"}


@pytest.mark.parametrize(
    "topic",
    ["", "agent-sim", "agent-sim/a/s/m/x", "other/a/s/m/reply", "agent-sim/a//m/reply", "agent-sim/a/s/m/n/reply"],
)
def test_a_topic_that_is_none_of_ours_reads_as_nothing(topic):
    assert TOPICS.read(topic) is None


@given(
    correlation=st.binary(min_size=1, max_size=20),
    reply_to=st.text(max_size=20),
    endpoint=st.text(max_size=20),
    payload=st.binary(max_size=200),
    version=st.sampled_from(["5", "3.1.1"]),
)
def test_headers_and_payload_travel_unchanged_in_both_versions(correlation, reply_to, endpoint, payload, version):
    packet = Packet(TOPICS.of(PLACE, Kind.REQUEST), payload, Headers(correlation, reply_to, endpoint))

    carried, properties = mqtt.carried(packet, version)

    assert mqtt.read_packet(packet.topic, carried, properties, retain=False) == packet


@given(st.binary(max_size=60))
def test_a_request_without_headers_is_malformed_and_nothing_worse(payload):
    try:
        packet = mqtt.read_packet(TOPICS.of(PLACE, Kind.REQUEST), payload, {}, retain=False)
        mqtt.read_asked(TOPICS, packet, PLACE)
    except MalformedMessage:
        pass
    else:
        raise AssertionError(payload)


def test_a_request_and_its_reply_find_each_other():
    packet = mqtt.ask(TOPICS, PLACE, BEAT, b"1.1", 30 * SECOND)
    asked = mqtt.read_asked(TOPICS, packet, PLACE)
    told = AgentReply(200, HeartbeatReply(2.5, True, OK))
    answer = mqtt.answer(asked.headers, told)

    assert asked.request == BEAT
    assert (answer.topic, answer.headers.correlation) == (TOPICS.of(PLACE, Kind.REPLY), b"1.1")
    assert mqtt.read_answer(BEAT, answer) == told


def test_the_server_answers_to_the_asking_agents_own_reply_topic_or_not_at_all():
    other = TOPICS.of(Place("DOMAIN\\agent", "gateway-0", "somebody-else"), Kind.NOTIFY)
    packet = mqtt.ask(TOPICS, PLACE, BEAT, b"1.1", 0)
    bent = Packet(packet.topic, packet.payload, Headers(b"1.1", other, HEARTBEAT))

    with pytest.raises(mqtt.NoReplyTopic):
        mqtt.read_asked(TOPICS, bent, PLACE)


def test_an_agent_that_names_another_machine_than_its_topic_is_not_believed():
    place = Place("DOMAIN\\agent", "gateway-0", "somebody-else")

    with pytest.raises(MalformedMessage, match="ClientMachine"):
        mqtt.read_asked(TOPICS, mqtt.ask(TOPICS, place, BEAT, b"1.1", 0), place)


def test_what_names_no_machine_goes_by_its_topic():
    complete = AgentRequest("/X/Complete", Complete(Result.SUCCESS, 7, "job-1", "", "token"))

    assert mqtt.read_asked(TOPICS, mqtt.ask(TOPICS, PLACE, complete, b"1.1", 0), PLACE).request == complete


def test_an_answer_outside_2xx_has_no_body_and_an_unreadable_status_is_502():
    refused = mqtt.answer(Headers(b"1", "t"), AgentReply(403, HeartbeatReply(5, True, OK)))

    assert (refused.payload, mqtt.read_answer(BEAT, refused)) == (b"", AgentReply(403, None))
    assert mqtt.read_answer(BEAT, Packet("t", b"{}", Headers(b"1", status="²00"))) == AgentReply(502, None)


@pytest.mark.parametrize("said", [Status(Life(7), 2, online=True), Status(Life(7), 2, online=False)])
def test_a_status_is_retained_and_reads_as_it_was_said(said):
    packet = mqtt.status(TOPICS, PLACE.of_station, said)

    assert packet.retain
    assert TOPICS.read(packet.topic) == (Place("DOMAIN\\agent", "gateway-0"), Kind.STATUS)
    assert mqtt.read_status(packet) == said


@pytest.mark.parametrize(
    "payload", [b"{", b"[]", b"7", b'{"Status":"maybe","Life":1,"Connection":1}', b'{"Status":"online"}']
)
def test_a_status_that_is_none_is_malformed(payload):
    with pytest.raises(MalformedMessage):
        mqtt.read_status(Packet("t", payload))


def test_a_status_taken_back_is_none():
    assert mqtt.read_status(Packet("t", b"")) is None


def test_version_3_1_1_carries_no_properties():
    link = mqtt.Link("gateway-0", "3.1.1", will_delay=SECOND)

    assert (link.properties(), link.will_properties()) == ({}, {})
    assert mqtt.Link("gateway-0", will_delay=SECOND // 2).will_properties() == {"WillDelayInterval": 1}
