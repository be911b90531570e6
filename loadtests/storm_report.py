"""What a person reads: the lines before a storm, and its one-row table and verdict after it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent_sim.histogram import Histogram
from agent_sim.results.verdict import Verdict
from agent_sim.storms.budget import budget
from agent_sim.storms.kinds import WORDS
from agent_sim.storms.meter import SeriesEntry
from agent_sim.storms.oig import OigStorm
from agent_sim.storms.operations import StormOperation
from agent_sim.storms.plan import StormPlan
from agent_sim.storms.pool import Harvest
from agent_sim.storms.result import StormResult, verdict
from agent_sim.storms.taxonomy import ErrorKind

_WIDE = 160
_PERCENTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


def say(line: str) -> None:
    """One line to standard output, at once."""
    print(line, flush=True)


def announce(
    plan: StormPlan,
    operation: StormOperation | OigStorm,
    found: Harvest,
    users: int | None,
    query: str,
    *,
    is_search: bool,
) -> None:
    """What the storm takes, what it has and what will count, before the first request."""
    say(f"{operation.name} takes {operation.accepts}; counted as done when {operation.means}")
    left_out = f"{found.out_of_scope:,} out of scope, {found.ineligible:,} not eligible"
    what = "jobs" if isinstance(operation, OigStorm) else "ids of machines"
    say(f"pool: {len(found.tokens):,} {what} {plan.prefix or '(all)'}*; left out: {left_out}")
    if plan.by == "query":
        say(f"query: {query}")
    elif isinstance(operation, StormOperation) and operation.creates:
        say("each request makes jobs of its own: no id is used up")
    elif plan.kind == "hot":
        say(f"hot: all requests are about {min(plan.hot, len(found.tokens)):,} ids, which nobody uses up")
    elif is_search:
        say(f"ids: {len(found.tokens):,} eligible; every trial of the search uses some up, and without ids it ends")
    elif users is None:
        say(budget(plan, len(found.tokens)).sentence())
    if plan.kind != "plain":
        say(f"{plan.kind}: {WORDS[plan.kind]}")
    if users is not None:
        say(f"closed loop of {users} users: latencies are service times, not what arrivals would see")


def progress(entry: SeriesEntry) -> None:
    """A second of the storm, for the process that drives it."""
    say(f"progress {json.dumps(entry)}")


def write(result: StormResult, file: Path) -> None:
    """The result as a JSON file; complete or not there."""
    write_text(json.dumps(result, indent=1), file)


def write_text(text: str, file: Path) -> None:
    """A file that is complete or not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.part")
    unfinished.write_text(f"{text}\n", encoding="utf-8")
    unfinished.replace(file)


def show(result: StormResult, said: Mapping[ErrorKind, str], *, could_read: bool) -> None:
    """The table and what needs saying below it."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(_table(result))
    for kind, words in said.items():
        console.print(f"{kind}: {words}", markup=False)
    for example in result["reconciliation"]["examples"]:
        console.print(f"{example['rule']}: id {example['id'] or 'all'}: {example['detail']}", markup=False)
    for rule in result["reconciliation"]["not_checkable"]:
        console.print(f"not checkable: {rule}", markup=False)
    if result["stopped"]:
        console.print(f"stopped: {result['stopped']}", markup=False)
    console.print(verdict(result, could_read=could_read), markup=False)


def show_thresholds(verdicts: Sequence[Verdict]) -> None:
    """A line for each threshold."""
    for each in verdicts:
        if each.kind == "threshold":
            say(f"threshold {each.name}: {each.answer.replace('_', ' ')}: {each.detail}")


def _table(result: StormResult) -> Table:
    response = Histogram.from_json(result["response"])
    ledger, compared = result["ledger"], result["reconciliation"]
    cells = {
        "storm": f"{result['operation']} ({result['model']})",
        "offered/s": f"{result['offered_rate']:.1f}",
        "achieved/s": f"{result['achieved_rate']:.1f}",
        "ids/s": f"{result['ids_per_second']:,.0f}",
        **{name: _percentile(response, q) for name, q in _PERCENTILES},
        "max": f"{response.max_us / 1000:.1f} ms",
        "errors": _errors(result),
        "sent/accepted/refused/unknown": "/".join(f"{count:,}" for count in ledger.values()),
        "no-op": f"{compared['no_op']:,}",
        "violations": f"{sum(compared['violations'].values()):,}",
    }
    table = Table(*cells)
    table.add_row(*cells.values())
    return table


def _percentile(histogram: Histogram, q: float) -> str:
    if not histogram.supports(q):
        return f"n/a (n={histogram.count})"
    return f"{histogram.percentile(q) / 1000:.1f} ms"


def _errors(result: StormResult) -> str:
    said = [f"{count} {kind}" for kind, count in result["errors"].items()]
    said += [f"{result['dropped']} dropped"] if result["dropped"] else []
    return ", ".join(said) or "0"
