"""A document as a PDF of A4 pages, by fpdf2, with its fonts embedded."""

from __future__ import annotations

import datetime
import importlib.util
import io
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toothwise.errors import need
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
from toothwise.reporting.fonts import BOLD, REGULAR

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN, _WIDTH, _BOTTOM = 15.0, 180.0, 282.0  # mm: A4 is 210 x 297
_INK, _FAINT = (27, 27, 27), (90, 90, 90)
_TONES = {
    "red": ((213, 94, 0), (255, 241, 232)),
    "amber": ((230, 159, 0), (255, 248, 230)),
    "green": ((0, 158, 115), (235, 247, 243)),
    "unknown": ((138, 138, 138), (243, 243, 243)),
}
_CAPTION = 8.0  # points
_BELOW: Any = {"align": "L", "new_x": "LMARGIN", "new_y": "NEXT"}  # what comes next stands below a text
_LEAST = 0.55  # pictures of the first page are made smaller down to this, so that they stay on it


def can_write_pdf() -> bool:
    """Whether fpdf2 is installed."""
    return importlib.util.find_spec("fpdf") is not None


def to_pdf(document: Document) -> bytes:
    """The PDF's bytes.

    Raises:
        MissingDependencyError: fpdf2 is not installed.
    """
    need("fpdf", "a PDF")
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # its subsetter tells every table that it drops
    pages = _pages(document)
    writer = _Writer(pages)
    writer.header(document)
    writer.write(document.first, fit=True)
    writer.write(document.rest)
    return bytes(pages.output())


def _pages(document: Document) -> FPDF:
    from fpdf import FPDF

    class Pages(FPDF):
        def normalize_text(self, text: str) -> str:
            return super().normalize_text(text.replace(" %", "\u00a0%"))  # a number stays with its per cent

        def footer(self) -> None:
            self.set_y(-11)
            self.set_font("text", "", 8)
            self.set_text_color(*_FAINT)
            number = document.page.format(page=self.page_no(), pages="{nb}")
            self.cell(0, 5, f"toothwise · {document.title} · {number}", align="C")

    pages = Pages(format="A4", unit="mm")
    pages.add_font("text", "", str(REGULAR))
    pages.add_font("text", "B", str(BOLD))
    pages.add_font("all", "", str(REGULAR))  # every syllable, where the bold font lacks one
    pages.set_fallback_fonts(["all"], exact_match=False)
    pages.set_title(document.title)
    pages.set_subject(document.subtitle)
    pages.set_creator("toothwise")
    pages.set_lang(document.language)
    if document.made:
        pages.set_creation_date(datetime.datetime.fromisoformat(document.made))
    pages.set_margins(_MARGIN, _MARGIN, _MARGIN)
    pages.set_auto_page_break(True, margin=15)
    pages.add_page()
    return pages


