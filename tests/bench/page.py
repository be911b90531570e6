"""The page in front of a busy server: first paint and updates at 10,000 agents, memory after an hour's worth of events.

`python -m tests.bench.page` drives Debian's Chromium against a server in this process, its database filled with
10,000 agents of which 1,000 jobs end in each of 60 rounds while the page is open. A round is what the page is told in
one message, so an hour's worth is 3,600 of them: they are sent as fast as the page takes them, through the same code.
Prints medians and the heap after garbage collection; axe's findings of every view, in both themes, stand at the end.
"""

import argparse
import json
import statistics
import time
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from agent_sim.instants import SECOND
from tests.bench.figures import Bound, Figure, tell
from tests.bench.quiet import Watch
from tests.end_to_end.pages import Site, browser, opened, sign_in
from tests.end_to_end.test_page import with_failures
from tests.server.bench import Bench

AGENTS: Final = 10_000
PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
VIEWS: Final = ("Overview", "Agents", "Job history", "Scheduled jobs")
FED: Final = """
(count) => {
  const feed = window.__feed;
  let took = [];
  for (let number = 0; number < count; number++) {
    const picture = window.__made(number);
    const began = performance.now();
    feed.dispatchEvent(new MessageEvent("tick", { data: JSON.stringify(picture) }));
    took.push(performance.now() - began);
  }
  return took;
}
"""
HOOK: Final = """
const Real = window.EventSource;
window.EventSource = function (...given) { const made = new Real(...given); window.__feed = made; return made; };
window.EventSource.CLOSED = Real.CLOSED;
"""
MADE: Final = """
window.__made = (number) => {
  const picture = structuredClone(JSON.parse(document.getElementById("start").textContent).picture);
  const at = Math.floor(Date.now() / 1000) + number;
  picture.at = at * 1000;
  const kinds = { started: 1000, success: 850, warning: 50, failure: 100, will_retry: 0 };
  const told = { rescheduled: 20, acknowledged: 30, unscheduled: 0 };
  picture.steps = [{ at, ...kinds, ...told }];
  picture.jobs = { waiting: 1000 + (number % 97), running: number % 53 };
  picture.open.failures = number * 100;
  for (const run of picture.recent) { run.id += number * 1000; run.at = at * 1000; }
  return picture;
};
"""


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--agents", type=int, default=AGENTS)
    asked.add_argument("--seconds", type=int, default=3600, help="messages of the live feed, one a second")
    asked.add_argument("--loads", type=int, default=5)
    options = asked.parse_args()
    with Watch() as watch, Site(retries=0).running() as site, browser() as chromium:
        site.do(lambda bench: fleet(bench, options.agents))
        figures = paints(chromium, site, options.loads, options.agents) + updates(chromium, site, options.seconds)
        found = barriers(chromium, site)
    tell("page", figures, watch.share)
    for where, what in found.items():
        print(f"axe, {where}: {json.dumps(what)}")
    clean = sum(not what for what in found.values()) / len(found)
    tell("page-barriers", [Figure("views in two themes in which axe finds nothing", [clean], "", Bound(1, 1))], None)


def fleet(bench: Bench, agents: int) -> None:
    """Many agents, and some runs to look at."""
    with_failures(bench)
    for number in range(agents):
        bench.register(f"agentsim-big-{'abcde'[number % 5]}-{number:05d}", abilities=("Custom.FetchLogs",))
    session = bench.register("web-00001")
    for _ in range(50):
        bench.now += SECOND // 100
        bench.run(session, bench.schedule(machine="web-00001"))


def paints(chromium: Browser, site: Site, loads: int, agents: int) -> list[Figure]:
    """From the request to the first paint, and until the listing of all agents stands."""
    painted, listed = [], []
    for _ in range(loads):
        with opened(chromium, site) as page:
            sign_in(page, site)
            painted.append(found(page, PAINT))
            began = time.perf_counter()
            page.get_by_role("tab", name="Agents").click()
            page.locator("#agents tbody tr").nth(49).wait_for()
            listed.append((time.perf_counter() - began) * 1000)
    return [
        Figure(f"first paint at {agents:,} agents", painted, "ms"),
        Figure("the list of all agents", listed, "ms"),
    ]


def updates(chromium: Browser, site: Site, seconds: int) -> list[Figure]:
    """What a message costs the page, and what the page weighs after so many."""
    with opened(chromium, site) as page:
        page.add_init_script(HOOK)
        sign_in(page, site)
        page.evaluate(MADE)
        found(page, "window.__feed?.readyState")
        page.evaluate(FED, 60)
        before, nodes = weight(page)
        took = sorted(one for _ in range(seconds // 60) for one in page.evaluate(FED, 60))
        after, more = weight(page)
    return [
        Figure("one update, median", [statistics.median(took)], "ms"),
        Figure("one update, p95", [took[len(took) * 95 // 100]], "ms"),
        Figure("heap before", [before], "MB"),
        Figure(f"heap after {len(took):,} messages of 1,000 events", [after], "MB"),
        Figure("nodes in the document before", [nodes]),
        Figure("nodes in the document after", [more]),
    ]


def found(page: Page, what: str) -> float:
    """A number of the page's, once it is there; its policy lets nobody evaluate text in it again and again."""
    while (number := page.evaluate(what)) is None:
        time.sleep(0.02)
    return float(number)


def weight(page: Page) -> tuple[float, int]:
    """Megabytes of heap after a collection, and how many nodes the document holds."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    return used / 1e6, page.evaluate("document.querySelectorAll('*').length")


def barriers(chromium: Browser, site: Site) -> dict[str, dict[str, str]]:
    """All that axe finds, serious or not, by theme and view."""
    found: dict[str, dict[str, str]] = {}
    for scheme in ("light", "dark"):
        with opened(chromium, site, color_scheme=scheme) as page:
            sign_in(page, site)
            for name in VIEWS:
                page.get_by_role("tab", name=name).click()
                page.wait_for_timeout(500)
                seen = {each["id"]: each["impact"] for each in Axe().run(page).response["violations"]}
                found[f"{name}, {scheme}"] = seen
    return found


if __name__ == "__main__":
    main()
