import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from agent_sim.protocol.enums import Result
from agent_sim.results.checks import Checks, InvariantCheck, Threshold
from agent_sim.results.journal import FaultArmed, FaultOver, StormEnded, StormStarted
from agent_sim.results.judge import judge
from agent_sim.results.render.html import UNKNOWN, because, render_html, safe_json
from agent_sim.results.summary import Summary, summarise
from agent_sim.results.timeline import LIMIT
from agent_sim.results.verdict import Verdict
from agent_sim.storms.taxonomy import ErrorKind, Outcome, outcome_of
from tests.results.demo import HOSTILE, demo_journal
from tests.results.journals import done_job, ended, started, storm, storm_result, traffic

CHECKS = Checks(
    (Threshold("latency", {"op": "complete"}, "p95", maximum=0.25, text="latency{op=complete} p95 <= 250ms"),),
    (InvariantCheck("no_lost_jobs"), InvariantCheck("at_most_once")),
)


class Page(HTMLParser):
    """Elements with their attributes, the text of scripts, and all other text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data


def report(summary: Summary, **arguments) -> str:
    return render_html(summary, judge(summary, CHECKS), **arguments)


@pytest.fixture(scope="module")
def hostile() -> str:
    lines = demo_journal(hostile=True)
    name = f"s{HOSTILE}"
    lines += [StormStarted(5.0, name, HOSTILE), StormEnded(9.0, name, {**storm_result(), "stopped": HOSTILE})]
    return report(
        summarise(lines),
        scenario=f"name: {HOSTILE}\n</pre></code>",
        environment={HOSTILE: HOSTILE},
        command=f"agent-sim run '{HOSTILE}'",
        replay=f"agent-sim replay '{HOSTILE}'",
    )


# --- hostile names ----------------------------------------------------------------------------


def test_hostile_names_are_shown_as_text(hostile):
    page = Page(hostile)

    assert HOSTILE not in hostile
    assert page.text.count(HOSTILE) > 20
    assert [attrs.get("type") for tag, attrs in page.elements if tag == "script"] == ["application/json", None, None]


def test_faults_have_their_stretches_above_the_charts_and_say_what_they_met():
    lines = [started(), traffic(t=5.0), *faulted("slow"), ended(60.0)]

    page = Page(report(summarise(lines)))

    [bar] = [attrs for tag, attrs in page.elements if attrs.get("class") == "fault"]
    assert bar["style"] == "left: 16.667%; width: 16.667%"
    assert "fault slow: armed 1 time, met 7 requests of 1 agent" in page.text


def test_a_hostile_name_of_a_fault_is_text():
    page = Page(report(summarise([started(), traffic(t=5.0), *faulted(HOSTILE), ended(60.0)])))

    assert len(page.scripts) == 3
    assert not [attrs for _, attrs in page.elements if "onerror" in attrs]


def faulted(name):
    return (FaultArmed(10.0, name, 0, 20.0, 3), FaultOver(20.0, name, 0, 10.0, 7, ("agent-1",)))


def test_no_element_handles_events(hostile):
    assert not [name for _, attrs in Page(hostile).elements for name in attrs if name.startswith("on")]


def test_only_the_scripts_that_the_policy_names_can_run(hostile):
    page = Page(hostile)
    [policy] = [a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv")]

    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts[1:]]

    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}'; style-src 'unsafe-inline';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_chart_data_is_the_same_after_all_escaping(hostile):
    data = json.loads(Page(hostile).scripts[0])

    assert any(HOSTILE in each["name"] for each in data["storms"])


@pytest.mark.parametrize("text", ["</script>", "<!--", "&lt;", "\u2028\u2029", "]]>", "'\"\\"])
def test_no_text_can_leave_its_place_in_a_script(text):
    made = safe_json({text: text})

    assert not set("<>&\u2028\u2029") & set(made)
    assert json.loads(made) == {text: text}


# --- one file ---------------------------------------------------------------------------------


def test_the_report_needs_no_other_file():
    page = Page(report(summarise(demo_journal())))

    loading = {"src", "href", "srcset", "data", "action", "poster"}
    links = [value or "" for _, attrs in page.elements for name, value in attrs.items() if name in loading]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.elements}


def test_every_section_that_the_menu_names_is_there():
    page = Page(report(summarise(demo_journal())))

    anchors = {attrs["href"] for tag, attrs in page.elements if tag == "a"}
    assert anchors == {f"#{attrs['id']}" for tag, attrs in page.elements if tag == "section"}


def test_a_long_run_is_still_a_small_file():
    operations = ["register", "heartbeat", "configure", "upload", "complete", "operator"]
    lines = [traffic(name, t=t, ok=9, milliseconds=t % 977) for t in range(0, 20 * LIMIT, 7) for name in operations]

    assert len(report(summarise([started(), *lines, ended(20.0 * LIMIT)])).encode()) < 1_000_000


def test_vendored_files_come_with_licence_and_version():
    folder = resources.files("agent_sim.results.render").joinpath("vendor/uplot")

    assert "MIT License" in folder.joinpath("LICENSE").read_text()
    version = re.search(r"uPlot (\S+)", folder.joinpath("VERSION").read_text())
    assert version
    assert f"(v{version[1]})" in folder.joinpath("uPlot.iife.min.js").read_text(encoding="utf-8")


# --- what it says -----------------------------------------------------------------------------


def test_the_verdict_comes_first_then_checks_then_figures():
    text = Page(report(summarise([started(), *done_job(), traffic("complete", ok=300), *storm(), ended()]))).text

    places = [text.index(word) for word in ("PASS", "All 4 checks held.", "p95 10.0 ms of 300 requests", "20.0/s")]
    assert places == sorted(places)


def test_a_broken_check_names_its_jobs():
    lines = [line for line in done_job() if type(line).__name__ != "ServerRun"]
    text = Page(report(summarise([started(), *lines, *done_job(2), ended()]))).text

    assert "FAIL" in text
    assert "job-1" in text


def test_it_tells_how_to_run_it_again_and_where_it_ran():
    summary = summarise([started(), *done_job(), ended()])

    text = Page(
        report(summary, scenario="name: small\n", environment={"cores": "2"}, command="agent-sim run s.yaml")
    ).text

    assert all(each in text for each in ("agent-sim run s.yaml", summary.outcome_digest, "cores", "name: small"))


def test_a_run_of_nothing_has_a_report_with_empty_states():
    text = Page(render_html(summarise([]), ())).text

    for said in ("No request ended.", "No job was posted or run.", "No request failed.", "No storm ran.", "no check"):
        assert said in text


SENTENCES = [
    (["kept"], "1 check held."),
    (["kept", "held"], "All 2 checks held."),
    (["kept", "broken", "broken"], "2 of 3 checks are broken."),
    (["broken", "unknown"], "1 of 2 checks is broken; 1 of 2 checks could not be decided."),
    ([], "No check was asked for."),
]


@pytest.mark.parametrize(("answers", "said"), SENTENCES)
def test_the_verdict_comes_with_its_reason(answers, said):
    assert because([Verdict("invariant", "x", answer, "") for answer in answers]) == said


def test_warnings_are_counted_apart():
    verdicts = [Verdict("invariant", "x", "kept", ""), Verdict("run", "y", "unknown", "", warn_only=True)]

    assert because(verdicts) == "1 check held, with 1 warning."


def test_what_an_error_means_is_what_storms_take_it_for():
    unknown = {kind.value for kind in ErrorKind if outcome_of(kind) is Outcome.UNKNOWN}

    assert unknown == UNKNOWN


def test_outcomes_are_told_by_fleet_and_type():
    page = Page(report(summarise([started(), *done_job(), *done_job(2, Result.FAILURE), ended()])))

    [mix] = [
        a["aria-label"] for _, a in page.elements if a.get("class") == "mix" and "failure" in (a["aria-label"] or "")
    ][1:]
    assert mix == "success 50.0 % failure 50.0 % "


def test_a_listed_run_opens_to_its_timeline():
    text = Page(report(summarise([started(), *done_job(), ended()]))).text

    assert "operator: posted by fetch" in text
    assert "agent: completed: success" in text


def test_generators_say_whether_they_kept_up():
    lines = [started(), traffic("complete", ok=300), *storm(generator__saturated=True), ended()]

    text = Page(report(summarise(lines), environment={"fleet_cpu_seconds": "58.0"})).text

    assert "saturated: latencies are void" in text
    assert "short of processor time" in text


def test_a_storm_of_several_steps_shows_each():
    step = {
        "begins": 0.0, "seconds": 5.0, "warm_up": True, "from_rate": 10.0, "to_rate": 20.0, "planned": 75,
        "started": 75, "dropped": 1, "late_starts": 0, "completed": 74, "ids": 740, "errors": {},
        "response": storm_result()["response"], "service": storm_result()["service"],
        "in_flight_mean": 1.5, "in_flight_max": 4, "little": 0.99, "apdex": None,
    }  # fmt: skip
    lines = storm(steps=[step, {**step, "warm_up": False, "from_rate": 20.0, "apdex": 0.97, "little": None}])

    text = Page(report(summarise([started(), *lines, ended()]))).text

    assert "2 steps" in text
    assert "10.0/s to 20.0/s (warm-up)" in text
    assert "0.97" in text


def test_checks_that_do_not_hold_come_first_in_their_group():
    lines = [line for line in done_job() if type(line).__name__ != "ServerRun"]
    checks = Checks(invariants=(InvariantCheck("at_most_once"), InvariantCheck("no_lost_jobs")))
    summary = summarise([started(), *lines, *done_job(2), ended()])
    verdicts = judge(summary, checks)

    text = Page(render_html(summary, verdicts)).text

    assert [verdict.answer for verdict in verdicts] == ["kept", "broken"]
    assert text.index("no_lost_jobs") < text.index("at_most_once")


def test_thousands_of_short_windows_of_a_fault_do_not_make_the_file_grow():
    day = 86_400.0
    windows = [line for t in range(10, 86_000, 20) for line in blink(float(t), t)]

    html = report(summarise([started(), traffic(t=5.0), *windows, ended(day)]))

    assert html.count('class="fault"') < 600


def blink(t, window):
    return FaultArmed(t, "blink", window, t + 1, 1), FaultOver(t + 1, "blink", window, t, 1, ("agent-1",))


def test_a_huge_scenario_is_cut_and_says_so():
    text = Page(report(summarise([started(), ended()]), scenario="x: 1\n" * 200_000)).text

    assert "cut here: the whole of it is in scenario.resolved.yaml" in text
    assert len(text) < 500_000


# --- colours ----------------------------------------------------------------------------------


def themes() -> dict[str, dict[str, str]]:
    css = resources.files("agent_sim.results.render").joinpath("report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, re.S)
    read = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})(?=;)", block))
        for name, block in [("light", light), ("dark", dark)]
    }
    assert set(read["light"]) == set(read["dark"])
    return read


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TEXT_PAIRS = [
    *[(ink, ground) for ink in ("text", "muted") for ground in ("paper", "card", "soft")],
    *[(ink, f"{tone}-soft") for tone in ("good", "warn", "bad") for ink in ("text", "muted", tone)],
    ("link", "paper"),
    ("bad", "card"),
    ("storm-text", "card"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_PAIRS)
def test_text_can_be_read_in_both_themes(theme, ink, ground):
    tokens = themes()[theme]

    assert contrast(tokens[ink], tokens[ground]) >= 4.5  # WCAG AA


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("series", range(1, 10))
def test_lines_of_charts_can_be_seen_in_both_themes(theme, series):
    tokens = themes()[theme]

    assert contrast(tokens[f"series-{series}"], tokens["card"]) >= 3  # WCAG AA for graphics