class _Writer:
    """Puts blocks on pages, one below the other."""

    def __init__(self, pages: FPDF) -> None:
        self.pages = pages

    def _pen(self, size: float, *, bold: bool = False, ink: tuple[int, int, int] = _INK) -> None:
        self.pages.set_font("text", "B" if bold else "", size)
        self.pages.set_text_color(*ink)

    def _text(self, text: str, size: float, *, bold: bool = False, ink: tuple[int, int, int] = _INK) -> None:
        self._pen(size, bold=bold, ink=ink)
        self.pages.multi_cell(0, size * 0.52, text, **_BELOW)

    def _need(self, height: float) -> None:
        """A new page where less than so much is left on this one."""
        if self.pages.get_y() + height > _BOTTOM:
            self.pages.add_page()

    def header(self, document: Document) -> None:
        self._text(document.title, 14, bold=True)
        self._text(document.subtitle, 8.5, ink=_FAINT)
        self.pages.ln(1.5)

    def write(self, blocks: Sequence[Block], *, fit: bool = False) -> None:
        """Write blocks; ``fit`` makes pictures smaller where that keeps them all on this page."""
        pictures = [p for block in blocks if isinstance(block, Pictures) for p in block.pictures]
        for k, block in enumerate(blocks):
            if isinstance(block, Heading):
                self._keep_together(blocks[k : k + 4])
            if isinstance(block, Pictures):
                left = sum(self._height(p) for p in pictures) if fit else 0.0
                below = sum(self._paragraph_height(b) for b in blocks[k + 1 :] if isinstance(b, Paragraph))
                told = sum(self._caption_height(p) for p in pictures)
                room = _BOTTOM - self.pages.get_y() - told - below
                scale = min(1.0, room / left) if fit and left and room / left >= _LEAST else 1.0
                for picture in block.pictures:
                    self._picture(picture, scale)
                pictures = [p for p in pictures if p not in block.pictures]
            else:
                self._block(block)

    def _text_height(self, text: str, size: float) -> float:
        self.pages.set_font("text", "", size)
        return float(self.pages.multi_cell(0, size * 0.52, text, align="L", dry_run=True, output="HEIGHT"))

    def _paragraph_height(self, block: Paragraph) -> float:
        size = 8.5 if block.small else 9.5
        return self._text_height(block.text, size) + 1.2 + (size * 0.52 if block.lead else 0.0)

    def _caption_height(self, picture: Picture) -> float:
        return self._text_height(picture.caption, _CAPTION) + 1.5

    def _keep_together(self, blocks: Sequence[Block]) -> None:
        """Begin a page where a heading would stand apart from the picture that comes soon after it."""
        height = 0.0
        for block in blocks:
            if isinstance(block, Pictures):
                self._need(height + self._height(block.pictures[0]) + 10)
                return
            height += 12.0
            if isinstance(block, Table):
                return

    def _block(self, block: Block) -> None:
        match block:
            case Heading(text, level):
                self._need(30)
                self.pages.ln(4 if level == 2 else 2)
                self._text(text, 13 if level == 2 else 10.5, bold=True)
                self.pages.ln(0.8)
            case Paragraph(text, small, lead):
                size = 8.5 if small else 9.5
                if lead:
                    self._need(12)
                    self._text(lead, size, bold=True)
                self._text(text, size, ink=_FAINT if small else _INK)
                self.pages.ln(1.2)
            case Verdict():
                self._verdict(block)
            case Facts(items):
                self._facts(items)
            case Table():
                self._table(block)
            case Bullets(items):
                for item in items:
                    self._need(8)
                    self._pen(9.5)
                    self.pages.cell(5, 4.9, "•")
                    self.pages.multi_cell(_WIDTH - 5, 4.9, item, **_BELOW)
                    self.pages.ln(0.6)

    def _verdict(self, block: Verdict) -> None:
        """On a tint, with a bar of the colour at its left."""
        pages, (bar, tint) = self.pages, _TONES[block.tone]
        self._need(30)
        top = pages.get_y()
        pages.set_fill_color(*tint)
        for text, size, bold in ((block.label, 9.0, True), (block.text, 12.5, False), (block.more, 9.5, False)):
            if text:
                self._pen(size, bold=bold)
                pages.multi_cell(_WIDTH, size * 0.52, text, fill=True, padding=(1, 3, 1, 5), **_BELOW)
        pages.set_fill_color(*bar)
        pages.rect(_MARGIN, top, 2.0, pages.get_y() - top, style="F")
        pages.ln(2)

    def _facts(self, items: Sequence[tuple[str, str]]) -> None:
        columns = 2 if len(items) == 4 else 3
        pages, wide = self.pages, _WIDTH / columns
        for at in range(0, len(items), columns):
            self._need(12)
            top, lowest = pages.get_y(), pages.get_y()
            for k, (name, text) in enumerate(items[at : at + columns]):
                for words, size, bold, ink in ((name, 7.5, False, _FAINT), (text, 9.5, True, _INK)):
                    self._pen(size, bold=bold, ink=ink)
                    pages.set_x(_MARGIN + k * wide)
                    pages.multi_cell(wide - 3, size * 0.5, words, **_BELOW)
                lowest = max(lowest, pages.get_y())
                pages.set_y(top)
            pages.set_y(lowest + 1.2)

    def _height(self, picture: Picture) -> float:
        return _WIDTH * picture.height / picture.width

    def _picture(self, picture: Picture, scale: float) -> None:
        height = self._height(picture) * scale
        self._need(height + self._caption_height(picture))
        wide = _WIDTH * scale
        self.pages.set_fill_color(0)  # letters are black by default in SVG, of the page's colour in fpdf2
        self.pages.image(io.BytesIO(picture.svg), x=_MARGIN + (_WIDTH - wide) / 2, w=wide, h=height)
        self._text(picture.caption, _CAPTION, ink=_FAINT)
        self.pages.ln(1.5)

    def _table(self, table: Table) -> None:
        from fpdf.fonts import FontFace

        pages = self.pages
        self._pen(8.5)
        pages.set_fill_color(255, 255, 255)
        pages.set_draw_color(210, 210, 210)
        longest = [
            max([pages.get_string_width(cell) for cell in column] + [8.0])
            for column in zip(table.head, *table.rows, strict=True)
        ]
        # long texts wrap: a column is as wide as its longest cell, but no wider than leaves room for the others
        limit = [min(w + 4.0, _WIDTH * 0.55) for w in longest]
        total = sum(limit)
        widths = [w * min(1.0, _WIDTH / total) for w in limit]
        with pages.table(
            width=sum(widths),
            col_widths=widths,
            align="L",
            text_align=tuple("RIGHT" if k in table.right else "LEFT" for k in range(len(widths))),
            line_height=4.6,
            padding=(0.6, 1.2),
            borders_layout="HORIZONTAL_LINES",
            first_row_as_headings=any(table.head),
            headings_style=FontFace(emphasis="BOLD", color=_INK, fill_color=(243, 243, 243)),
        ) as made:
            for cells in [*([table.head] if any(table.head) else []), *table.rows]:
                row = made.row()
                for cell in cells:
                    row.cell(cell)
        pages.ln(2)
