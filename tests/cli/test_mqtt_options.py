"""What is said about a broker on the command line: right, or one clear line."""

from pathlib import Path

import pytest

from agent_sim.cli.beside_broker import beside
from agent_sim.cli.mqtt_options import MqttOptions
from agent_sim.errors import UsageError
from agent_sim.protocol.mqtt import Broker
from tests.server.bench import Bench

FILE = Path("some.pem")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (MqttOptions("http://127.0.0.1"), "no broker's address"),
        (MqttOptions("mqtt://a:b@127.0.0.1"), "credentials go into the environment"),
        (MqttOptions(ca=FILE), "--mqtt-ca needs --mqtt URL"),
        (MqttOptions(certificate=FILE), "--mqtt-cert needs --mqtt URL"),
        (MqttOptions("mqtts://127.0.0.1", key=FILE), "--mqtt-key needs --mqtt-cert"),
        (MqttOptions("mqtt://127.0.0.1", certificate=FILE), "write mqtts://"),
        (MqttOptions("mqtts://127.0.0.1", ca=FILE), r"some\.pem"),
    ],
)
def test_what_cannot_be_is_one_clear_line(options, said):
    with pytest.raises(UsageError, match=said):
        options.tls()


def test_without_a_broker_there_is_nothing_beside_the_server():
    assert beside(MqttOptions(), None, Bench().server) == ()


def test_the_servers_login_comes_from_the_environment_or_is_missed_by_name(monkeypatch):
    monkeypatch.delenv("AGENT_SIM_MQTT_USERNAME", raising=False)
    monkeypatch.delenv("AGENT_SIM_MQTT_PASSWORD", raising=False)

    with pytest.raises(UsageError, match="AGENT_SIM_MQTT_USERNAME and AGENT_SIM_MQTT_PASSWORD"):
        beside(MqttOptions("mqtt://127.0.0.1"), None, Bench().server)


def test_a_server_that_we_start_is_given_the_same_files():
    options = MqttOptions("mqtts://127.0.0.1/site", ca=FILE, certificate=FILE, key=FILE)

    assert options.broker() == Broker("127.0.0.1", 8883, tls=True, prefix="site")
    assert options.files() == ("--mqtt-ca", "some.pem", "--mqtt-cert", "some.pem", "--mqtt-key", "some.pem")
