"""Simulated runs to failure of one gear, record by record, with their truth.

A record is one averaged revolution, as HUMS2023 has them: a signature that repeats, tones of other shafts that turn
freely, a load that moves the whole signature, days that differ a little, noise, a random start. A crack changes the
waveform around one tooth, and weaker half a revolution away (the other contact of a planet tooth): first it takes
away part of the tooth's own signature (the tooth grows quieter), then it adds a waveform of its own (louder).

The sizes are those of the healthy days 17-18 of HUMS2023, measured after alignment (share of the signature's energy):
broadband noise 7 %, a tone 5 %, load 1-2 % in a few shapes, difference of two days 2-3 %, gain 7 % (one sd). What the
crack does is an assumption, not a measurement, and so is how day differences follow one another (``memory``): two
healthy days show one difference; the default was set after a look at the alignment's correlation over the whole run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toothwise.errors import InputError
from toothwise.healthmap.runs import RunRecords

__all__ = ["RunConfig", "simulate_run"]

_DAYS = {17: 65, 18: 68, 19: 62, 20: 87, 21: 89, 22: 80, 23: 72, 24: 89, 25: 86, 26: 89, 27: 21}
_HEALTHY_BEFORE = 19  # day; a drawn onset is a day or more later


@dataclass(frozen=True)
class RunConfig:
    """The settings of a simulated run.

    Attributes:
        teeth, samples_per_tooth: the gear and the sampling.
        first_test_day: records are numbered from 1 from this day on.
        faulty: whether a tooth cracks; ``tooth`` and ``onset`` (record index) are drawn where None.
        growth: amplitude of the crack's own waveform at the last record, in parts of the tooth's amplitude.
        start: the same at onset; the growth between is exponential in the record.
        quieter: share of the tooth's own signature that the crack takes away before its own waveform dominates.
        noise, tone, load, day, gain: sizes as in the module's text (energy shares; gain as one sd).
        memory: correlation of a day's own difference with that of the day before (1 = random walk).
        outlier_share: records with three times the noise.
        gain_steps: indices of records from which on the whole record's gain changes by ``gain_step`` (factor).
    """

    teeth: int = 35
    samples_per_tooth: int = 117
    first_test_day: int = 21
    faulty: bool = True
    tooth: int | None = None
    onset: int | None = None
    growth: float = 1.5
    start: float = 0.05
    quieter: float = 0.4
    noise: float = 0.07
    tone: float = 0.05
    load: float = 0.015
    day: float = 0.013
    gain: float = 0.07
    memory: float = 0.5
    outlier_share: float = 0.02
    gain_steps: Sequence[int] = ()
    gain_step: float = 1.6


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.sum(np.abs(x) ** 2, axis=-1, keepdims=True))


def simulate_run(config: RunConfig | None = None, *, seed: int) -> RunRecords:
    """One run; same config and seed, same records.

    Returns:
        RunRecords with ``truth`` = {"faulty", "tooth", "onset", "onset_number", "amplitude"}; tooth 0 starts at the
        first sample of record 0 (rounded to whole teeth), as alignment counts.
    """
    c = config or RunConfig()
    rng = np.random.default_rng(seed)
    day = np.repeat(list(_DAYS), list(_DAYS.values()))
    n, samples = len(day), c.teeth * c.samples_per_tooth
    orders = np.arange(int(3.6 * c.teeth))
    # a housing resonance near the third mesh harmonic, a weaker one near the second, little below
    mesh = orders / c.teeth
    envelope = np.exp(-0.5 * ((mesh - 3.2) / 0.45) ** 2) + 0.5 * np.exp(-0.5 * ((mesh - 2.2) / 0.35) ** 2) + 0.03
    envelope[:: c.teeth] = 0.0

    def waveform(*shape: int) -> np.ndarray:
        z = rng.standard_normal((*shape, len(orders))) + 1j * rng.standard_normal((*shape, len(orders)))
        return z * envelope

    signature = _unit(waveform())
    drift = _unit(waveform(len(_DAYS))) * np.sqrt(c.day)
    for i in range(1, len(drift)):
        drift[i] = (
            c.memory * drift[i - 1] + np.sqrt(1 - min(c.memory, 1 - 1e-9) ** 2 if c.memory < 1 else 0.5) * drift[i]
        )
    shapes = _unit(waveform(3)) * np.sqrt(c.load)
    level = rng.standard_normal((n, 3))
    for i in range(1, n):  # the load cycle repeats roughly every other record
        level[i] = -0.3 * level[i - 1] + 0.4 * level[max(i - 2, 0)] + 0.85 * level[i]
    noise = waveform(n)
    noise *= np.sqrt(c.noise) / np.sqrt(np.mean(np.sum(np.abs(noise) ** 2, axis=1)))
    noise *= np.where(rng.random(n) < c.outlier_share, 3.0, 1.0)[:, None]
    tone = np.zeros((n, len(orders)), complex)
    free = [k for k in range(c.teeth + 2, len(orders) - 2) if k % c.teeth]
    first, second = rng.choice(free, 2, replace=False)
    turning = np.cumsum(4.6 + 0.2 * rng.standard_normal((n, 2)), axis=0)
    tone[:, first] = np.sqrt(c.tone) * np.exp(1j * turning[:, 0])
    tone[:, second] = np.sqrt(c.tone / 2) * np.exp(1.3j * turning[:, 1])
    gain = np.exp(c.gain * rng.standard_normal(n))
    for at in c.gain_steps:
        gain[at:] *= c.gain_step

    healthy = signature + np.repeat(drift, list(_DAYS.values()), axis=0) + level @ shapes
    truth: dict[str, object] = {"faulty": c.faulty, "tooth": None, "onset": None, "onset_number": None}
    start = rng.random(n) * c.teeth
    tooth, onset = int(rng.integers(c.teeth)), int(rng.integers(133 + 62, 560))
    number = np.where(day >= c.first_test_day, np.cumsum(day >= c.first_test_day), 0)
    if c.faulty:
        tooth = tooth if c.tooth is None else c.tooth
        onset = onset if c.onset is None else c.onset
        if not (0 <= tooth < c.teeth and 0 <= onset < n - 1):
            raise InputError(f"tooth must be in 0..{c.teeth - 1} and onset in 0..{n - 2}, but got {tooth} and {onset}")
        healthy = healthy + _crack(c, rng, waveform, signature, n, samples, tooth, onset)
        truth |= {"tooth": tooth, "onset": onset, "onset_number": int(number[onset])}
    spectra = gain[:, None] * (healthy + noise + tone)
    spectra = spectra * np.exp(-2j * np.pi * np.multiply.outer((start - start[0]) / c.teeth, orders))
    vibration = np.fft.irfft(spectra, samples, axis=1) * (samples / 2.0)
    name = np.array([f"Day{d:03d}_simulated_{i:04d}" for i, d in enumerate(day)])
    return RunRecords(
        vibration,
        c.teeth,
        name,
        day,
        number,
        source=f"simulated run to failure, seed {seed}",
        unit="1",
        truth=truth,
        healthy=day < _HEALTHY_BEFORE,
    )


def _crack(c, rng, waveform, signature, n, samples, tooth, onset):  # type: ignore[no-untyped-def]
    """Spectra ``[n, orders]`` that a crack adds: its own slowly changing waveform, minus part of the tooth's own."""
    angle = np.arange(samples) / c.samples_per_tooth

    def around(centre: float) -> np.ndarray:
        distance = (angle - centre + c.teeth / 2) % c.teeth - c.teeth / 2
        return np.exp(-0.5 * (distance / 0.6) ** 2)

    window = around(tooth + 0.5) + 0.4 * around(tooth + 0.5 + c.teeth / 2)
    progress = np.clip((np.arange(n) - onset) / (n - 1 - onset), 0.0, 1.0)
    amplitude = np.where(np.arange(n) >= onset, c.start * (c.growth / c.start) ** progress, 0.0)
    quieter = c.quieter * np.clip(2.0 * progress, 0.0, 1.0)
    orders = signature.shape[0]

    def localised(spectrum: np.ndarray) -> np.ndarray:
        x = np.fft.irfft(spectrum, samples) * window
        local = np.fft.rfft(x)[:orders]
        local[:: c.teeth] = 0.0
        return local

    early, late = localised(_unit(waveform())), localised(_unit(waveform()))
    own = np.outer(1 - progress, early) + np.outer(progress, late)
    return amplitude[:, None] * own - quieter[:, None] * localised(signature)
