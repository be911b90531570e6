"""What `pip install .` gives: the same commands anywhere, with scenarios and load tests inside the package."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built offline."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [made] = folder.glob("*.whl")
    return made


def test_the_wheel_holds_one_package_with_all_that_it_needs(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names} == {"agent_sim", "agent_sim-0.1.0.dist-info"}
    for needed in (
        "agent_sim/scenarios/demo.yaml",
        "agent_sim/scenarios/thirteen-paths.yaml",
        "agent_sim/cli/starter.yaml",
        "agent_sim/loadtests/storm.py",
        "agent_sim/loadtests/locust.conf",
        "agent_sim/server/schema.sql",
        "agent_sim/server/fidelity.md",
        "agent_sim/query/query.lark",
        "agent_sim/results/render/report.html.jinja",
        "agent_sim/py.typed",
    ):
        assert needed in names


def test_an_installed_wheel_runs_a_scenario_by_name(wheel, tmp_path):
    """Installed beside this environment's libraries, run from an empty folder: nothing of the checkout is near."""
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    words = ("run", "demo", "--param", "for=20s", "--param", "agents=20")

    ended = subprocess.run(
        [sys.executable, "-m", "agent_sim.cli.main", *words],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "mass-reschedule" in ended.stdout
    [log] = work.glob("runs/*/storm-mass-reschedule.log")
    assert str(ROOT) not in log.read_text()
