"""The page in a real browser: everything that can be pressed, seen to have its effect on the server."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from agent_sim.protocol import command
from agent_sim.protocol.agent import Session
from agent_sim.protocol.enums import Result, Status
from agent_sim.server.web.controls import Control, ControlKind
from tests.end_to_end.pages import PATIENCE, Site, browser, opened, sign_in
from tests.server.bench import OPERATOR, Bench

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE)
EVIL = "<img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as made:
        yield made


class Buttons:
    """A demo's controls."""

    def __init__(self) -> None:
        self.running: set[str] = set()

    def listed(self) -> tuple[Control, ...]:
        return (Control("fault", "slow-fra", "latency 800 ms", is_running="slow-fra" in self.running),)

    def story(self) -> str:
        return "shz is slow: watch it."

    def start(self, kind: ControlKind, name: str) -> None:
        self.running.add(name)

    def stop(self, kind: ControlKind, name: str) -> None:
        self.running.remove(name)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(retries=0).running() as made:
        yield made


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    with opened(chromium, site) as made:
        yield made


def with_failures(bench: Bench) -> Session:
    """An agent with two failed management runs and a log."""
    session = bench.register("web-00001")
    stores = [bench.new_store(path, "web-00001").id for path in ("/a.pem", "/b.pem")]
    bench.failed_management(session, *stores)
    job = bench.schedule("FetchLogs", machine="web-00001")
    configured = bench.configure(session, job)
    bench.complete(session, job, configured.audit_id, log="the last words of a log")
    return session


# --- signing in -----------------------------------------------------------------------------------


