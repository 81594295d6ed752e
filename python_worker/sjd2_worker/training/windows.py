"""Windows as decoding sees them, beside the clean sequence, in one training forward.

A training row is [prompt and clean image | window 1 | ... | window K]. The entries of a window stand at positions
n ... n+W-1, see the clean entries before n and the window's own entries before themselves: just what a decoding pass
feeds. The clean part never sees a window, so every row also trains ordinary sequential prediction on clean tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..models.transformer import causal
from .attention import blocked_causal

LENGTH = 192  # entries of a window
COUNT = 1  # windows of a row


@dataclass(frozen=True)
class Window:
    """One window's geometry, shared by a batch."""

    start: int  # the window may reach beyond the image, where nothing is learnt from it
    timesteps: NDArray[np.float32]  # [length], 0 where the entry is fed as a token
    wrong: NDArray[np.float32]  # [length], the chance that an entry holds a draft instead of the truth


def draw_window(rng: np.random.Generator, image_tokens: int, length: int = LENGTH) -> Window:
    """A random stage of decoding: drafts worsen towards the back; behind a clean margin, noise rises to pure noise.

    Three in ten windows hold tokens only: drafts of level 0, which exact verification feeds at the front.
    """
    start = int(rng.integers(0, image_tokens - 1))
    place = np.arange(length, dtype=np.float32)
    wrong = np.minimum(1, (place + 1) / rng.uniform(1, 48))
    if rng.random() < 0.3:
        return Window(start, np.zeros(length, np.float32), wrong.astype(np.float32))
    margin = rng.uniform(0, length) if rng.random() < 0.7 else 0.0
    ramp = np.clip((place - margin) / rng.uniform(4, max(4, length)), 0, 1)
    levels = rng.choice([1, 1, 1, 2, 5, 20])
    return Window(start, (np.ceil(ramp * levels) / levels).astype(np.float32), wrong.astype(np.float32))


class WindowAttention:
    """Attention over such rows, [B, T, heads, head_width], all with `clean` entries before their `count` windows.

    `see` changes the windows without changing any shape, so nothing is compiled again.
    """

    def __init__(self, clean: int, length: int, count: int, device: torch.device) -> None:
        self.clean, self._length = clean, length
        own = torch.block_diag(*(torch.ones(length, length).tril() for _ in range(count)))
        self.hidden = torch.cat((torch.ones(count * length, clean), 1 - own), 1).bool().to(device)

    def see(self, ends: Sequence[int]) -> None:
        """`ends[k]`: how many entries of the clean part window k sees."""
        limits = torch.tensor(ends).repeat_interleave(self._length)[:, None]
        self.hidden[:, : self.clean] = (torch.arange(self.clean) >= limits).to(self.hidden.device)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Keys and values may have fewer heads than queries."""
        if k.shape[2] != q.shape[2]:
            k, v = (x.repeat_interleave(q.shape[2] // x.shape[2], 2) for x in (k, v))
        clean = (causal if q.is_cuda else blocked_causal)(layer, *(x[:, : self.clean] for x in (q, k, v)))
        q, k, v = (x.transpose(1, 2) for x in (q[:, self.clean :], k, v))
        if q.is_cuda:
            return torch.cat((clean, scaled_dot_product_attention(q, k, v, attn_mask=~self.hidden).transpose(1, 2)), 1)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
        weights = torch.softmax(scores.masked_fill(self.hidden, float("-inf")), -1).to(v.dtype)
        return torch.cat((clean, (weights @ v).transpose(1, 2)), 1)


class PackedAttention:
    """The same for rows that are packed one after the other, [1, N, heads, head_width], after prompts of any length.

    Neighbouring rows with equally long prompts are attended to at once; nothing is padded.
    """

    def __init__(self, image: int, length: int, count: int, device: torch.device) -> None:
        """`image`: clean entries behind the prompt."""
        self._image, self._windows, self._make = image, length * count, (length, count, device)
        self._attentions: dict[int, WindowAttention] = {}  # by the length of the prompt
        self._groups: list[tuple[int, WindowAttention]] = []  # rows, and how they attend

    def see(self, prompts: Sequence[int], starts: Sequence[int]) -> None:
        """The rows' prompts have so many entries; window k begins at position `starts[k]`."""
        self._groups = []
        for prompt, rows in groupby(prompts):
            attention = self._attentions.get(prompt)
            if attention is None:
                attention = self._attentions[prompt] = WindowAttention(prompt + self._image, *self._make)
            attention.see([prompt + start for start in starts])
            self._groups.append((len(list(rows)), attention))

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        outputs, first = [], 0
        for rows, attention in self._groups:
            length = attention.clean + self._windows
            end = first + rows * length
            group = (x[0, first:end].unflatten(0, (rows, length)) for x in (q, k, v))
            outputs.append(attention(layer, *group).flatten(0, 1))
            first = end
        return (outputs[0] if len(outputs) == 1 else torch.cat(outputs))[None]
