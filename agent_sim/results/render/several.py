"""Several runs on one page, as HTML that needs nothing else and as Markdown: a column for each."""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from agent_sim.results import wording
from agent_sim.results.render.markdown import escaped
from agent_sim.results.several import Cell, Several

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""No script at all."""


def render_several(found: Several) -> str:
    """The page."""
    return _template().render(found=found, said=sentence(found), policy=POLICY, css=Markup(_asset("report.css")))


def sentence(found: Several) -> str:
    """What the comparison came to."""
    held = f"{wording.counted(len(found.names) - 1, 'run')} held against {found.names[0]}"
    worse = wording.counted(found.worse, "figure") if found.worse else "nothing"
    return f"{held}: {worse} worse by more than {wording.share(found.tolerance)}"


def markdown_several(found: Several) -> str:
    """The same as Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Several) -> Iterator[str]:
    yield "## agent-sim · runs compared"
    yield ""
    yield f"{escaped(sentence(found))}."
    yield ""
    yield f"| | {' | '.join(map(escaped, found.names))} |"
    yield f"| --- |{' ---: |' * len(found.names)}"
    yield f"| verdict | {' | '.join(map(escaped, found.verdicts))} |"
    for line in found.lines:
        cells = (f"**{escaped(told(cell))}**" if cell.is_worse else escaped(told(cell)) for cell in line.cells)
        yield f"| {escaped(line.name)} | {' | '.join(cells)} |"
    if found.differences:
        yield ""
        yield from (f"- not alike: {escaped(each)}" for each in found.differences)


def told(cell: Cell) -> str:
    """A cell in words: the figure and how it changed, if that can be seen."""
    return (
        cell.text if cell.change is None or abs(cell.change) < 0.0005 else f"{cell.text} ({cell.change * 100:+.1f} %)"
    )


@cache
def _asset(name: str) -> str:
    return resources.files("agent_sim.results.render").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"visible": wording.visible, "told": told}
    return made.from_string(_asset("several.html.jinja"))
