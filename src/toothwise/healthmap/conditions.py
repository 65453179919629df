"""Conditions that a healthy waveform was learned at, and what lies outside them.

A gearbox at another speed or load moves other housing modes: its sound teeth differ from those that were learned, and
what differs would be taken for damage. Such a record is not compared with them. Neither is one in which the healthy
waveform is hardly heard: another sensor, another place or another gearbox. Damage must not look like that, so level,
correlation and noise are measured without the loudest lines of either gear, and noise that rises (wear and ruined
gears raise it too) only explains why a waveform fits worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from toothwise.healthmap.waveform import HealthyWaveform
    from toothwise.vibration.periods import Periods

SWINGS = ("row_swing", "column_swing")  # of the rows' gear and the columns': columns of a map's table
Conditions = dict[str, tuple[float, float]]
# Share of a value by which it may lie outside what was learned: with 2 to 6 % damping in the housing, healthy records
# of two gearboxes of another generator began to alarm at 6 % more speed.
_SLOWEST, _FASTEST = "speed at its slowest", "speed at its fastest"
_NEAR = {"speed": 0.04, _SLOWEST: 0.04, _FASTEST: 0.04, "load": 0.1}
# and of the mean speed, beside half of how far it varies within records: what a resonance of 1.5 % damping bears
_SHARP = 0.005
_LASTS = 0.05  # share of the revolutions in which a record is at its slowest, or at its fastest
_LEVEL = 4.0  # times by which the level may: 12 dB is another sensor or gain and no gearbox
_FITS = 0.5  # share of the lowest correlation learned below which a record does not sound like this gearbox
_ALIKE = 0.3  # correlation learned below which teeth are too much alike for a waveform to be missed
_NOISY = 2.0  # times the highest noise learned from which on that is why
PATTERNS = ("row_pattern", "column_pattern")  # in ``heard`` and what was learned: the rows' gear and the columns'
_SAME = 0.7  # share of the teeth's healthy pattern below which they are other teeth
_LIVE, _SILENT = 0.6, 1e-12  # share of a gear's orders that a pattern needs, and of power below which one was removed
_ONE_TOOTH = 0.6  # share of what differs from the healthy pattern at one tooth and those beside it: damage of that one
_ERRORS = 2.0  # standard errors by which it may be more
_CLIPPED = 0.001  # of a recording's samples: more than a few impacts that meet the end of the range
TRIMMED = 0.25  # share of a gear's lines that may be damage
# mesh orders over which a transfer path is taken to change little at another speed, and at one that was learned
_BAND, _WIDE = 0.2, 0.5
_UNITS = dict.fromkeys(("speed", _SLOWEST, _FASTEST), " rev/s")


def trimmed_gain(
    own: np.ndarray, shared: np.ndarray, whole: np.ndarray, n: int, trimmed: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Gain of a waveform in a signal by least trimmed squares, as the lines of a gear may hold damage.

    Args:
        own, shared, whole: Per mesh event: energy of the waveform, its product with the signal, energy of the signal.
        n: Teeth of the gear.
        trimmed: Share of its lines that may be left out.

    Returns:
        The gain, what it leaves of each line, and which lines were kept.
    """
    line, keep = np.arange(len(own)) % n, np.ones(n, dtype=bool)
    for _ in range(2):  # once with all lines, then with those kept
        kept = keep[line]
        gain = max(float(shared[kept].sum()) / max(float(own[kept].sum()), 1e-300), 0.0)
        rest = np.bincount(line, whole - 2.0 * gain * shared + gain**2 * own, n)
        keep = rest <= np.sort(rest)[n - 1 - int(trimmed * n)]
    return gain, rest, keep


