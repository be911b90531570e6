"""`agent-sim demo` as a process: a fleet at work, over either wire, and a link that opens its page once."""

import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "agent_sim.cli.main", "demo", "--param", "agents=10")
PATIENCE = 120


@pytest.mark.parametrize("transport", ["http", "mqtt"])
def test_a_demo_goes_on_until_told_to_stop_and_its_link_opens_the_page(transport):
    process = subprocess.Popen(
        [*COMMAND, "--transport", transport], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        said = ""
        while not said.endswith("Ctrl-C stops it\n"):
            line = process.stdout.readline()
            assert line, process.communicate(timeout=PATIENCE)
            said += line
        [(page, link)] = re.findall(r"(http://127\.0\.0\.1:\d+)/ui/sign-in\?link=(\S+)", said)
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        form = urllib.parse.urlencode({"link": link}).encode()
        with browser.open(f"{page}/ui/sign-in", form, timeout=PATIENCE) as answer:
            shown = answer.read().decode()

        assert answer.url == f"{page}/"
        assert re.search(r'data-value="agents">10<', shown)
        with browser.open(f"{page}/ui/timeline?range=30d", timeout=PATIENCE) as answer:
            steps = json.load(answer)
        assert sum(1 for step in steps if step["success"]) > 40  # half days: a month is behind it
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=PATIENCE)
