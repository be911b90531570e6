"""The two fixtures, as somebody else's project sees them: in a pytest of its own, in a process of its own."""

import textwrap

import pytest

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

PATIENCE = 150

FAILING = """
    FAILING = {
        "version": 1, "name": "failing", "server": {"retries": 0},
        "fleets": [{"name": "lab", "count": 5, "heartbeat": {"every": "1s"}}],
        "behaviours": [{"name": "default", "jobs": [{"type": "LOGS", "duration": "50ms", "outcomes": [
            {"result": "failure", "message": "no log"}]}]}],
        "schedules": [{"name": "fetch", "type": "LOGS", "every": "2s"}],
        "checks": {"invariants": {"no_lost_jobs": True, "at_most_once": True}},
    }
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A function that runs pytest on a file with this text, with our plugin alone unless all are to be found."""

    def run(text, *, alone=True):
        pytester.makepyfile(textwrap.dedent(FAILING) + textwrap.dedent(text))
        if alone:
            monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        options = ("-p", "agent_sim.pytest_plugin") if alone else ()
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options, timeout=PATIENCE)

    return run


def test_a_script_is_tested_against_a_server_full_of_failing_jobs(project):
    result = project(
        """
        import os, subprocess, sys, urllib.request

        def test_script(simulated_command):
            command = simulated_command(FAILING, seed=3)
            failed = command.wait_for_runs(7, "Result -eq 4 AND Status -eq 3")
            script = "import os; print(os.environ['AGENT_SIM_API_URL'], os.environ['AGENT_SIM_PASSWORD'])"
            said = subprocess.check_output([sys.executable, "-c", script], env=os.environ | command.environment)

            assert said.decode().split() == [command.api_url, command.credentials.password]
            assert {run["Message"] for run in failed} == {"no log"}
            assert command.seed == 3
            assert command.agents_url.endswith("/KeyfactorAgents")
            assert command.credentials.password not in repr(command)
            # what the next test looks at: is the server gone?
            open("address", "w").write(command.api_url)

        def test_nothing_is_left():
            import pytest
            with pytest.raises(OSError):
                urllib.request.urlopen(open("address").read() + "/Status/Endpoints", timeout=5)
        """
    )

    result.assert_outcomes(passed=2)


def test_a_scenario_that_is_wrong_fails_the_test_with_its_place(project):
    result = project(
        """
        def test_wrong(simulated_command):
            simulated_command({"version": 1, "name": "x", "fleets": [{"name": "lab", "count": -1}]})

        def test_wrong_replay(run_scenario):
            run_scenario("nosuch")
        """
    )

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*UsageError: agent-sim up did not start: error: *scenario.yaml:1:*count*"])
    result.stdout.fnmatch_lines(["*UsageError: nosuch: no such file, and no scenario of that name; there are *"])


def test_a_replay_is_asserted_on_in_ten_lines(project):
    result = project(
        """
        def test_hello(run_scenario):
            result = run_scenario("hello", seed=7, params={}, settings={"stop.after": "3m"})

            assert result.passed, result
            assert result.exit_code == 0
            assert sum(result.outcomes("LOGS").values()) >= 300
            assert result.outcomes() == result.outcomes("LOGS")
            assert result.outcomes("Inventory") == {"success": 0, "warning": 0, "failure": 0}
            assert result.outcome_digest == run_scenario("hello", seed=7, settings={"stop.after": "3m"}).outcome_digest
            assert result.outcome_digest != run_scenario("hello", seed=8, settings={"stop.after": "3m"}).outcome_digest
        """
    )

    result.assert_outcomes(passed=1)


def test_what_did_not_hold_is_in_the_failure(project):
    result = project(
        """
        def test_all_fails(run_scenario):
            bound = {"metric": "jobs{outcome=failure}", "max": 10}
            result = run_scenario(FAILING | {"checks": {"thresholds": [bound]}}, seed=5)
            assert result.passed
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*<failing with seed 5: broken *"])


def test_the_plugin_is_found_and_costs_nothing_until_it_is_asked_for(project):
    result = project(
        """
        import sys

        def test_light(request):
            assert "agent_sim.pytest_plugin" in sys.modules
            assert "agent_sim.cli.play" not in sys.modules
            assert request.getfixturevalue("run_scenario")
        """,
        alone=False,
    )

    result.assert_outcomes(passed=1)
