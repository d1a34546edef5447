"""One self-contained HTML page: headings, sentences, tables and Plotly pictures, readable on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

STYLE = """
:root { color-scheme: light; --ink: #1c2733; --soft: #5b6b7b; --line: #dde3ea; --good: #1a7f4b; --bad: #b3261e; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 1rem 0 .2rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .4rem; border-bottom: 1px solid var(--line); }
p { margin: .4rem 0; } .lead, .says { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; overflow-wrap: normal; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
tr > :first-child { padding-left: 0; text-align: left !important; } th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
th.number, td.number { text-align: right; } td { white-space: nowrap; }
td.text { white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { th, td { padding: .25rem .4rem; } td.word { white-space: normal; min-width: 5.5rem; } td.text { min-width: 9rem; } }
.caption { font-weight: 600; margin: 1rem 0 0; } .plot { overflow: hidden; break-inside: avoid; }
@page { margin: 12mm; }
@media print {
  body { width: 60rem; padding: 0; zoom: .72; } h2, .caption { break-after: avoid; } tr { break-inside: avoid; }
  .wide { overflow: visible; } table { font-size: .85rem; } td { white-space: normal; } td.text { min-width: 9rem; }
}
"""
#: One colour for each class, everywhere.
COLOURS = {"short": "#c2410c", "neutral": "#94a3b8", "long": "#0f766e"}


def page(title: str, lead: str, sections: Iterable[tuple[str, Sequence[str]]], made_by: str = "barsmith") -> str:
    """The whole page. sections: (heading, HTML fragments as the functions below make them). made_by: see `is_made_by`."""
    from plotly.offline import get_plotlyjs

    body = "".join(f"<h2>{escape(heading)}</h2>{''.join(parts)}" for heading, parts in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{generator(made_by)}<title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><h1>{escape(title)}</h1><p class='lead'>{escape(lead)}</p>{body}</body></html>\n"
    )


def generator(made_by: str) -> str:
    return f'<meta name="generator" content="{escape(made_by)}">'


def is_made_by(path: Path, made_by: str) -> bool:
    """Whether the file is a page of this maker."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return generator(made_by).encode() in file.read(500)


def sentence(text: str, mood: str = "") -> str:
    """A paragraph; mood: '', 'good' or 'bad'."""
    return f'<p class="{escape(mood)}">{escape(text)}</p>'


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table whose columns are the first row's keys; numbers stand to the right, long texts wrap, and what is too wide scrolls by itself."""
    if not rows:
        return sentence("nothing to show")
    kinds = {name: kind_of_column([row.get(name) for row in rows]) for name in rows[0]}
    head = "".join(f'<th class="{kind}">{escape(str(name))}</th>' for name, kind in kinds.items())
    body = "".join("<tr>" + "".join(cell(row.get(name), kind) for name, kind in kinds.items()) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def kind_of_column(values: Sequence[Any]) -> str:
    """`number`, `text` (some of it long) or `word`."""
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return "number"
    return "text" if any(len(shown(value)) > 40 for value in values) else "word"


def cell(value: Any, kind: str) -> str:
    return f'<td class="{kind}">{escape(shown(value))}</td>'


def picture(figure: Any, name: str, height: int = 320) -> str:
    """A Plotly figure under its title, which wraps as text does; name: its id in the page, the same in every run."""
    title = figure.layout.title.text
    figure.update_layout(
        title=None,
        template="plotly_white",
        height=height,
        margin={"l": 50, "r": 20, "t": 30, "b": 40},
        legend={"orientation": "h", "y": -0.2},
    )
    html: str = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displayModeBar": False, "responsive": True})
    caption = f'<p class="caption">{escape(title)}</p>' if title else ""
    return f'{caption}<div class="plot">{html}</div>'


def shown(value: Any) -> str:
    """A value for a table's cell: four digits of a number, [low, high] of an interval."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 and value else f"{value:,.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(each) for each in value) + "]"
    return str(value)
