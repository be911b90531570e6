"""The scheduler's API on a real server process: the seed's example by curl, and what goes wrong on a wire."""

import http.client
import json
import socket
import subprocess
import threading
import time
from base64 import b64encode
from itertools import pairwise
from urllib.parse import quote, urlsplit

import pytest

from agent_sim.protocol.oig import BASE
from tests.end_to_end.conftest import ACCOUNTS
from tests.server.oig_bench import SEEDS_BODY

pytestmark = pytest.mark.slow

USER, SECRET = ACCOUNTS["AGENT_SIM_USERNAME"], ACCOUNTS["AGENT_SIM_PASSWORD"]
WRITE = {"Content-Type": "application/json", "X-Requested-By": "anybody"}


class Scheduler:
    """One connection a request, with the operator's account unless told otherwise."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc

    def ask(self, method, path, body=None, headers=WRITE, login=f"{USER}:{SECRET}"):
        """The status and the JSON of an answer; `path` is below the base and sent as it is."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        proof = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, BASE + path, data, headers | proof)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def create(self, name, **more):
        body = {"jobName": name, "taskName": "Task", "retryCount": 0} | more
        return self.ask("POST", "/jobs", body)


@pytest.fixture(scope="module")
def scheduler(lasting_server):
    return Scheduler(lasting_server.url)


def curl(*words: str, folder) -> str:
    return subprocess.run(
        ["curl", "-sS", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=True
    ).stdout


def test_the_seeds_example_by_curl_word_for_word(server_process, tmp_path):
    """Its stray slashes are left out, host and account are ours."""
    (tmp_path / "post.json").write_bytes(SEEDS_BODY)

    said = curl(
        "-i", "-X", "POST", "-u", f"{USER}:{SECRET}",
        "--header", "Content-Type: application/json",
        "--header", "Accept: application/json",
        "--header", "X-Requested-By: <anyvalue>",
        "-d", "@post.json",
        f"{server_process.url}/iam/governance/selfservice/api/v1/scheduler/jobs/",
        folder=tmp_path,
    )  # fmt: skip

    head, _, body = said.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 200 OK\n")
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {"jobName": "Test Job", "status": "Job Create successfull"}
    status, job = Scheduler(server_process.url).ask("GET", "/jobs/Test%20Job")
    assert (status, job["retryCount"], job["status"]) == (200, 1, "STOPPED")
    assert {name: each["value"] for name, each in job["parameters"].items()} == {
        "Cert Campaigns for Purge": "11",
        "Purge Retention Period(in days)": "5",
        "Purge Criteria": "1",
        "Maximum Purge Run Duration(in Mins)": "6",
    }


def test_a_job_lives_from_creation_to_deletion_in_real_time(scheduler):
    name = "whole life"
    path = f"/jobs/{quote(name)}"
    assert scheduler.create(name) == (200, {"jobName": name, "status": "Job Create successfull"})
    trigger = {"triggerType": "Periodic", "intervalType": "HOURS", "intervalValues": ["1"]}
    assert scheduler.ask("PUT", f"{path}/trigger/", trigger)[1]["status"] == "Trigger add successfull"
    assert scheduler.ask("GET", f"{path}/trigger")[1]["nextFireTime"].endswith("Z")
    assert scheduler.ask("POST", f"{path}/run") == (200, {"jobName": name, "status": "run successfull"})

    deadline = time.monotonic() + 20  # the task takes a second
    while scheduler.ask("GET", f"{path}/history/last")[1]["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    status, page = scheduler.ask("GET", f"{path}/history?offset=0&limit=5&orderBy=startTime:desc")
    assert (status, [run["status"] for run in page["history"]]) == (200, ["STOPPED"])
    assert page["links"][0]["href"].startswith(f"http://{scheduler.host}{BASE}{path}/history?")
    assert scheduler.ask("GET", f"{path}/history/{page['history'][0]['id']}")[1] == page["history"][0]
    assert scheduler.ask("POST", f"{path}/stop")[0] == 400
    assert scheduler.ask("POST", f"{path}/disable")[1]["status"] == "disable successfull"
    assert scheduler.ask("POST", f"{path}/enable")[1]["status"] == "enable successfull"
    assert scheduler.ask("DELETE", path)[1] == {"jobName": name, "status": "Job Deleted"}
    assert scheduler.ask("GET", path) == (404, {"status": 404, "message": f"there is no job '{name}'"})


def test_a_trigger_fires_by_the_clock_of_the_world(scheduler):
    scheduler.create("ticking")
    trigger = {"triggerType": "Periodic", "intervalType": "SECONDS", "intervalValues": ["1"]}
    scheduler.ask("PUT", "/jobs/ticking/trigger", trigger)

    deadline = time.monotonic() + 30
    while scheduler.ask("GET", "/jobs/ticking/history")[1]["count"] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)

    scheduler.ask("POST", "/jobs/ticking/disable")


@pytest.mark.parametrize(
    "name", ["a/b//c", "Prüfung 試験 🧹", "50%41", "a+b", "?q=1#x", ";v=1", "jobs", "history", "..."]
)
def test_any_name_travels_in_a_path_percent_encoded(scheduler, name):
    assert scheduler.create(name)[0] == 200

    assert scheduler.ask("GET", f"/jobs/{quote(name, safe='')}")[1]["jobName"] == name
    assert scheduler.ask("POST", f"/jobs/{quote(name, safe='')}/run")[1]["jobName"] == name


def test_creating_a_name_twice_is_invalid_input(scheduler):
    scheduler.create("twice")

    assert scheduler.create("twice") == (400, {"status": 400, "message": "a job 'twice' exists already"})


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Content-Type": "application/json"}, 400, "X-Requested-By is required"),
        ({"Content-Type": "text/plain", "X-Requested-By": "x"}, 415, "application/json"),
        ({"Content-Type": "application/x-www-form-urlencoded", "X-Requested-By": "x"}, 415, "application/json"),
        ({"Content-Type": "application/xml", "X-Requested-By": "x"}, 415, "application/json"),
        ({"Content-Type": "application/json; charset=utf-8", "X-Requested-By": ""}, 400, "jobName is missing"),
        ({"X-Requested-By": "x"}, 400, "jobName is missing"),
    ],
)
def test_writes_need_their_headers(scheduler, headers, status, words):
    found, body = scheduler.ask("POST", "/jobs", b'{"taskName": "T", "retryCount": 0}', headers)

    assert (found, body["status"]) == (status, status)
    assert words in body["message"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_every_write_needs_the_header_and_reads_do_not(scheduler, method):
    assert scheduler.ask(method, "/jobs/x", b"{}", {"Content-Type": "application/json"})[0] == 400
    assert scheduler.ask("POST", "/jobs/x/run", None, {})[1]["message"].startswith("The header X-Requested-By")
    assert scheduler.ask("GET", "/jobs", None, {})[0] == 200


@pytest.mark.parametrize("login", ["", "operator:wrong", "nobody:x"])
def test_who_does_not_prove_who_they_are_gets_401(scheduler, login):
    status, body = scheduler.ask("GET", "/jobs", login=login)

    assert (status, body["status"]) == (401, 401)


def test_an_agents_account_may_not_use_it(scheduler):
    login = f"{ACCOUNTS['AGENT_SIM_AGENT_USERNAME']}:{ACCOUNTS['AGENT_SIM_AGENT_PASSWORD']}"

    assert scheduler.ask("GET", "/jobs", login=login)[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", "/jobs", 405),
        ("POST", "/jobs/x", 405),
        ("GET", "/nothing", 404),
        ("GET", "", 404),
        ("GET", "/jobs/%FF", 400),
    ],
)
def test_paths_and_methods_that_are_none(scheduler, method, path, status):
    assert scheduler.ask(method, path)[0] == status


