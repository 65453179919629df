"""Figures of the PDF are vectors, and heat maps in them stand as they were drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest

from toothwise.reporting.document import Document, Pictures, Verdict
from toothwise.reporting.drawing import Picture
from toothwise.reporting.pdf_pages import to_pdf

pypdf = pytest.importorskip("pypdf")
pytest.importorskip("fpdf")

VALUES = np.array([[9.0, 1.0, 1.0], [1.0, 1.0, 5.0]])  # row 0 is the lower one, as in every map


def figure(*, heat: bool):
    from matplotlib.figure import Figure

    made = Figure(figsize=(6, 3), layout="constrained")
    axes = made.subplots()
    if heat:
        axes.imshow(VALUES, origin="lower", aspect="auto", cmap="gray", interpolation="nearest")
    else:
        axes.plot([1, 4, 2], color="#0072B2")
    axes.set_xlabel("피동 기어 치")
    return made


def page_of(picture: Picture):
    first = [Verdict("x", "RED", "red"), Pictures((picture,))]  # leaves orange as the colour of the page
    (page,) = pypdf.PdfReader(io.BytesIO(to_pdf(Document("t", "s", "en", first, [])))).pages
    return page


def paints(page) -> list[tuple[str, tuple[float, ...]]]:
    """Every filling and stroking operation with the colour it fills with."""
    colour, stack, done = (0.0,), [], []
    for operands, operator in page.get_contents().operations:
        word = operator.decode()
        if word == "q":
            stack.append(colour)
        elif word == "Q":
            colour = stack.pop()
        elif word in ("g", "rg"):
            colour = tuple(round(float(v), 3) for v in operands)
        elif word in ("f", "f*", "B", "S"):
            done.append((word, colour))
    return done


def test_lines_and_letters_are_vectors():
    page = page_of(Picture("caption", figure, heat=False))
    assert not page.images
    painted = paints(page)
    assert sum(word in ("S", "B") for word, _ in painted) > 5  # axes, ticks, the line
    black = {(0.0,), (0.0, 0.0, 0.0)}
    assert sum(word.startswith("f") and colour in black for word, colour in painted) > 8  # letters


def test_a_heat_map_stands_as_it_was_drawn():
    page = page_of(Picture("caption", figure, heat=True))
    (image,) = page.images
    placed = []

    def see(operator, operands, matrix, _):
        if operator == b"Do":
            placed.append(matrix)

    page.extract_text(visitor_operand_before=see)
    (matrix,) = placed
    pixels = np.asarray(image.image.convert("L"), dtype=float)
    assert matrix[0] > 0
    if matrix[3] < 0:  # the first row of pixels lies lowest on the page
        pixels = pixels[::-1]
    rows, columns = pixels.shape
    lower, upper = pixels[int(0.75 * rows)], pixels[int(0.25 * rows)]
    seen = np.array([[line[int(columns * (k + 0.5) / 3)] for k in range(3)] for line in (lower, upper)])
    np.testing.assert_allclose(seen, (VALUES - 1) / 8 * 255, atol=1.5)
    # its place: the picture is 180 mm wide with a margin of 15; axes take most of it and end above their label
    unit = 72 / 25.4
    left, right = matrix[4], matrix[4] + matrix[0]
    assert 15 * unit < left < 35 * unit
    assert 180 * unit < right < 195.5 * unit
    assert columns / (matrix[0] / 72) > 250  # pixels per inch


def test_the_same_figure_gives_the_same_vectors():
    assert Picture("c", figure, heat=True).svg == Picture("c", figure, heat=True).svg