def heard(waveform: HealthyWaveform, signal: np.ndarray, teeth: tuple[int, int]) -> dict[str, float]:
    """How the healthy waveform is heard in a record, without the loudest lines of a gear.

    Args:
        waveform: The healthy waveform.
        signal: ``[n]``, turned onto it.
        teeth: Of the rows' gear and of the columns'.

    Returns:
        ``level`` of the waveform in it and ``noise`` (median of the mesh events), both in the signal's unit,
        ``correlation``, and ``PATTERNS``: how much of its healthy tooth pattern each gear shows, at the most.
    """
    here, there = (np.reshape(x, (-1, waveform.samples_per_tooth)) for x in (waveform.values, signal))
    own, shared, whole = (np.einsum("ij,ij->i", a, b) for a, b in ((here, here), (here, there), (there, there)))
    least, found = np.inf, {"level": 0.0, "noise": 0.0, "correlation": 0.0}
    for n in teeth:
        gain, line, keep = trimmed_gain(own, shared, whole, n, TRIMMED)
        if (rest := float(line[keep].sum())) < least:
            least = rest
            kept = keep[np.arange(len(own)) % n]
            left = whole - 2.0 * gain * shared + gain**2 * own
            both = float(np.sqrt(own[kept].sum() * whole[kept].sum()))
            found = {
                "level": gain * float(np.sqrt(np.mean(np.square(here)))),
                "noise": float(np.sqrt(np.median(np.maximum(left, 0.0)) / waveform.samples_per_tooth)),
                "correlation": float(shared[kept].sum()) / max(both, 1e-300),
            }
    patterns = {name: _pattern(here, there, n) for name, n in zip(PATTERNS, teeth, strict=True)}
    # how loud the teeth are, of gears of which that is known, tells the gain
    usual = float(np.clip(max((max(one) for one in patterns.values() if one), default=1.0), 1.0 / _LEVEL, 1.0))
    return found | {name: one[0] / usual if one else 1.0 for name, one in patterns.items()}


def _pattern(here: np.ndarray, there: np.ndarray, n: int) -> tuple[float, float] | None:
    """Upper end of the gain of a gear's tooth pattern in a record, and how loud the record's own one is beside it.

    The pattern is what a tooth adds to all its meshes, unlike the usual tooth. Each tooth tells a gain, of which the
    median counts: damage, and wear that comes on top, leave the healthy pattern in the others, while another gear has a
    pattern of its own. None where it cannot be told: few of the gear's orders are left, so that one damaged tooth is
    spread over all, or one tooth holds most of what is new.

    Args:
        here, there: Waveform of each mesh event, healthy and of the record ``[events, samples]``.
        n: Teeth of the gear.
    """
    lines = there.reshape(-1, n, there.shape[1])
    own, other = here.reshape(lines.shape).mean(axis=0), lines.mean(axis=0)
    of_noise = np.square(lines - other).mean(axis=0).sum(axis=1) / max(len(lines) - 1, 1)
    own, other = own - own.mean(axis=0), other - other.mean(axis=0)
    weight = np.square(own).sum(axis=1)
    orders = np.abs(np.fft.rfft(here.reshape(-1))[:: len(lines)]) ** 2
    orders[::n] = 0.0  # those of the mesh tell no tooth from another
    live = float(np.mean(orders > _SILENT * orders.max())) * n / (n - 1)
    if live < _LIVE or not weight.all():
        return None

    def median(x: np.ndarray) -> float:
        return float(np.quantile(x, 0.5, weights=weight, method="inverted_cdf"))

    gains = (own * other).sum(axis=1) / weight
    gain = median(gains)
    new = np.square(other - own).sum(axis=1)
    peak = int(new.argmax())
    if new.take(range(peak - 1, peak + 2), mode="wrap").sum() > _ONE_TOOTH * new.sum():
        return None
    error = 1.4826 * median(np.abs(gains - gain)) * float(np.sqrt(np.pi / 2.0 / n))
    power = (np.square(other).sum(axis=1) - of_noise) / weight
    return gain + _ERRORS * error, float(np.sqrt(max(median(power), 0.0)))


def gear_level(sound: Mapping[str, float]) -> float:
    """How loud a record is without the loudest lines of a gear, which may be damage: waveform and noise (``heard``)."""
    return float(np.hypot(sound["level"], sound["noise"]))


