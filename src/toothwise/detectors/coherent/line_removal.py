"""What one tooth adds to its meshes: where it lies along the line, and the waveforms without it.

Orders that were removed from the signal (mesh lines, sidebands) have taken a known part of every tooth's waveform with
them, which shows at the other teeth as their share of what is missing. So the waveform is estimated by weighted least
squares through the orders that are there, and its image through the same orders is taken off: with the tooth goes
what it left at its neighbours.
"""

from __future__ import annotations

import numpy as np

from toothwise.detectors.coherent.meshes import lines
from toothwise.detectors.coherent.whitening import filtered, weight_of

_REACH = 4  # meshes to either side that the waveform of a tooth may reach into: contact begins early, housings ring
_USUAL = 2.0  # times the energy of the usual tooth, below which a neighbour holds nothing of it
_FAR, _PLAIN = 0.3, 2.0  # share of a tooth's energy two meshes from it, and times the usual, that a neighbour adds
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


def neighbour(energy: np.ndarray, tooth: int) -> int | None:
    """The tooth beside a damaged one that is damaged too; None where one explains all.

    The whitened waveform of one tooth reaches into the mesh before it and the one behind, and hardly further; that of
    two neighbours is a mesh longer, so that two meshes from the loudest there is still much of it.

    Args:
        energy: Of the whitened waveform of each tooth of the gear, over the usual one ``[teeth]``.
        tooth: The loudest.

    Examples:
        >>> one, two = np.ones((2, 20))
        >>> one[3:6], two[3:7] = (1.5, 9.0, 5.0), (1.5, 9.0, 4.0, 7.0)
        >>> neighbour(one, 4), neighbour(two, 4)
        (None, 5)
    """
    n = len(energy)
    far = {step: float(energy[(tooth + 2 * step) % n]) - 1.0 for step in (-1, 1)}
    step = max(far, key=lambda k: far[k])
    beyond = float(energy[(tooth + 3 * step) % n]) - 1.0  # more there is that of a tooth further away
    if n < 2 * _REACH or far[step] < max(_FAR * (float(energy[tooth]) - 1.0), _PLAIN, beyond):
        return None
    return (tooth + step) % n


def without_line(
    x: np.ndarray,
    scatter: np.ndarray,
    shape: tuple[int, ...],
    axis: int,
    tooth: int,
    places: slice,
    *,
    contacts: bool,
) -> np.ndarray:
    """A hunting period less what a tooth adds at its meshes with some mates.

    Args:
        x: One hunting period less the healthy mean ``[events * samples]``.
        scatter: Healthy power of each bin.
        shape, axis, tooth: As of ``along_line``.
        places: The mates.
        contacts: The tooth touches another mate half a revolution away, where it adds a waveform of its own.
    """
    teeth, mates, samples = shape[axis - 1], shape[2 - axis], shape[2]
    at = tooth + np.arange(len(x) // samples // teeth) * teeth
    at = at[np.isin(at % mates, np.arange(mates)[places])]
    weight = weight_of(scatter)
    halves = sorted({teeth // 2, -(-teeth // 2)}) if contacts else []
    for away in (0, *halves):
        x = _less_tooth(x, weight, at + away, teeth, samples)
    # what differs from mate to mate is not in the mean waveform: no mesh of the tooth stays louder than others are
    white = filtered(x, weight).reshape(-1, samples)
    energy = np.square(white).sum(axis=1)
    own = at % len(white)
    usual = float(np.median(energy))
    loud = own[energy[own] > usual]
    if np.mean(energy[own]) > 1.5 * float(energy.mean()):
        white[loud] *= np.sqrt(usual / energy[loud])[:, None]
        back = np.where(weight > 0, 1.0 / np.where(weight > 0, weight, 1.0), 0.0)
        x = filtered(white.reshape(-1), back)
    return x


def _less_tooth(x: np.ndarray, weight: np.ndarray, at: np.ndarray, teeth: int, samples: int) -> np.ndarray:
    """Less what repeats at the events of a tooth, over as many meshes beside its own as it is found to reach into.

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
        rest = _less_repeated(x, weight, (at - before) * samples, (before + 1 + after) * samples)
        white = filtered(rest, weight).reshape(-1, samples)
        left = np.square(white[(at[:, None] + beside) % len(white)].mean(axis=0)).sum(axis=1)
        usual = _USUAL * float(np.median(left[np.abs(beside) > most[1]]))
        more = []
        for side, way in enumerate((-1, 1)):
            k = middle + way * (reach[side] + 1)
            more.append(reach[side] < most[side] and usual < left[k] and energy[k] < energy[k - way])
        if not any(more):
            return rest
        reach = [r + m for r, m in zip(reach, more, strict=True)]


def _less_repeated(x: np.ndarray, weight: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Less the one waveform of a length that, repeated at every start, explains most of the whitened signal."""
    size = len(x)
    comb = np.zeros(size)
    np.add.at(comb, starts % size, 1.0)
    repeated, power = np.fft.rfft(comb), weight**2
    kernel = np.fft.irfft(np.abs(repeated) ** 2 * power, size)
    lag = np.arange(length)
    equations = kernel[np.abs(lag[:, None] - lag[None])]
    equations[lag, lag] += _RIDGE * kernel[0]
    wanted = np.fft.irfft(np.conj(repeated) * power * np.fft.rfft(x), size)[:length]
    waveform = np.zeros(size)
    waveform[:length] = np.linalg.solve(equations, wanted)
    return x - np.fft.irfft(np.fft.rfft(waveform) * repeated * (weight > 0), size)
