"""Windows as decoding sees them, beside the clean sequence, in one training forward.

A training row is [prompt and clean image | window 1 | ... | window K]. The entries of a window stand at positions
n ... n+W-1, see the clean entries before n and the window's own entries before themselves: just what a decoding pass
feeds. The clean part never sees a window, so every row also trains ordinary sequential prediction on clean tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .attention import blocked_causal

LENGTH = 192  # entries of a window
COUNT = 1  # windows of a row


@dataclass(frozen=True)
class Window:
    """One window's geometry, shared by a batch."""

    start: int  # the window may reach beyond the image, where nothing is learnt from it
    timesteps: NDArray[np.float32]  # [LENGTH], 0 where the entry is fed as a token
    wrong: NDArray[np.float32]  # [LENGTH], the chance that an entry holds a draft instead of the truth


def draw_window(rng: np.random.Generator, image_tokens: int) -> Window:
    """A random stage of decoding: drafts worsen towards the back; behind a clean margin, noise rises to pure noise.

    Three in ten windows hold tokens only: drafts of level 0, which exact verification feeds at the front.
    """
    start = int(rng.integers(0, image_tokens - 1))
    place = np.arange(LENGTH, dtype=np.float32)
    wrong = np.minimum(1, (place + 1) / rng.uniform(1, 48))
    if rng.random() < 0.3:
        return Window(start, np.zeros(LENGTH, np.float32), wrong.astype(np.float32))
    margin = rng.uniform(0, LENGTH) if rng.random() < 0.7 else 0.0
    ramp = np.clip((place - margin) / rng.uniform(4, LENGTH), 0, 1)
    levels = rng.choice([1, 1, 1, 2, 5, 20])
    return Window(start, (np.ceil(ramp * levels) / levels).astype(np.float32), wrong.astype(np.float32))


class WindowAttention:
    """Attention over such rows. `see` changes the windows without changing any shape, so nothing is compiled again."""

    def __init__(self, clean: int) -> None:
        self.clean = clean
        own = torch.block_diag(*(torch.ones(LENGTH, LENGTH).tril() for _ in range(COUNT)))
        self.hidden = torch.cat((torch.ones(COUNT * LENGTH, clean), 1 - own), 1).bool()

    def see(self, ends: list[int]) -> None:
        """`ends[k]`: how many entries of the clean part window k sees."""
        limits = torch.tensor(ends).repeat_interleave(LENGTH)[:, None]
        self.hidden[:, : self.clean] = torch.arange(self.clean) >= limits

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        clean = blocked_causal(layer, *(x[:, : self.clean] for x in (q, k, v)))
        q, k, v = (x.transpose(1, 2) for x in (q[:, self.clean :], k, v))
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
        weights = torch.softmax(scores.masked_fill(self.hidden, float("-inf")), -1).to(v.dtype)
        return torch.cat((clean, (weights @ v).transpose(1, 2)), 1)