def test_nobody_sees_anything_before_signing_in_and_a_wrong_password_is_said(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/")
    expect(page).to_have_url(f"{site.address}/ui/sign-in")
    page.get_by_label("User name").fill("operator")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_have_text("The user name or password is wrong.")
    expect(page.get_by_label("User name")).to_have_value("operator")
    page.get_by_label("Password").fill("secret-1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("tab", name="Overview")).to_be_visible()


def test_a_link_signs_in_once(page: Page, site: Site) -> None:
    link = f"{site.address}/ui/sign-in?link={site.browsers.link(OPERATOR)}"
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("tab", name="Overview")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("User name")).to_be_visible()

    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("was used or is too old")


# --- jobs -----------------------------------------------------------------------------------------


def test_failed_jobs_are_rescheduled_and_acknowledged_and_the_count_drops(page: Page, site: Site) -> None:
    site.do(with_failures)
    sign_in(page, site)
    tab = page.get_by_role("tab", name="Job history")
    expect(tab).to_contain_text("2")
    tab.click()
    view = page.locator("#history")
    view.get_by_role("button", name="Can be rescheduled").click()
    expect(view.get_by_text("2 in all")).to_be_visible()
    view.get_by_label("Select all on this page").check()
    view.get_by_role("button", name="Reschedule", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("First cure what made them fail")
    page.get_by_role("dialog").get_by_role("button", name="Reschedule").click()
    expect(page.get_by_text("2 jobs: queued again.")).to_be_visible()
    assert len(site.do(lambda bench: bench.scheduled())) == 2

    view.get_by_role("button", name="Not acknowledged").click()
    view.get_by_role("button", name="Choose all 2 that match").click()
    view.get_by_role("button", name="Acknowledge", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()

    expect(tab).to_contain_text("0")
    failures = site.do(lambda bench: bench.history("Result -eq 4"))
    assert {run.status for run in failures} == {Status.ACKNOWLEDGED}


def test_what_the_server_refuses_is_shown_where_it_was_asked(page: Page, site: Site) -> None:
    site.do(with_failures)
    sign_in(page, site)
    page.get_by_role("tab", name="Job history").click()
    view = page.locator("#history")
    view.get_by_label("Select all on this page").check()
    view.get_by_role("button", name="Acknowledge", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Acknowledge").click()

    expect(dialog.get_by_role("alert")).to_contain_text("3")  # the log fetch that succeeded
    assert {run.status for run in site.do(lambda bench: bench.history())} == {Status.COMPLETED}


def test_waiting_jobs_are_unscheduled(page: Page, site: Site) -> None:
    site.do(with_failures)
    site.do(lambda bench: bench.schedule("FetchLogs", machine="web-00001"))
    sign_in(page, site)
    page.get_by_role("tab", name="Scheduled jobs").click()
    view = page.locator("#scheduled")
    view.get_by_label("Select all on this page").check()
    view.get_by_role("button", name="Unschedule").click()
    page.get_by_role("dialog").get_by_role("button", name="Unschedule").click()

    expect(view.get_by_text("No job waits.")).to_be_visible()
    assert site.do(lambda bench: bench.scheduled()) == []


def test_a_job_and_its_log_can_be_read_and_saved(page: Page, site: Site) -> None:
    site.do(with_failures)
    sign_in(page, site)
    page.get_by_role("tab", name="Job history").click()
    page.locator("#history").get_by_role("button", name="3", exact=True).click()
    dialog = page.get_by_role("dialog")

    expect(dialog.get_by_text("the last words of a log")).to_be_visible()
    with page.expect_download() as saved:
        dialog.get_by_role("link", name="Download").click()
    assert saved.value.path().read_text() == "the last words of a log"


# --- queries --------------------------------------------------------------------------------------


def test_a_query_is_completed_and_its_error_has_a_place(page: Page, site: Site) -> None:
    sign_in(page, site)
    page.get_by_role("tab", name="Job history").click()
    query = page.locator("#history").get_by_role("combobox")
    query.press_sequentially("Resu")
    query.press("ArrowDown")
    query.press("Enter")
    expect(query).to_have_value("Result ")
    query.press_sequentially("-eq Fail")
    query.press("ArrowDown")
    query.press("Enter")
    expect(query).to_have_value("Result -eq Failure ")
    query.press("Enter")
    expect(page.get_by_text("Nothing matches this query.")).to_be_visible()

    query.fill("Result -eq banana")
    query.press("Enter")

    problem = page.locator("#history").get_by_role("alert")
    expect(problem).to_contain_text("expected one of Unknown, InProcess")
    assert problem.text_content().splitlines()[1].index("▲") == len("Result -eq ")


def test_texts_from_agents_and_queries_are_never_run(page: Page, site: Site) -> None:
    def hostile(bench: Bench) -> None:
        session = bench.register(EVIL)
        job = bench.schedule("FetchLogs", machine=EVIL)
        bench.run(session, job, Result.FAILURE, message=EVIL)

    site.do(hostile)
    sign_in(page, site)
    expect(page.locator("#recent")).to_contain_text(EVIL)
    for name in ("Agents", "Job history", "Scheduled jobs"):
        page.get_by_role("tab", name=name).click()
    page.get_by_role("tab", name="Job history").click()
    page.locator("#history").get_by_role("combobox").fill(f'Message -eq "{EVIL}" AND {EVIL}')
    page.locator("#history").get_by_role("button", name="Search").click()
    expect(page.locator("#history").get_by_role("alert")).to_contain_text("<img")

    assert page.title() == "agent-sim"
    assert page.locator("main img").count() == 0


# --- agents ---------------------------------------------------------------------------------------


def test_agents_are_approved_given_work_and_looked_at(page: Page, site: Site) -> None:
    site.do(lambda bench: bench.new_type("Rotate", command.JobTypeField("Reason", 1, None, True)))
    site.do(lambda bench: bench.register("web-00001"))
    sign_in(page, site)
    page.get_by_role("tab", name="Agents").click()
    view = page.locator("#agents")
    view.get_by_label("Select all on this page").check()
    view.get_by_role("button", name="Disapprove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Disapprove").click()
    expect(view.get_by_text("✕ Disapproved")).to_be_visible()
    view.get_by_label("Select all on this page").check()
    view.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(view.get_by_text("✓ Approved")).to_be_visible()

    view.get_by_label("Select all on this page").check()
    view.get_by_role("button", name="Schedule a job").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=type]").select_option("Rotate")
    dialog.locator("[name=when]").select_option("Weekly")
    dialog.get_by_role("button", name="Schedule").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Reason")
    dialog.get_by_label("Reason (required)").fill("because")
    dialog.get_by_role("button", name="Schedule").click()
    expect(page.get_by_text("1 of 1 agents were given the job.")).to_be_visible()
    view.get_by_role("button", name="web-00001").click()
    page.get_by_role("dialog").get_by_role("button", name="Fetch logs").click()
    expect(page.get_by_text("A log fetch waits for web-00001.")).to_be_visible()

    assert sorted(job.job_type for job in site.do(lambda bench: bench.scheduled())) == ["FetchLogs", "Rotate"]


# --- live -----------------------------------------------------------------------------------------


def test_what_happens_is_seen_without_reloading(page: Page, site: Site) -> None:
    sign_in(page, site)
    expect(page.locator("[data-value=agents]")).to_have_text("0")
    session = site.do(with_failures)

    expect(page.locator("[data-value=online]")).to_have_text("1")
    expect(page.locator("#sites")).to_contain_text("web")
    expect(page.locator("[data-value=failures]")).to_have_text("2")
    site.do(lambda bench: bench.run(session, bench.schedule(machine="web-00001"), Result.WARNING))
    expect(page.locator("#recent")).to_contain_text("Warning")


def test_a_server_that_was_restarted_asks_to_sign_in_again(page: Page, site: Site) -> None:
    sign_in(page, site)
    expect(page.locator("#live")).to_have_text("live")
    site.restart()

    expect(page.locator("#banner")).to_contain_text("You are signed out")


def test_a_demo_has_buttons_for_its_faults(chromium: Browser) -> None:
    buttons = Buttons()
    with Site(buttons).running() as site, opened(chromium, site) as page:
        sign_in(page, site)
        expect(page.locator("#story")).to_have_text("shz is slow: watch it.")
        page.get_by_role("button", name="Arm", exact=True).click()
        expect(page.get_by_role("button", name="Disarm")).to_be_visible()
        assert buttons.running == {"slow-fra"}
        page.get_by_role("button", name="Disarm").click()
        expect(page.get_by_role("button", name="Arm", exact=True)).to_be_visible()


def test_ten_thousand_agents_neither_freeze_nor_grow_the_page(page: Page, site: Site) -> None:
    def fleet(bench: Bench) -> None:
        for number in range(10_000):
            bench.register(f"agentsim-big-{'abc'[number % 3]}-{number:05d}", abilities=("Custom.FetchLogs",))

    site.do(fleet)
    sign_in(page, site)

    expect(page.locator("[data-value=online]")).to_have_text("10,000")
    expect(page.locator("#sites tr")).to_have_count(3)
    page.get_by_role("tab", name="Agents").click()
    expect(page.locator("#agents tbody tr")).to_have_count(50)
    expect(page.get_by_text("10,000 in all, page 1 of 200")).to_be_visible()


# --- for everybody --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_serious_barrier(chromium: Browser, site: Site, scheme: str) -> None:
    site.do(with_failures)
    with opened(chromium, site, color_scheme=scheme) as page:
        page.goto(f"{site.address}/")
        found = [("sign-in", each) for each in _barriers(page)]
        sign_in(page, site)
        for name in ("Overview", "Agents", "Job history", "Scheduled jobs"):
            page.get_by_role("tab", name=name).click()
            if name != "Overview":
                page.locator("[role=tabpanel]:visible tbody tr").first.wait_for()
            found += [(name, each) for each in _barriers(page)]

        assert found == []


def _barriers(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in violations
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_the_page_is_worked_by_keyboard_alone(page: Page, site: Site) -> None:
    site.do(with_failures)
    sign_in(page, site)
    page.get_by_role("tab", name="Overview").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")

    expect(page.get_by_role("tab", name="Job history")).to_be_focused()
    expect(page.locator("#history")).to_be_visible()


def test_it_fits_a_phone(chromium: Browser, site: Site) -> None:
    site.do(with_failures)
    with opened(chromium, site) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        sign_in(page, site)
        for name in ("Overview", "Agents", "Job history", "Scheduled jobs"):
            page.get_by_role("tab", name=name).click()
            expect(
                page.locator(f"#{ {'Job history': 'history', 'Scheduled jobs': 'scheduled'}.get(name, name.lower()) }")
            ).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
