"""`agent-sim demo` as a process: a fleet at work, over either wire, and a link that opens its page once."""

import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import time
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
        press(browser, page, "fault", "shz-down", "start")
        assert shown_as_running(browser, page, {"shz-down"}), process.communicate(timeout=PATIENCE)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=PATIENCE)


def started(browser, page):
    """What the page begins with."""
    with browser.open(f"{page}/", timeout=PATIENCE) as answer:
        [text] = re.findall(r'<script type="application/json" id="start">(.*?)</script>', answer.read().decode())
    return json.loads(text)


def press(browser, page, kind, name, does):
    """Press one of the demo's buttons, once it is there."""
    assert shown_as_running(browser, page, set())
    headers = {"X-CSRF-Token": started(browser, page)["token"], "Content-Type": "application/json"}
    body = json.dumps({"kind": kind, "name": name, "do": does}).encode()
    with browser.open(urllib.request.Request(f"{page}/ui/controls", body, headers), timeout=PATIENCE) as answer:
        assert answer.status == 204


def shown_as_running(browser, page, names):
    """True once the page says that these, among others, are under way."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        controls = started(browser, page)["picture"]["controls"]
        if controls and names <= {each["name"] for each in controls if each["running"]}:
            return True
        time.sleep(0.2)
    return False