def as_of_longer(
    sound: Mapping[str, float], learned: Mapping[str, tuple[float, float]], periods: int, worth: float
) -> dict[str, float]:
    """How a record is heard (``heard``), less what an average of fewer hunting periods may hold more noise.

    Args:
        sound, periods: Of the record, and its hunting periods.
        learned, worth: Conditions that were learned, and the periods behind; 0 = unknown.

    Examples:
        >>> learned = {"noise": (0.9, 1.1)}
        >>> [as_of_longer({"noise": noise}, learned, 1, 4)["noise"] for noise in (0.5, 1.9, 3.0)]
        [0.5, 1.0, 1.5]
    """
    if not 0 < periods < worth or "noise" not in learned:
        return dict(sound)
    usual = sum(learned["noise"]) / 2.0
    return {**sound, "noise": min(sound["noise"], max(usual, sound["noise"] * float(np.sqrt(periods / worth))))}


def _conditions(periods: Periods) -> dict[str, float]:
    """Speed of the reference shaft and how far it varies, and the load where the recording says it."""
    found = {"speed": float(np.mean(periods.angle.speed()))}
    first, last = periods.angle.span
    if last - first > 2.0:  # by whole revolutions: within one, marks that are not evenly spaced look like speed
        each = 1.0 / np.diff(periods.angle.time_of(np.arange(first, last)))
        found[_SLOWEST], found[_FASTEST] = map(float, np.nanquantile(each, (_LASTS, 1.0 - _LASTS)))
    load = periods.condition.get("load")
    return found | ({"load": float(load)} if isinstance(load, int | float) and np.isfinite(load) else {})


def learned_conditions(
    periods: Sequence[Periods], sounds: Sequence[Mapping[str, float]] = (), unplaced: Sequence[Periods] = ()
) -> Conditions:
    """Lowest and highest value of each condition that all records say.

    Args:
        periods: Of the healthy records.
        sounds: How the waveform of the others is heard in each of them (``heard``); empty = there are no others.
        unplaced: Further healthy records, of which nothing but speed and load is known. Those that are near count: the
            scatter that a model learns holds them too. Others may be no records of this gearbox.
    """
    each = [_conditions(one) for one in periods]
    if sounds:
        each = [{**one, **sound} for one, sound in zip(each, sounds, strict=True)]
    known = set.intersection(*map(set, each))
    found = {name: (min(one[name] for one in each), max(one[name] for one in each)) for name in sorted(known)}
    for one in map(_conditions, unplaced):
        ends = {name: found[name] for name in one if name in found}
        if all(low - _NEAR[n] * abs(low) <= one[n] <= high + _NEAR[n] * abs(high) for n, (low, high) in ends.items()):
            found |= {name: (min(low, one[name]), max(high, one[name])) for name, (low, high) in ends.items()}
    return found


def not_learned(
    learned: Mapping[str, tuple[float, float]], periods: Periods, sound: Mapping[str, float] | None = None
) -> str:
    """Which condition of a record lies outside those that were learned; "" = none.

    Args:
        learned: As ``learned_conditions`` gives it.
        periods: Of the record.
        sound: How the healthy waveform is heard in it.
    """
    for name, value in _conditions(periods).items():
        low, high = learned.get(name, (value, value))
        margin = _NEAR[name] * max(abs(low), abs(high))
        below, above = margin, margin
        if name == "speed" and _SLOWEST in learned and _FASTEST in learned:
            least = _SHARP * high
            below, above = (
                min(margin, least + max(away, 0.0) / 2.0)
                for away in (low - learned[_SLOWEST][0], learned[_FASTEST][1] - high)
            )
        slow, fast = value < low - below, value > high + above
        if (slow and name != _FASTEST) or (fast and name != _SLOWEST):
            return f"{name} {value:.4g}{_UNITS.get(name, '')} was not learned ({low:.4g} to {high:.4g})"
    if sound is None:
        return ""
    if learned.get("correlation", (0.0, 0.0))[0] < _ALIKE:
        return _other_teeth(learned, periods, sound)
    low, high = learned["level"]
    # noise that explains a worse fit has come on top: a record at no place is all noise, and as loud as it was
    loudest = float(np.hypot(high, _NOISY * learned["noise"][1]))
    noisy = sound["noise"] > _NOISY * learned["noise"][1] and gear_level(sound) > loudest
    fits = sound["correlation"] >= _FITS * learned["correlation"][0]
    if sound["level"] > _LEVEL * high or (sound["level"] < low / _LEVEL and not noisy):
        return f"level {sound['level']:.3g} of the healthy waveform was not learned ({low:.3g} to {high:.3g})"
    if not fits and not noisy:
        low, high = learned["correlation"]
        there = f"correlation {sound['correlation']:.2f} with the healthy waveform"
        return f"{there} was not learned ({low:.2f} to {high:.2f})"
    return _other_teeth(learned, periods, sound)


