"""What one tooth adds to its meshes: where it lies along the line, and the waveforms without it.

Orders that were removed from the signal (mesh lines, sidebands) have taken a known part of every tooth's waveform with
them, which shows at the other teeth as their share of what is missing. So the waveform is estimated by weighted least
squares through the orders that are there, and its image through the same orders is taken off: with the tooth goes
what it left at its neighbours. Noise takes the place of what went, so that the record is like a healthy one there.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from toothwise.detectors.coherent.meshes import lines
from toothwise.detectors.coherent.whitening import filtered, noise_level, weight_of

_REACH = 4  # meshes to either side that the waveform of a tooth may reach into: contact begins early, housings ring
_USUAL = 2.0  # times the energy of the usual tooth, below which a neighbour holds nothing of it
_RIDGE = 1e-6  # of the mean power of the estimate's equations: orders that say almost nothing stay out


def along_line(white: np.ndarray, shape: tuple[int, ...], axis: int, tooth: int) -> np.ndarray:
    """Each mesh of a tooth against the mean waveform of its others, on the scale of all other teeth's meshes.

    Args:
        white: One whitened hunting period ``[1, events * samples]``.
        shape: Rows, columns and samples.
        axis: 1 = the tooth is a row, 2 = a column.
        tooth: Which one.

    Returns:
        float64 ``[mates]``, NaN where the tooth never meets one.
    """
    teeth, mates = shape[axis - 1], shape[2 - axis]
    meshes = lines(white, teeth, shape[2])[0]  # [teeth, turns, samples]
    turns = meshes.shape[1]
    total = meshes[tooth].sum(axis=0)
    like = np.einsum("tks,s->tk", meshes, total)
    # a mesh is compared with the others of its line alone: it is like itself however healthy
    like[tooth] = np.einsum("ks,ks->k", meshes[tooth], total - meshes[tooth]) * (turns / max(turns - 1.0, 1.0))
    others = np.delete(like, tooth, axis=0)
    spread = 1.4826 * float(np.median(np.abs(others - np.median(others))))
    out = np.full(mates, np.nan)
    out[(tooth + np.arange(turns) * teeth) % mates] = like[tooth] / max(spread, 1e-300)
    return out


def without_line(
    x: np.ndarray,
    scatter: np.ndarray,
    shape: tuple[int, ...],
    axis: int,
    tooth: int,
    places: slice,
    *,
    wide: int = 1,
    contacts: bool,
    seed: int = 0,
) -> np.ndarray:
    """A hunting period in which what a tooth adds at its meshes with some mates is as it would be of a sound one.

    With the tooth goes all that could be its waveform, the noise too, and of a gear with few teeth, many of whose
    orders were removed, that is most of what there is: teeth that lost less of it would stand out. So noise as loud as
    the record's comes back in its place, by the same projection, and what is left is that of a healthy record.

    Args:
        x: One hunting period less the healthy mean ``[events * samples]``.
        scatter: Healthy power of each bin.
        shape, axis, tooth: As of ``along_line``.
        places: The mates.
        wide: Teeth that go, of which ``tooth`` is the first.
        contacts: The tooth touches another mate half a revolution away, where it adds a waveform of its own.
        seed: Of the noise, which follows from the record too.
    """
    teeth, mates, samples = shape[axis - 1], shape[2 - axis], shape[2]
    at = tooth + np.arange(len(x) // samples // teeth) * teeth
    at = at[np.isin(at % mates, np.arange(mates)[places])]
    weight = weight_of(scatter)
    rest, spans = x, []
    # half a revolution of an odd number of teeth ends between two of them: the waveform is a mesh longer there
    for away, long in ((0, wide), (teeth // 2, wide + teeth % 2)) if contacts else ((0, wide),):
        before, after, rest = _reach(rest, weight, at + away, long, teeth, samples)
        spans.append(((at + away - before) * samples, (before + long + after) * samples))
    own_seed = [seed, axis, tooth, crc32(x.tobytes())]  # each record has noise of its own
    noise = _noise_of(x, scatter, np.random.default_rng(own_seed))
    rest = x - _repeated(x - noise, weight, spans)
    # what differs from mate to mate is not in the mean waveform: no mesh of a tooth stays louder than others are
    white = filtered(rest, weight).reshape(-1, samples)
    energy = np.square(white).sum(axis=1)
    own = np.unique((at[:, None] + np.arange(wide)) % len(white))
    usual = float(np.median(energy))
    loud = own[energy[own] > usual]
    if np.mean(energy[own]) > 1.5 * float(energy.mean()):
        white[loud] *= np.sqrt(usual / energy[loud])[:, None]
        back = np.where(weight > 0, 1.0 / np.where(weight > 0, weight, 1.0), 0.0)
        rest = filtered(white.reshape(-1), back)
    return rest


def _noise_of(x: np.ndarray, scatter: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise on the scale of healthy scatter, as loud as most of a record's bins: a damaged tooth is in fewer."""
    level = noise_level(np.fft.rfft(x), scatter)
    white = np.fft.rfft(rng.standard_normal(len(x))) / np.sqrt(len(x))
    return np.asarray(np.fft.irfft(white * np.sqrt(level * scatter), len(x)))


