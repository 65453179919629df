"""Simulated runs to failure of one gear, record by record, with their truth.

A record is one averaged revolution: a signature that repeats, tones of other shafts that turn freely, a load that moves
the whole signature, a drift that is no damage, noise, a random start. A crack changes the waveform around one tooth
and, of a planet gear, around the place half a revolution away, where the same tooth meets the other mate. It adds a
waveform of its own, and may first take away part of the tooth's signature, so that the tooth grows quieter.

No simulator knows how a real gearbox drifts, so the kind of drift is a setting. How many days there are and how long,
how much they differ, how large the crack grows, whether it begins quieter and how strong the second contact is are
drawn over a range from the seed where the settings do not say, so that no method can be tuned to one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from toothwise.checks import check_choice
from toothwise.errors import InputError
from toothwise.healthmap.runs import RunRecords

DRIFTS = ("days", "walk", "path", "warming", "signature")


@dataclass(frozen=True)
class RunConfig:
    """The settings of a simulated run; those that are None are drawn from the seed.

    Attributes:
        teeth: Teeth of the gear.
        samples_per_tooth: Samples of a revolution, per tooth.
        days: Records of each day; drawn: 7 to 12 days of 40 to 100 records.
        healthy_days: The first days, which are known to be healthy; drawn: 2 to 4.
        faulty: Whether a tooth cracks.
        tooth, onset: The tooth that cracks and the index of the first record that shows it; the onset is drawn from
            the first half of the days that are not known to be healthy.
        growth: Amplitude of the crack's own waveform at the last record, in parts of the tooth's; drawn: 0.6 to 2.5.
        start: The same at onset; the growth between is exponential in the record.
        quieter: Share of the tooth's own signature that the crack takes away while it grows; drawn: 0 to 0.5.
        second_contact: Strength of the crack half a revolution away; 0 is a gear with one mate. Drawn: 0 in every
            other run, else 0.3 to 1.
        drift: How the signature drifts without damage, one of ``DRIFTS``: every *day* has a difference of its own, with
            some memory of the day before; a slowing random *walk* of days; the transfer *path* changes, all teeth
            alike, from day to day and within days; *warming* moves the signature within each day along one direction;
            a random walk with random phases that is as local as the *signature*, so that loud teeth drift most.
        day: Size of the drift, as energy share of two days' difference; drawn: 0.005 to 0.05.
        local: How much teeth differ in loudness, one sd of the log amplitude; drawn: 0 to 0.6.
        colour: How much orders differ in how they drift and in their noise, beside the resonances, one sd of the log
            amplitude; drawn: 0 to 1.2.
        noise, tone, load: Shares of energy of broadband noise, of a free tone and of what the load moves.
        gain: Gain of records, one sd of its logarithm.
        outlier_share: Share of records with three times the noise.
        gain_steps: Indices of records from which on the whole record's gain changes by ``gain_step`` (factor).

    Raises:
        InputError: An unknown kind of drift.
    """

    teeth: int = 35
    samples_per_tooth: int = 24
    days: Sequence[int] | None = None
    healthy_days: int | None = None
    faulty: bool = True
    tooth: int | None = None
    onset: int | None = None
    growth: float | None = None
    start: float = 0.05
    quieter: float | None = None
    second_contact: float | None = None
    drift: str = "days"
    day: float | None = None
    local: float | None = None
    colour: float | None = None
    noise: float = 0.07
    tone: float = 0.05
    load: float = 0.015
    gain: float = 0.07
    outlier_share: float = 0.02
    gain_steps: Sequence[int] = ()
    gain_step: float = 1.6

    def __post_init__(self) -> None:
        check_choice(DRIFTS, drift=self.drift)


def _drawn(config: RunConfig, rng: np.random.Generator) -> Any:  # none of its settings is None
    """The settings with those that are None drawn; what one of them is never moves the others."""
    count, contact = int(rng.integers(7, 13)), float(rng.uniform(0.3, 1.0)) * float(rng.integers(2))
    values: dict[str, Any] = {
        "days": tuple(rng.integers(40, 101, count).tolist()),
        "healthy_days": int(rng.integers(2, 5)),
        "growth": float(rng.uniform(0.6, 2.5)),
        "quieter": float(rng.uniform(0.0, 0.5)),
        "second_contact": contact,
        "day": float(np.exp(rng.uniform(np.log(0.005), np.log(0.05)))),
        "local": float(rng.uniform(0.0, 0.6)),
        "colour": float(rng.uniform(0.0, 1.2)),
        "tooth": int(rng.integers(config.teeth)),
    }
    place = float(rng.random())
    names = [f.name for f in fields(config) if getattr(config, f.name) is None and f.name in values]
    found: Any = replace(config, **{name: values[name] for name in names})
    if found.onset is None:
        known, n = sum(found.days[: found.healthy_days]), sum(found.days)
        found = replace(found, onset=known + int(place * (n - known) / 2))
    return found


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.sum(np.abs(x) ** 2, axis=-1, keepdims=True))


def simulate_run(config: RunConfig | None = None, *, seed: int) -> RunRecords:
    """One run; same config and seed, same records.

    Returns:
        RunRecords whose days and numbers count from 1, with ``truth`` = {"faulty", "tooth", "onset", "onset_number",
        "drift", "second_contact"}; tooth 0 starts at the first sample of record 0 (rounded to whole teeth), as
        alignment counts.

    Raises:
        InputError: A tooth or an onset that the run does not have.

    Examples:
        >>> from toothwise.simulate.runs import RunConfig, simulate_run
        >>> run = simulate_run(RunConfig(days=(30, 40, 50), healthy_days=2, tooth=5), seed=0)
        >>> len(run), run.teeth, int(run.healthy.sum()), run.truth["tooth"]
        (120, 35, 70, 5)
    """
    rng = np.random.default_rng(seed)
    c = _drawn(config or RunConfig(), rng)
    day = np.repeat(np.arange(1, len(c.days) + 1), c.days)
    n, samples = len(day), c.teeth * c.samples_per_tooth
    orders = np.arange(int(3.6 * c.teeth))
    # two housing resonances somewhere in the range, little elsewhere
    mesh = orders / c.teeth
    centre, width, second = rng.uniform(1.3, 3.3), rng.uniform(0.3, 0.7), rng.uniform(0.6, 3.3)
    envelope = np.exp(-0.5 * ((mesh - centre) / width) ** 2) + 0.5 * np.exp(-0.5 * ((mesh - second) / 0.35) ** 2) + 0.03
    envelope[:: c.teeth] = 0.0

    def waveform(*shape: int) -> np.ndarray:
        z = rng.standard_normal((*shape, len(orders))) + 1j * rng.standard_normal((*shape, len(orders)))
        return z * envelope

    def shaped(spectra: np.ndarray, window: np.ndarray) -> np.ndarray:
        local = np.fft.rfft(np.fft.irfft(spectra, samples) * window)[..., : len(orders)]
        local[..., :: c.teeth] = 0.0
        return local

    loud = np.repeat(np.exp(c.local * rng.standard_normal(c.teeth)), c.samples_per_tooth)
    signature = _unit(shaped(waveform(), loud))
    drifting, hissing = np.exp(c.colour * rng.standard_normal((2, len(orders))))
    drift = _drift(c, rng, lambda *shape: waveform(*shape) * drifting, shaped, signature, day)
    shapes = _unit(waveform(3)) * np.sqrt(c.load)
    level = rng.standard_normal((n, 3))
    for i in range(1, n):  # the load cycle repeats roughly every other record
        level[i] = -0.3 * level[i - 1] + 0.4 * level[max(i - 2, 0)] + 0.85 * level[i]
    noise = waveform(n) * hissing
    noise *= np.sqrt(c.noise) / np.sqrt(np.mean(np.sum(np.abs(noise) ** 2, axis=1)))
    noise *= np.where(rng.random(n) < c.outlier_share, 3.0, 1.0)[:, None]
    tone = np.zeros((n, len(orders)), complex)
    free = [k for k in range(c.teeth + 2, len(orders) - 2) if k % c.teeth]
    one, other = rng.choice(free, 2, replace=False)
    turning = np.cumsum(4.6 + 0.2 * rng.standard_normal((n, 2)), axis=0)
    tone[:, one] = np.sqrt(c.tone) * np.exp(1j * turning[:, 0])
    tone[:, other] = np.sqrt(c.tone / 2) * np.exp(1.3j * turning[:, 1])
    gain = np.exp(c.gain * rng.standard_normal(n))
    for at in c.gain_steps:
        gain[at:] *= c.gain_step

    found = signature + drift + level @ shapes
    truth: dict[str, object] = {"faulty": c.faulty, "tooth": None, "onset": None, "onset_number": None}
    truth |= {"drift": c.drift, "second_contact": c.second_contact}
    start = rng.random(n) * c.teeth
    if c.faulty:
        if not (0 <= c.tooth < c.teeth and 0 <= c.onset < n - 1):
            raise InputError(
                f"tooth must be in 0..{c.teeth - 1} and onset in 0..{n - 2}, but got {c.tooth} and {c.onset}"
            )
        found = found + _crack(c, waveform, shaped, signature, n, samples)
        truth |= {"tooth": c.tooth, "onset": c.onset, "onset_number": c.onset + 1}
    spectra = gain[:, None] * (found + noise + tone)
    spectra = spectra * np.exp(-2j * np.pi * np.multiply.outer((start - start[0]) / c.teeth, orders))
    return RunRecords(
        np.fft.irfft(spectra, samples, axis=1) * (samples / 2.0),
        c.teeth,
        np.array([f"day{d:02d}_simulated_{i:04d}" for i, d in enumerate(day, 1)]),
        day,
        np.arange(1, n + 1),
        source=f"simulated run to failure, seed {seed}",
        unit="1",
        gear={"planet": c.teeth} if c.second_contact else {},
        truth=truth,
        healthy=day <= c.healthy_days,
    )


_Draw = Callable[..., np.ndarray]


def _drift(
    c: Any, rng: np.random.Generator, waveform: _Draw, shaped: _Draw, signature: np.ndarray, day: np.ndarray
) -> np.ndarray:
    """What drift adds to the signature of every record, ``[n, orders]``."""
    count, size = len(c.days), np.sqrt(c.day / 2.0)
    within = np.concatenate([np.arange(k) / max(k, 1) for k in c.days])  # of the day, 0 to 1
    steps = waveform(count)
    if c.drift == "days":
        own = _unit(steps) * size
        memory = rng.uniform(0.0, 0.8)
        for i in range(1, count):
            own[i] = memory * own[i - 1] + np.sqrt(1.0 - memory**2) * own[i]
        return own[day - 1]
    if c.drift == "path":
        # gain and phase of the path, smooth over orders, alike for every tooth
        smooth = np.exp(-0.5 * (np.arange(-60, 61) / 15.0) ** 2)
        raw = rng.standard_normal((2 * count, len(signature))) + 1j * rng.standard_normal((2 * count, len(signature)))
        path = np.stack([np.convolve(np.pad(row, 60, "wrap"), smooth, "valid") for row in raw])
        path *= size / np.sqrt(np.mean(np.abs(path) ** 2))
        days, warm = np.cumsum(path[:count], axis=0) / np.sqrt(2.0), path[count:]
        moved = days[day - 1] + warm[day - 1] * (1.0 - np.exp(-3.0 * within))[:, None]
        return signature * (np.exp(moved) - 1.0)
    if c.drift == "warming":
        along, own = _unit(steps[0]) * size * 1.5, _unit(steps) * size * 0.7
        reach = 1.0 + 0.4 * rng.standard_normal(count)
        return own[day - 1] + np.multiply.outer(reach[day - 1] * (1.0 - np.exp(-4.0 * within)), along)
    if c.drift == "signature":
        samples = c.teeth * c.samples_per_tooth
        envelope = np.sqrt(np.convolve(np.tile(np.fft.irfft(signature, samples) ** 2, 3), np.hanning(24), "same"))
        steps = shaped(steps, envelope[samples : 2 * samples])
    pace = 1.0 / np.sqrt(1.0 + 0.5 * np.arange(count))  # a gear that runs in drifts ever more slowly
    return np.cumsum(_unit(steps) * size * pace[:, None], axis=0)[day - 1]


def _crack(c: Any, waveform: _Draw, shaped: _Draw, signature: np.ndarray, n: int, samples: int) -> np.ndarray:
    """Spectra ``[n, orders]`` that a crack adds: its own slowly changing waveform, minus part of the tooth's own."""
    angle = np.arange(samples) / c.samples_per_tooth

    def around(centre: float) -> np.ndarray:
        distance = (angle - centre + c.teeth / 2) % c.teeth - c.teeth / 2
        return np.exp(-0.5 * (distance / 0.6) ** 2)

    window = around(c.tooth + 0.5) + (c.second_contact or 0.0) * around(c.tooth + 0.5 + c.teeth / 2)
    progress = np.clip((np.arange(n) - c.onset) / (n - 1 - c.onset), 0.0, 1.0)
    amplitude = np.where(np.arange(n) >= c.onset, c.start * (c.growth / c.start) ** progress, 0.0)
    quieter = c.quieter * np.clip(2.0 * progress, 0.0, 1.0)
    early, late = shaped(_unit(waveform()), window), shaped(_unit(waveform()), window)
    own = np.outer(1 - progress, early) + np.outer(progress, late)
    return amplitude[:, None] * own - quieter[:, None] * shaped(signature, window)
