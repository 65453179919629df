"""The scatter of healthy records at each order, and signals on its scale."""

from __future__ import annotations

import numpy as np

from toothwise.detectors.coherent.meshes import events

_DEAD = 1e-10  # of the strongest order's power: weaker ones were removed from the signal and hold rounding only
_LIFTED, _QUARTER = 0.01, 0.75  # least scatter, as a share of that which the loudest quarter of the orders exceeds
_PRIOR = 4.0  # records that the neighbouring orders count as, where an order's own scatter rests on few records
_NEIGHBOURS = 31  # orders that the neighbourhood spans
_BAND = 0.25  # mesh orders over which a record's own level is taken
_TONE = 16.0  # times the power around it: 12 dB, which no tooth reaches in so narrow a band


def scatter(power: np.ndarray, records: int, shape: tuple[int, ...]) -> np.ndarray:
    """Healthy power of each bin of the hunting period's spectrum; 0 = nothing is there.

    A bin's own power rests on as many records as there are, so it is drawn towards that of its neighbours of the
    same kind: orders of the rows' gear, orders of the columns' gear, and everything between them. What a filter has
    taken away is not lifted back by more than 20 dB: along its edge a record's level depends on the speed to the
    hundredth, so that few records say nothing of how loud the next one is there.

    Args:
        power: Mean power of healthy residuals ``[bins]``.
        records: How many are behind it, of which one is spent on the mean.
        shape: Rows and columns.
    """
    from scipy.ndimage import uniform_filter1d
    from scipy.special import digamma

    rows, columns = shape
    bins = np.arange(len(power))
    size = events(rows, columns)[0].size
    of_rows, of_columns = bins % (size // rows) == 0, bins % (size // columns) == 0
    out, live = np.zeros_like(power), power > _DEAD * power.max()
    free = max(records - 1.0, 1.0)
    low = np.exp(digamma(free)) / free  # the mean log of a power from few records lies below its log mean
    for kind, width in ((of_rows, 1), (of_columns & ~of_rows, 1), (~(of_rows | of_columns), min(rows, columns))):
        at = np.flatnonzero(kind & live)
        if at.size:
            near = np.exp(uniform_filter1d(np.log(power[at]), _NEIGHBOURS * width, mode="nearest")) / low
            own = max(records - 2.0, 0.0)
            out[at] = (own * power[at] + _PRIOR * near) / (own + _PRIOR)
    at = np.flatnonzero(out)
    out[at] = np.maximum(out[at], _LIFTED * np.quantile(out[at], _QUARTER)) if at.size else 0.0
    return out


def without_tones(x: np.ndarray, scatter: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Residuals in which a tone that is locked to no tooth (electrical hum, another machine) is as loud as the rest.

    A tooth rings for a few meshes at the most, so that its waveform fills a wide band, and the orders of its gear more
    than those between them. A tone is narrow and lies between them too: its beating would lift a few teeth.

    Args:
        x: Hunting periods less the healthy mean ``[n, samples]``; those with a tone are changed in place.
        scatter: Healthy power of each bin.
        shape: Rows and columns.

    Examples:
        >>> x = np.random.default_rng(0).standard_normal((1, 7 * 9 * 16))
        >>> hum = x + 3.0 * np.sin(np.arange(7 * 9 * 16) * 0.31 + 1e-5 * np.arange(7 * 9 * 16) ** 2)
        >>> near = without_tones(hum, np.ones(7 * 9 * 8 + 1), (7, 9)) - x
        >>> bool(np.std(near) < 0.5), bool((without_tones(x, np.ones(7 * 9 * 8 + 1), (7, 9)) == x).all())
        (True, True)
    """
    from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d

    rows, columns = shape
    (at, size), bins = _between(scatter, shape), np.arange(len(scatter))
    step = size // min(rows, columns)  # bins from one order of a gear to the next
    if len(at) < size:
        return x
    spectrum = np.fft.rfft(x)
    power = np.abs(spectrum[:, at]) ** 2 / scatter[at]
    near = uniform_filter1d(power, step, axis=1)
    # the middle of what is there one mesh order around, at every few bins: a median is slow
    some = np.arange(0, len(at), step)
    usual = median_filter(near[:, some], (1, 2 * (size // step) + 1), mode="nearest")
    loud = near > _TONE * np.stack([np.interp(np.arange(len(at)), some, row) for row in usual])
    for k in np.flatnonzero(loud.any(axis=1)):
        wide = maximum_filter1d(np.interp(bins, at, loud[k].astype(float)) > 0.0, step)
        most = np.sqrt(np.interp(bins, at[some], usual[k]) * scatter)
        size_of = np.abs(spectrum[k])
        spectrum[k] *= np.where(wide & (size_of > most), most / np.maximum(size_of, 1e-300), 1.0)
        x[k] = np.fft.irfft(spectrum[k], x.shape[1])
    return x


def evened(white: np.ndarray, scatter: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Whitened periods in which no band of orders is louder than most, between the orders of the gears.

    At the end of a filter, or near another machine's resonance, a record's noise may be several times as loud as that
    of the few learned: it would lift teeth by chance. A tooth that is alike at all mates adds nothing between orders.

    Args:
        white: Whitened hunting periods ``[n, samples]``.
        scatter: Healthy power of each bin.
        shape: Rows and columns.

    Examples:
        >>> white = np.random.default_rng(0).standard_normal((1, 7 * 9 * 16))
        >>> spectrum = np.fft.rfft(white)
        >>> spectrum[:, 400:] *= 4.0
        >>> even = np.fft.rfft(evened(np.fft.irfft(spectrum), np.ones(505), (7, 9)))
        >>> bool(np.std(even[:, 420:]) < 1.5 * np.std(even[:, :380]))
        True
    """
    from scipy.ndimage import uniform_filter1d

    at, size = _between(scatter, shape)
    if len(at) < size:
        return white
    spectrum = np.fft.rfft(white)
    power = uniform_filter1d(np.abs(spectrum[:, at]) ** 2, round(_BAND * size), axis=1, mode="nearest")
    for own, level, usual in zip(spectrum, power, np.median(power, axis=1), strict=True):
        if usual > 0:  # a record that is the healthy mean itself has nothing to even
            own /= np.sqrt(np.interp(np.arange(len(scatter)), at, np.maximum(level / usual, 1.0)))
    return np.fft.irfft(spectrum, white.shape[1])


def _between(scatter: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Bins that are heard and are no order of either gear; and mesh events."""
    rows, columns = shape
    size, bins = events(rows, columns)[0].size, np.arange(len(scatter))
    return np.flatnonzero((bins % (size // rows) > 0) & (bins % (size // columns) > 0) & (scatter > 0)), size


def noise_level(spectrum: np.ndarray, scatter: np.ndarray) -> float:
    """How loud a record's noise is, on the scale of healthy scatter: most of its bins hold noise alone.

    The power of noise has an exponential distribution, whose mean is its median over the logarithm of 2.
    """
    live = scatter > 0
    return float(np.median(np.abs(spectrum[live]) ** 2 / scatter[live]) / np.log(2.0))


def weight_of(scatter: np.ndarray) -> np.ndarray:
    """What each bin is multiplied by to be on its healthy scatter; 0 where nothing is."""
    return np.where(scatter > 0, 1.0 / np.sqrt(np.where(scatter > 0, scatter, 1.0)), 0.0)


def whitened(rest: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Every bin divided by its healthy scatter."""
    return filtered(rest, weight_of(scatter))


def filtered(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A closed period ``[..., n]`` whose bins are multiplied by a weight each."""
    return np.fft.irfft(np.fft.rfft(x) * weight, x.shape[-1])
