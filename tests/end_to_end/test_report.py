"""The report in a real browser: what is drawn, in both themes, on a wide screen and a phone; no serious axe finding."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from agent_sim.results.checks import Checks, InvariantCheck, Threshold
from agent_sim.results.compare import Figure, Quantity, Side
from agent_sim.results.journal import FaultArmed, FaultOver
from agent_sim.results.judge import judge
from agent_sim.results.render.html import render_html
from agent_sim.results.render.several import render_several
from agent_sim.results.several import several
from agent_sim.results.summary import summarise
from tests.end_to_end.pages import PATIENCE, browser
from tests.results.demo import HOSTILE, demo_journal

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE)

CHECKS = Checks(
    (Threshold("latency", {"op": "complete"}, "p95", maximum=0.02, text="latency{op=complete} p95 <= 20ms"),),
    (InvariantCheck("no_lost_jobs"), InvariantCheck("at_most_once")),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as made:
        yield made


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    *lines, end = demo_journal(hostile=True)
    armed = (FaultArmed(10.0, "slow-fra", 0, 20.0, 3), FaultOver(20.0, "slow-fra", 0, 10.0, 7, ("agent-1",)))
    summary = summarise([*lines, *armed, end])
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(
        render_html(
            summary,
            judge(summary, CHECKS),
            scenario=f"name: {HOSTILE}\n",
            environment={"cores": "2", "fleet_cpu_seconds": "12.3"},
            command="agent-sim run demo",
            replay="agent-sim replay demo",
        ),
        encoding="utf-8",
    )
    return path


def opened(chromium: Browser, report: Path, theme: str, width: int = 1280) -> tuple[Page, list[str]]:
    """The report in a window, and what went wrong in it: errors, and requests for anything but the file."""
    window = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    window.set_default_timeout(PATIENCE)
    page = window.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: wrong.append(request.url) if request.url != report.as_uri() else None)
    page.goto(report.as_uri())
    page.locator(".uplot").first.wait_for()
    return page, wrong


def colours(page: Page, place: str) -> int:
    """How many different colours the canvas at a place shows."""
    script = """(canvas) => {
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, seen = new Set();
        for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add(data.slice(i, i + 4).join());
        return seen.size;
    }"""
    return int(page.locator(f"{place} canvas").first.evaluate(script))


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_everything_is_drawn_nothing_is_fetched_and_axe_finds_nothing_serious(
    chromium: Browser, report: Path, theme: str, width: int
) -> None:
    page, wrong = opened(chromium, report, theme, width)

    assert page.locator(".uplot").count() == page.locator("[data-panel], [data-heat]").count() > 8
    assert colours(page, "[data-panel='0']") > 5
    assert colours(page, "[data-heat]") > 5
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # only tables scroll sideways
    found = Axe().run(page)
    serious = [each for each in found.response["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious] == []
    assert wrong == []
    page.context.close()


def test_the_heat_map_of_one_operation_can_be_chosen_and_read(chromium: Browser, report: Path) -> None:
    page, wrong = opened(chromium, report, "light")
    page.get_by_label("of", exact=True).select_option("complete")
    page.locator("[data-heat] .u-over").hover()

    expect(page.locator(".told")).to_have_text(re.compile(r"\d+:\d\d: [\d,]+ requests took .+"))
    assert wrong == []
    page.context.close()


def test_a_listed_run_opens_to_its_timeline_by_keyboard(chromium: Browser, report: Path) -> None:
    page, wrong = opened(chromium, report, "light")
    run = page.locator("#listed details").first
    run.locator("summary").focus()
    page.keyboard.press("Enter")

    expect(run.locator("li").first).to_contain_text("operator: posted by work")
    assert wrong == []
    page.context.close()


def test_a_page_about_several_runs_fits_and_axe_finds_nothing_serious(chromium: Browser, tmp_path: Path) -> None:
    held = Quantity(lambda value: f"{value:.0f} ms", "less", 0.0)
    sides = [
        Side(
            f"20260102T030405Z-run-{number}", "finished", {}, {"heartbeat p50": Figure(held, 10.0 + number)}, {}, "PASS"
        )
        for number in range(4)
    ]
    path = tmp_path / "several.html"
    path.write_text(render_several(several(sides, 0.1)), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page.goto(path.as_uri())

    found = Axe().run(page)
    assert [each["id"] for each in found.response["violations"] if each["impact"] in ("serious", "critical")] == []
    assert page.locator(".scroll").evaluate("(box) => box.scrollWidth <= box.clientWidth")
    expect(page.locator("td.bad")).to_have_text(["12 ms (+20.0 %) worse", "13 ms (+30.0 %) worse"])
    page.close()