def _reach(
    x: np.ndarray, weight: np.ndarray, at: np.ndarray, wide: int, teeth: int, samples: int
) -> tuple[int, int, np.ndarray]:
    """Meshes before and after its own (so many) that the waveform of a tooth is found in; and what is left without.

    What is left beside the estimate, above what teeth usually hold and below the mesh nearer to the tooth, belongs to
    it: a housing rings on and dies away, while another damaged tooth stands out from the meshes before it.
    """
    beside = np.arange(teeth) - teeth // 2
    white = filtered(x, weight).reshape(-1, samples)
    energy = np.square(white[(at[:, None] + beside) % len(white)].mean(axis=0)).sum(axis=1)
    middle, reach = teeth // 2, [1, 1]
    most = 1, max(min(_REACH, (teeth - 1) // 4), 1)  # contact begins a mesh early, but nothing rings before it
    while True:
        before, after = reach
        rest = x - _repeated(x, weight, [((at - before) * samples, (before + wide + after) * samples)])
        white = filtered(rest, weight).reshape(-1, samples)
        left = np.square(white[(at[:, None] + beside) % len(white)].mean(axis=0)).sum(axis=1)
        usual = _USUAL * float(np.median(left[np.abs(beside) > most[1]]))
        more = []
        for side, way, own in ((0, -1, 0), (1, 1, wide - 1)):
            k = (middle + own + way * (reach[side] + 1)) % teeth
            more.append(reach[side] < most[side] and usual < left[k] and energy[k] < energy[k - way])
        if not any(more):
            return before, after, rest
        reach = [r + m for r, m in zip(reach, more, strict=True)]


def _repeated(x: np.ndarray, weight: np.ndarray, spans: list[tuple[np.ndarray, int]]) -> np.ndarray:
    """What waveforms that are repeated, each at its own starts and so many samples long, explain of a signal together.

    By least squares of the whitened signal, through the orders that are there.
    """
    size, power = len(x), weight**2
    combs, wanted = [], []
    spectrum = power * np.fft.rfft(x)
    for starts, length in spans:
        comb = np.zeros(size)
        np.add.at(comb, starts % size, 1.0)
        combs.append(np.fft.rfft(comb))
        wanted.append(np.fft.irfft(np.conj(combs[-1]) * spectrum, size)[:length])
    lags = [np.arange(length) for _, length in spans]

    def between(k: int, other: int) -> np.ndarray:
        together = np.fft.irfft(np.conj(combs[k]) * combs[other] * power, size)
        return together[(lags[k][:, None] - lags[other]) % size]

    every = range(len(spans))
    equations = np.block([[between(k, other) for other in every] for k in every])
    equations[np.diag_indices(len(equations))] += _RIDGE * equations.diagonal().max()
    found = np.split(np.linalg.solve(equations, np.concatenate(wanted)), np.cumsum([len(lag) for lag in lags])[:-1])
    spectra = [np.fft.rfft(waveform, size) * comb for waveform, comb in zip(found, combs, strict=True)]
    return np.asarray(np.fft.irfft(np.sum(spectra, axis=0) * (weight > 0), size))
