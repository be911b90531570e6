import pytest

from agent_sim.cli.serve import read_settings
from agent_sim.errors import UsageError
from agent_sim.instants import MINUTE
from agent_sim.settings import DEFAULT_SETTINGS, ServerSettings


def test_settings_that_a_file_names_and_defaults_for_the_others(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(
        '{"retries": 0, "heartbeat_minutes": 0.05, "job_timeout": 60000000000, "partial_policy": "best_effort",'
        ' "heartbeat_by_prefix": [["agentsim-", 1]], "auto_approve": false}'
    )

    assert read_settings(path) == ServerSettings(
        retries=0,
        heartbeat_minutes=0.05,
        job_timeout=MINUTE,
        partial_policy="best_effort",
        heartbeat_by_prefix=(("agentsim-", 1.0),),
        auto_approve=False,
    )


def test_an_empty_object_means_the_defaults(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("{}")

    assert read_settings(path) == DEFAULT_SETTINGS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"retries": "5"}', "unusable retries"),  # a number must be a number
        ('{"retries": 1.5}', "unusable retries"),
        ('{"auto_approve": 1}', "unusable auto_approve"),
        ('{"partial_policy": "half"}', "unusable partial_policy"),
        ('{"Retries": 5}', "unknown name 'Retries': did you mean retries?"),
        ('{"colour": 5}', "unknown name 'colour': known are auto_approve"),
        ("[1]", "must be one JSON object"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path, text, words):
    path = tmp_path / "settings.json"
    path.write_text(text)

    with pytest.raises(UsageError) as caught:
        read_settings(path)

    assert str(path) in str(caught.value)
    assert words in str(caught.value)