def _other_teeth(learned: Mapping[str, tuple[float, float]], periods: Periods, sound: Mapping[str, float]) -> str:
    """Of which gear the teeth are others than those that were learned; "" = of none."""
    lows = {name: learned.get(name, (0.0, 0.0))[0] for name in PATTERNS}
    others = [name for name, low in lows.items() if low > _SAME and sound.get(name, low) < _SAME * low]
    if not others:
        return ""
    gears = [axis.split()[0] for axis, _ in periods.gears.axes]
    named = " and ".join(gears[PATTERNS.index(name)] for name in others)
    found, low, high = min((sound[name], *learned[name]) for name in others)
    return (
        f"pattern of the {named} teeth was not learned: at most {max(found, 0.0):.2f} of the healthy one is there "
        f"({low:.2f} to {high:.2f} in healthy records), as after a gear was exchanged or in the other direction of "
        "rotation"
    )


def clipping_not_learned(learned: Mapping[str, tuple[float, float]], share: float) -> str:
    """Why a recording is not compared whose samples are clipped more often than learned; "" = they are not.

    A cut waveform differs from the healthy one most where teeth are loud, so that sound ones look damaged.

    Args:
        learned: As ``learned_conditions`` gives it, with the shares "clipped" of the healthy recordings.
        share: Of the recording's samples.

    Examples:
        >>> clipping_not_learned({"clipped": (0.0, 0.0)}, 0.024)
        'clipped samples, 2.4 %, were not learned (0 to 0 %)'
    """
    low, high = learned.get("clipped", (share, share))
    if share <= high + _CLIPPED:
        return ""
    return f"clipped samples, {100 * share:.3g} %, were not learned ({100 * low:.3g} to {100 * high:.3g} %)"


def less_by_order(signal: np.ndarray, known: np.ndarray, events: int, *, sound: np.ndarray | None = None) -> np.ndarray:
    """A closed period ``[n]`` less a known one, whose gain and phase may change from order to order but not abruptly.

    Args:
        signal: Of the record.
        known: Of healthy records.
        events: Mesh events that both span.
        sound: At a speed that was learned, bool ``[events]``: those that gains are read from. There they change little,
            so that they are read over wider bands, less what noise alone would show. None = at another speed.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> known = rng.standard_normal(6400)
        >>> heard = np.fft.irfft(np.fft.rfft(known) * np.exp(1j + np.linspace(0.0, 2.0, 3201)))
        >>> rest = less_by_order(heard, known, 400)
        >>> bool(np.std(rest) < 0.05 * np.std(heard))
        True
        >>> noise = rng.standard_normal(6400)
        >>> rest = less_by_order(noise, known, 400, sound=np.arange(400) > 9)
        >>> bool(np.std(rest - noise) < 0.1)
        True
    """
    from scipy.signal import oaconvolve

    window = np.hanning((round((_BAND if sound is None else _WIDE) * events) | 1) + 2)[1:-1]
    heard = 1.0 if sound is None else np.repeat(sound, len(signal) // events)
    x, y = np.fft.rfft(signal * heard), np.fft.rfft(known * heard)
    power, own, shared = (oaconvolve(p, window, "same") for p in (np.abs(y) ** 2, np.abs(x) ** 2, x * np.conj(y)))
    live = power > 1e-12 * power.max()
    gain = np.where(live, shared / np.where(live, power, 1.0), 0.0)
    if sound is not None:
        # by chance alone the known period explains as much of a band as one of its bins is
        explained = np.where(live, np.abs(shared) ** 2 / np.maximum(power * own, 1e-300), 0.0)
        bins = max(window.sum() ** 2 / np.square(window).sum() * float(sound.mean()), 2.0)
        gain *= np.clip(1.0 - (1.0 - explained) / np.maximum((bins - 1.0) * explained, 1e-300), 0.0, 1.0)
    return np.fft.irfft(np.fft.rfft(signal) - np.fft.rfft(known) * gain, len(signal))
