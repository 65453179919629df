"""Loaded transmission error of two gears in mesh, tooth pair by tooth pair.

At mesh position u (mesh events; pair m is in contact around u = m + 0.5) the pairs in contact are springs side by side
that carry the load F together, and pair m touches only after its flanks' error e_m is closed:

    transmission error d(u) = (F + sum_m k_m(u) e_m(u)) / sum_m k_m(u)

A cracked tooth lowers k_m, so the pair gives way by F / k * drop / (1 - drop) where it carries alone, and the mesh
loses half of the drop where two pairs share the load; nothing about the size of a fault is chosen beyond that.
Stiffness per face width 14 N/(mm um) for a pair (ISO 6336-1); flank errors from the tolerances of DIN 3962, e_ij =
e1_i + e2_j and a weak term of the pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toothwise.checks import check_choice
from toothwise.gears import GearPair
from toothwise.simulate.faults import Fault

# DIN 3962 grade: tolerance of profile slope and of profile form, micrometres
GRADES = {6: (6.0, 8.0), 7: (9.0, 11.0), 8: (12.0, 16.0), 9: (18.0, 22.0)}
_STIFFNESS = 14.0  # N/(mm um), one pair, per face width
_CONTACT_RATIO = 1.6
_EDGE = 0.18  # of the engagement: tip relief, over which a pair takes up its load


@dataclass(frozen=True, eq=False)
class Flanks:
    """Errors of one gear's flanks, each float64 ``[teeth]``: offset, slope and form (um), and the phase of the form."""

    offset: np.ndarray
    slope: np.ndarray
    form: np.ndarray
    phase: np.ndarray

    def at(self, tooth: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Error of a tooth's flank at places -1 to 1 of the engagement, micrometres."""
        wave = self.form[tooth] * np.cos(np.pi * position + self.phase[tooth])
        return self.offset[tooth] + self.slope[tooth] * 0.5 * position + wave


def draw_flanks(teeth: int, grade: int, rng: np.random.Generator) -> Flanks:
    """Flanks of one gear of a DIN 3962 grade: tolerances are three standard deviations, phases are random.

    Raises:
        InputError: a grade without figures.
    """
    check_choice(GRADES, grade=grade)
    slope, form = GRADES[grade]
    return Flanks(
        rng.normal(0.0, slope / 6.0, teeth),
        rng.normal(0.0, slope / 3.0, teeth),
        np.abs(rng.normal(0.0, form / 3.0, teeth)) / 2.0,
        rng.uniform(0.0, 2.0 * np.pi, teeth),
    )


def loaded_error(
    pair: GearPair,
    first: Flanks,
    second: Flanks,
    pair_term: np.ndarray,
    load: float,
    *,
    samples: int = 64,
    faults: Sequence[tuple[Fault, int]] = (),
    start: tuple[int, int] = (0, 0),
    wear: float = 0.0,
) -> np.ndarray:
    """Transmission error over one hunting period, its mean removed.

    Args:
        pair: teeth of the two gears.
        first, second: their flanks.
        pair_term: micrometres, ``[driving, driven]``.
        load: line load, N per mm of face width.
        samples: per tooth.
        faults: each with the axis of the gear that has it, 0 (driving) or 1 (driven).
        start: teeth in mesh at event 0.
        wear: factor less 1 on the flanks' errors.

    Returns:
        micrometres, float64 ``[hunting_period * samples]``.
    """
    events = pair.hunting_period
    u = (np.arange(events * samples) + 0.5) / samples
    here = np.floor(u).astype(np.int64)
    force, stiffness = np.full(len(u), load), np.zeros(len(u))
    half = 0.5 * _CONTACT_RATIO
    for neighbour in (-1, 0, 1):
        m = here + neighbour
        position = (u - (m + 0.5)) / half
        inside = np.abs(position) < 1.0
        m, position = m[inside], position[inside]
        i, j = pair.pair_at(m, start)
        edge = np.clip((1.0 - np.abs(position)) / _EDGE, 0.0, 1.0)
        k = _STIFFNESS * (1.0 - 0.3 * position**2) * np.sin(0.5 * np.pi * edge) ** 2
        error = (1.0 + wear) * (first.at(i, position) + second.at(j, position)) + pair_term[i, j]
        for fault, axis in faults:
            at = (i, j)[axis] == fault.tooth
            k = np.where(at, k * fault.stiffness(), k)
            # a flank can only fall back as far as the load presses it: beyond that it no longer touches
            error = np.where(at, error - np.minimum(fault.missing(position), load / _STIFFNESS), error)
        stiffness[inside] += k
        force[inside] += k * error
    error = force / stiffness
    return error - error.mean()