def test_a_body_that_is_too_large_is_refused_before_it_is_read(scheduler):
    assert scheduler.create("huge", notification={"text": "x" * 2_000_000})[0] == 413
    assert scheduler.create("x" * 100_000)[0] == 400


def test_a_large_job_that_fits_is_kept_whole(scheduler):
    parameters = {f"P{number}": {"value": "v" * 100} for number in range(5_000)}
    assert scheduler.create("large", parameters=parameters)[0] == 200

    assert len(scheduler.ask("GET", "/jobs/large")[1]["parameters"]) == 5_000


def test_of_many_requests_to_run_a_job_at_once_one_wins(start_server, tmp_path):
    scheduler = Scheduler(start_server().url)
    scheduler.create("contended")
    scheduler.ask("GET", "/jobs")  # the password is known now
    statuses = []

    def ask() -> None:
        statuses.append(scheduler.ask("POST", "/jobs/contended/run")[0])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    history = scheduler.ask("GET", "/jobs/contended/history")[1]
    assert statuses.count(200) == history["count"]
    runs = sorted((run["jobStartTime"], run.get("jobEndTime", "9")) for run in history["history"])
    assert all(before[1] <= after[0] for before, after in pairwise(runs))


def test_jobs_outlive_a_killed_server_and_what_ran_is_interrupted(start_server, tmp_path):
    db = str(tmp_path / "sim.db")
    first = start_server("--db", db)
    before = Scheduler(first.url)
    before.create("kept")
    before.ask("POST", "/jobs/kept/run")
    first.stop(9)

    after = Scheduler(start_server("--db", db).url)

    deadline = time.monotonic() + 20
    while after.ask("GET", "/jobs/kept")[1]["status"] == "RUNNING":
        assert time.monotonic() < deadline
    status = after.ask("GET", "/jobs/kept/history/last")[1]["status"]
    assert status in ("INTERRUPTED", "STOPPED")  # on a slow machine the second may have passed before the kill


def test_raw_garbage_gets_an_answer_and_the_server_goes_on(scheduler):
    host, port = scheduler.host.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(b"POST " + BASE.encode() + b"/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n")
        assert raw.recv(100).split(b" ")[1] == b"400"

    assert scheduler.ask("GET", "/jobs")[0] == 200
