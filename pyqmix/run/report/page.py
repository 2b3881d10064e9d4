"""The frame of the page, and its parts of HTML; everything that is not HTML is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root{--ink:#1c2430;--dim:#5d6b7c;--line:#dde3ea;--paper:#fff;--card:#f5f7fa;--c0:#0072b2;--c1:#d55e00;--c2:#009e73}
@media (prefers-color-scheme:dark){:root{--ink:#e7ebf0;--dim:#9aa8b8;--line:#2f3945;--paper:#14191f;
--card:#1c232b;--c0:#56b4e9;--c1:#e69f00;--c2:#3fd0a4}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem 1rem 3rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:2.2rem 0 .7rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
p{margin:.3rem 0;color:var(--dim)}
.badge{display:inline-block;margin-left:.6rem;padding:0 .6rem;border-radius:1rem;background:var(--c2);
color:var(--paper);font-size:.8rem;line-height:1.6;vertical-align:middle}.stopped{background:var(--c1)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:1.2rem 0 0}
.cards div{background:var(--card);border-radius:.5rem;padding:.7rem .9rem}
.cards b{display:block;font-size:1.35rem;line-height:1.3;font-variant-numeric:tabular-nums}
.cards span,.cards small{color:var(--dim);font-size:.82rem;display:block}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(16rem,100%),1fr));gap:.7rem}
figure{margin:0;background:var(--card);border-radius:.5rem;padding:.6rem .7rem .2rem;break-inside:avoid}
figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .6rem;font-size:.8rem}
i{font-style:normal;margin-left:.5rem;white-space:nowrap}.t0{color:var(--c0)}.t1{color:var(--c1)}
svg{display:block;width:100%;height:auto}svg text{fill:var(--dim);font-size:11.5px}
.g{stroke:var(--line);fill:none}.l{fill:none;stroke-width:1.8;stroke-linejoin:round}.b{stroke:none;opacity:.16}
.l.c0{stroke:var(--c0)}.l.c1{stroke:var(--c1)}.b.c0,circle.c0{fill:var(--c0)}.b.c1,circle.c1{fill:var(--c1)}
img{max-width:min(100%,34rem);height:auto;border-radius:.5rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.88rem}
th,td{text-align:left;padding:.28rem .8rem .28rem 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
th{color:var(--dim);font-weight:600}td{font-variant-numeric:tabular-nums}td:first-child{white-space:nowrap}
summary{cursor:pointer;color:var(--dim);margin:.8rem 0 .3rem}
pre{margin:.2rem 0 .8rem;padding:.6rem .8rem;background:var(--card);border-radius:.5rem;white-space:pre-wrap;
overflow-wrap:anywhere;font:13px/1.45 ui-monospace,monospace}
@media print{:root{--ink:#000;--dim:#444;--line:#ccc;--paper:#fff;--card:#fff;--c0:#0072b2;--c1:#d55e00}
body{max-width:none;padding:0;font-size:11px}figure,.cards div{border:1px solid var(--line)}
.charts{grid-template-columns:repeat(3,1fr)}img{max-width:8cm}.cards{grid-template-columns:repeat(6,1fr);gap:.4rem}
.cards b{font-size:1rem}tr,pre,.cards div{break-inside:avoid}h2{break-after:avoid}}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Put parts into a page. Its policy forbids scripts, and whatever does not lie in the page itself."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>'
        f"<body>\n{''.join(parts)}</body></html>\n"
    )


def section(name: str, *parts: str) -> str:
    """Write a part with a heading; nothing where it is empty."""
    content = "".join(parts)
    return f'<section id="{name.lower()}"><h2>{escape(name)}</h2>{content}</section>\n' if content else ""


def heading(title: str, status: str, note: str) -> str:
    """Write the title, with the run's status, which is a class of the style too."""
    badge = f'<span class="badge {status}">{status}</span>'
    return f"<header><h1>{escape(title)}{badge}</h1>{text(note)}</header>\n"


def cards(numbers: Iterable[tuple[str, str, str]]) -> str:
    """Write large numbers: name, value, note."""
    each = "".join(
        f"<div><span>{escape(name)}</span><b>{escape(value)}</b><small>{escape(note)}</small></div>"
        for name, value, note in numbers
    )
    return f'<div class="cards">{each}</div>\n'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table, without a head where that has no cells."""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    header = f"<thead><tr>{cells}</tr></thead>" if cells else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table>{header}<tbody>{body}</tbody></table></div>'


def folded(name: str, content: str) -> str:
    """Write content that is shown on a click."""
    return f"<details><summary>{escape(name)}</summary>{content}</details>"


def text(line: str) -> str:
    """Write a paragraph."""
    return f"<p>{escape(line)}</p>"


def code(line: str) -> str:
    """Write a command."""
    return f"<pre>{escape(line)}</pre>"


def gif(data: bytes, meaning: str) -> str:
    """Write a moving picture, which lies in the page itself."""
    return f'<img alt="{escape(meaning)}" src="data:image/gif;base64,{base64.b64encode(data).decode()}">'
