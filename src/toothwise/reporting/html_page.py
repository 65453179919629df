"""A document as one HTML file that needs nothing else: pictures and style are in it, and nothing is fetched."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

from toothwise.reporting.document import (
    Block,
    Bullets,
    Document,
    Facts,
    Heading,
    Paragraph,
    Picture,
    Pictures,
    Table,
    Verdict,
)

__all__ = ["to_html"]

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; color: #1b1b1b;
  background: #fff; max-width: 1240px; margin: 0 auto; padding: .9rem 1.4rem 3rem; word-break: keep-all;
  overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; margin: 0; } h2 { font-size: 1.3rem; margin: 2.4rem 0 .5rem; border-top: 1px solid #ddd;
  padding-top: 1.2rem; } h3 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
p { margin: .5rem 0; max-width: 75rem; } .small, figcaption { color: #555; font-size: .88rem; }
header p { margin: 0 0 .5rem; }
.verdict { padding: .6rem 1rem; border-left: 8px solid #8A8A8A; background: #f3f3f3; margin: .4rem 0; }
.verdict.red { border-color: #D55E00; background: #fff1e8; }
.verdict.amber { border-color: #E69F00; background: #fff8e6; }
.verdict.green { border-color: #009E73; background: #ebf7f3; }
.verdict p { margin: .1rem 0; } .verdict .label { font-weight: 700; letter-spacing: .02em; }
.verdict .text { font-size: 1.22rem; line-height: 1.4; }
.facts { display: grid; grid-template-columns: repeat(var(--columns), auto); justify-content: start;
  gap: .4rem 3rem; margin: .6rem 0; padding: 0; }
.facts dt { color: #555; font-size: .82rem; } .facts dd { margin: 0; font-weight: 600; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: .2rem 1.2rem; }
figure { margin: .4rem 0; min-width: 0; }
table { overflow-wrap: normal; } .scroll { overflow-x: auto; }
img { width: 100%; height: auto; display: block; } figure.wide img { max-width: 48rem; }
table { border-collapse: collapse; font-size: .92rem; margin: .4rem 0; min-width: 60%; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #ddd; vertical-align: top; }
th { background: #f5f5f5; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.pairs td:last-child { overflow-wrap: anywhere; } .pairs td:first-child { white-space: nowrap; color: #555; }
li { margin: .25rem 0; max-width: 72rem; }
@media (max-width: 640px) { body { padding: .6rem .8rem 2rem; } .verdict .text { font-size: 1.08rem; }
  .facts { grid-template-columns: 1fr 1fr; gap: .4rem 1rem; } table { font-size: .8rem; }
  th, td { padding: .25rem .3rem; } }
@media print { h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""


def escape(text: str) -> str:
    """Text as markup; a number stays with its per cent."""
    return html.escape(text).replace(" %", "\u00a0%")


def to_html(document: Document) -> str:
    """The page, complete."""
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="{escape(document.language)}">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            f'<header><h1>{escape(document.title)}</h1><p class="small">{escape(document.subtitle)}</p></header>',
            "<main>",
            *_blocks(document.first),
            *_blocks(document.rest),
            "</main>\n</body>\n</html>\n",
        ]
    )


def _blocks(blocks: Iterable[Block]) -> list[str]:
    return [_block(block) for block in blocks]


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text, small, lead):
            small_class = ' class="small"' if small else ""
            first = f"<b>{escape(lead)}</b> " if lead else ""
            return f"<p{small_class}>{first}{escape(text)}</p>"
        case Verdict(text, label, tone, more):
            rest = f"<p>{escape(more)}</p>" if more else ""
            return (
                f'<section class="verdict {escape(tone)}"><p class="label">{escape(label)}</p>'
                f'<p class="text">{escape(text)}</p>{rest}</section>'
            )
        case Picture():
            return _picture(block, "wide")
        case Pictures(pictures):
            inner = "".join(_picture(p, "") for p in pictures)
            return f'<div class="pictures">{inner}</div>'
        case Facts(items):
            cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in items)
            columns = len(items) if len(items) <= 4 else 3  # no fact alone on a line, of up to six
            return f'<dl class="facts" style="--columns: {columns}">{cells}</dl>'
        case Table():
            return _table(block)
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _picture(picture: Picture, kind: str) -> str:
    data, caption = base64.b64encode(picture.png).decode(), escape(picture.caption)
    return (
        f'<figure class="{kind}"><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        kinds = [' class="n"' if k in table.right else "" for k in range(len(table.head))]
        inner = "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        return f"<tr>{inner}</tr>"

    head = row(table.head, "th") if any(table.head) else ""
    kind = "" if head else ' class="pairs"'
    body = "".join(row(cells, "td") for cells in table.rows)
    return f'<div class="scroll"><table{kind}>{head}{body}</table></div>'
