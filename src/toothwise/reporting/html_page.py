"""A document as one HTML file that needs nothing else: pictures and style are in it, and nothing is fetched."""

from __future__ import annotations

import base64
import html
import io
import logging
import re
from collections.abc import Iterable
from pathlib import Path

from toothwise.reporting.document import (
    Block,
    Bullets,
    Document,
    Facts,
    Heading,
    Paragraph,
    Pictures,
    Table,
    Verdict,
)
from toothwise.reporting.drawing import Picture
from toothwise.reporting.fonts import REGULAR

_STYLE = Path(__file__).parent / "report.css"


def escape(text: str) -> str:
    """Text as markup; a number stays with its per cent."""
    return html.escape(text).replace(" %", "\u00a0%")


def to_html(document: Document) -> str:
    """The page, complete; one that is not in English brings the letters that it uses as a font."""
    blocks = [_block(block) for block in (*document.first, *document.rest)]
    style = _STYLE.read_text()
    if document.language != "en":
        style += _own_font(document.title + document.subtitle + re.sub(r'base64,[^"]*', "", "".join(blocks)))
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="{escape(document.language)}">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(document.title)}</title>\n<style>{style}</style>\n</head>\n<body>",
            f'<header><h1>{escape(document.title)}</h1><p class="small">{escape(document.subtitle)}</p></header>',
            "<main>",
            *blocks,
            "</main>\n</body>\n</html>\n",
        ]
    )


def _own_font(text: str) -> str:
    """The report's font as a style, cut down to the letters of a text."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(REGULAR)
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it logs every table that it drops
    cut = Subsetter(Options(layout_features=[]))
    cut.populate(text=text)
    cut.subset(font)
    buffer = io.BytesIO()
    font.save(buffer)
    data = base64.b64encode(buffer.getvalue()).decode()
    face = f'font-family: "own"; font-display: block; src: url(data:font/ttf;base64,{data});'
    return f'@font-face {{ {face} }}\nbody {{ font-family: "own", sans-serif; }}\n'


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
        case Pictures((only,)):
            return _picture(only, "wide")
        case Pictures(pictures):
            inner = "".join(_picture(p, "") for p in pictures)
            return f'<div class="pictures">{inner}</div>'
        case Facts(items):
            cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in items)
            columns = len(items) if len(items) <= 4 else 3 + (len(items) % 3 == 1)  # no fact alone on a line
            return f'<dl class="facts" style="--columns: {columns}">{cells}</dl>'
        case Table():
            return _table(block)
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _picture(picture: Picture, kind: str) -> str:
    wide, narrow = (f"data:image/png;base64,{base64.b64encode(p).decode()}" for p in (picture.png, picture.narrow))
    caption = escape(picture.caption)
    return (
        f'<figure class="{kind}"><picture><source media="(max-width: 640px)" srcset="{narrow}">'
        f'<img alt="{caption}" src="{wide}"></picture><figcaption>{caption}</figcaption></figure>'
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
