"""The drawing of docs/howto-tachometer.md: which tooth is tooth 0 on the metal.

python benchmarks/tooth_zero_drawing.py          # writes docs/images/tooth-zero.svg
"""

from __future__ import annotations

import math
from pathlib import Path

from toothwise.files import atomic_file

PLACE = Path(__file__).parent.parent / "docs" / "images" / "tooth-zero.svg"
_SCALE = 7.0  # pixels of radius per tooth


def _gear(x: float, y: float, teeth: int, turn: float, way: int, first: str) -> list[str]:
    """A gear whose tooth 0 points at ``turn`` (radians); its teeth are numbered the way they enter mesh."""
    radius, parts, outline = teeth * _SCALE, [], []
    for k in range(4 * teeth):
        angle = turn + (k - 0.5) * math.tau / (4 * teeth)
        reach = radius + (7 if k % 4 in (0, 1) else -7)
        outline.append(f"{x + reach * math.cos(angle):.1f},{y + reach * math.sin(angle):.1f}")
    parts.append(f'<polygon points="{" ".join(outline)}" fill="#eef2f6" stroke="#33475b"/>')
    for k in range(4):
        angle = turn - way * k * math.tau / teeth
        at = radius - 20
        colour = "#c0392b" if k == 0 else "#33475b"
        parts.append(
            f'<text x="{x + at * math.cos(angle):.1f}" y="{y + at * math.sin(angle) + 5:.1f}" text-anchor="middle" '
            f'fill="{colour}">{first if k == 0 else k}</text>'
        )
    return parts


def drawing() -> str:
    """The SVG: two gears at the instant of the pulse."""
    left, right, y = 150.0, 396.0, 190.0
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 400" font-family="sans-serif" font-size="13">',
        "<title>Tooth 0 is the tooth in mesh at the pulse; count the way the teeth come into mesh</title>",
        *_gear(left, y, 14, 0.0, 1, "0"),
        *_gear(right, y, 20, math.pi, -1, "?"),
        # the mark and its sensor on the driving shaft
        f'<circle cx="{left}" cy="{y}" r="26" fill="#fff" stroke="#33475b"/>',
        f'<rect x="{left - 5}" y="{y - 32}" width="10" height="12" fill="#c0392b"/>',
        f'<rect x="{left - 9}" y="{y - 66}" width="18" height="26" fill="#d9a441" stroke="#33475b"/>',
        f'<text x="{left}" y="{y - 72}" text-anchor="middle">sensor</text>',
        f'<text x="{left + 12}" y="{y - 22}">mark</text>',
        # directions of rotation
        f'<path d="M {left + 40} {y + 52} A 66 66 0 0 1 {left - 40} {y + 52}" fill="none" stroke="#1d7a4c" '
        'stroke-width="2" marker-end="url(#tip)"/>',
        f'<path d="M {right - 50} {y + 62} A 80 80 0 0 0 {right + 50} {y + 62}" fill="none" stroke="#1d7a4c" '
        'stroke-width="2" marker-end="url(#tip)"/>',
        '<defs><marker id="tip" markerWidth="9" markerHeight="9" refX="7" refY="3" orient="auto">'
        '<path d="M0,0 L0,6 L8,3 z" fill="#1d7a4c"/></marker></defs>',
        f'<text x="{left}" y="32" text-anchor="middle">driving gear, with the tachometer</text>',
        f'<text x="{right + 20}" y="32" text-anchor="middle">its mate, without</text>',
        '<text x="320" y="372" text-anchor="middle">At the pulse: the driving tooth in mesh is tooth 0. Count on with '
        "the teeth that come into mesh next.</text>",
        '<text x="320" y="391" text-anchor="middle">The tooth of the mate that it meets there is another one in each '
        "record.</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    with atomic_file(PLACE) as temporary:
        temporary.write_text(drawing(), encoding="utf-8")
    print(PLACE)
