"""The noise schedules that a checkpoint may name, as decoding has them (src/decoding/noise-schedule.ts)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

RHO, SMALLEST, LARGEST = 7, 0.002, 80.0

# timesteps f32 [T] on [0, 1] to the shares of signal and noise, [T] each
NoiseSchedule = Callable[[Tensor], tuple[Tensor, Tensor]]


def _karras(timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """Noise-to-signal ratios of arXiv 2206.00364, eq. 5, as a variance-preserving pair; at 0 there is no noise."""
    first, last = SMALLEST ** (1 / RHO), LARGEST ** (1 / RHO)
    ratio = torch.where(timesteps > 0, (first + timesteps * (last - first)) ** RHO, 0.0)
    signal = (1 + ratio.square()).rsqrt()
    return signal, ratio * signal


def _cosine(timesteps: Tensor) -> tuple[Tensor, Tensor]:
    angle = timesteps * (math.pi / 2)
    return angle.cos(), angle.sin()


def _linear(timesteps: Tensor) -> tuple[Tensor, Tensor]:
    return 1 - timesteps, timesteps


NOISE_SCHEDULES: Mapping[str, NoiseSchedule] = {"karras": _karras, "cosine": _cosine, "linear": _linear}
