"""Accelerometer-like signals of six activities: gravity in a tilted sensor, steps with their harmonics, and noise.

The numbers are made up, in m/s^2 and at 20 samples a second, chosen so that neighbouring classes overlap somewhat.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STEPS = 150
RATE = 20.0  # samples a second
GRAVITY = 9.81


class Motion(NamedTuple):
    """A class: means and deviations, the weights of a step's first three harmonics, and the noise's deviation."""

    tilt: tuple[float, float]  # degrees; roll likewise
    roll: tuple[float, float]
    frequency: tuple[float, float]
    amplitude: tuple[float, float]
    harmonics: tuple[float, float, float]
    noise: float


MOTIONS = (  # in the order of the classes: downstairs, jogging, sitting, standing, upstairs, walking
    Motion((0, 10), (25, 10), (1.85, 0.20), (4.0, 0.9), (1.0, 0.8, 0.5), 1.2),
    Motion((25, 10), (20, 10), (2.60, 0.25), (7.5, 1.5), (1.0, 0.4, 0.2), 1.5),
    Motion((70, 12), (0, 15), (0.25, 0.10), (0.2, 0.1), (1.0, 0.0, 0.0), 0.3),
    Motion((15, 12), (0, 12), (0.40, 0.15), (0.3, 0.1), (1.0, 0.0, 0.0), 0.3),
    Motion((35, 10), (-10, 10), (1.50, 0.15), (2.4, 0.6), (1.0, 0.2, 0.1), 0.8),
    Motion((10, 10), (-20, 10), (1.85, 0.15), (3.2, 0.7), (1.0, 0.4, 0.1), 0.8),
)
AXES = np.array([0.5, 1.0, 0.6])  # how strongly a step shows in x, y, z


def generate(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Signals (count, 150, 3) float64 and classes (count,) int64, each class equally often, shuffled."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(MOTIONS))
    return np.stack([_signal(MOTIONS[label], rng) for label in labels]), labels


def _signal(motion: Motion, rng: np.random.Generator) -> np.ndarray:
    """(STEPS, 3): the sensor's y axis points up at no tilt, its z axis at 90 degrees."""
    tilt, roll = np.deg2rad(rng.normal(*motion.tilt)), np.deg2rad(rng.normal(*motion.roll))
    up = np.array([np.sin(roll), np.cos(tilt) * np.cos(roll), np.sin(tilt) * np.cos(roll)])
    frequency, amplitude = rng.normal(*motion.frequency), abs(rng.normal(*motion.amplitude))
    phase = 2 * np.pi * (frequency * np.arange(STEPS) / RATE + np.cumsum(rng.normal(0, 0.015, STEPS)))
    signal = np.tile(GRAVITY * up, (STEPS, 1))
    for order, weight in enumerate(motion.harmonics, start=1):
        shift = rng.uniform(0, 2 * np.pi, 3)
        signal += amplitude * weight * AXES * rng.uniform(0.6, 1.4, 3) * np.sin(order * phase[:, None] + shift)
    return signal + motion.noise * rng.standard_normal(signal.shape)
