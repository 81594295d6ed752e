"""The scenes transformer: a small causal text-to-image model over 24x24 image codes.

It is written once for training and for decoding: attention is an argument, so that training passes plain causal
attention and the worker passes attention over its key/value slots.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# attend(layer, q, k, v): q, k, v [B, T, heads, head_width] -> [B, T, heads, head_width]
Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ScenesConfig:
    """Shapes of the model. Token ids: 0 padding, 1 begin of image, then words, then image codes."""

    words: tuple[str, ...]
    codes: int = 512
    rows: int = 24
    columns: int = 24
    caption: int = 15
    layers: int = 6
    width: int = 192
    heads: int = 3
    hidden: int = 768

    @property
    def prompt(self) -> int:
        """Entries before the image: the caption, padded on the right, and begin-of-image."""
        return self.caption + 1

    @property
    def first_code(self) -> int:
        return 2 + len(self.words)

    @property
    def vocabulary(self) -> int:
        return self.first_code + self.codes

    @property
    def image_tokens(self) -> int:
        return self.rows * self.columns

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @staticmethod
    def of(values: dict[str, object]) -> ScenesConfig:
        """From a checkpoint's config.json; what that says besides shapes is left out."""
        shapes = {f.name: values[f.name] for f in fields(ScenesConfig) if f.name in values}
        return ScenesConfig(**{**shapes, "words": tuple(shapes["words"])})  # type: ignore[arg-type]


PADDING, BEGIN = 0, 1


class Caption(NamedTuple):
    """A caption as the model reads it, and what it does not read of it."""

    ids: list[int]  # [config.prompt]
    unknown: list[str]  # words that are none of the model's
    cut: list[str]  # words of the model's that stand behind the last that it has room for


def encode_caption(config: ScenesConfig, caption: str) -> Caption:
    """Reads a caption word by word; capitals and punctuation mean nothing."""
    words = re.findall(r"\w+(?:['\u2019-]\w+)*", caption.lower())
    known = [w for w in words if w in config.words]
    ids = [2 + config.words.index(w) for w in known[: config.caption]]
    ids += [PADDING] * (config.caption - len(ids))
    return Caption([*ids, BEGIN], [w for w in words if w not in config.words], known[config.caption :])


def rms(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


class Block(nn.Module):
    def __init__(self, config: ScenesConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, width, bias=False)
        self.sharpness = nn.Parameter(torch.ones(config.heads, 1))
        nn.init.zeros_(self.o.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, layer: int, rotary: tuple[Tensor, ...], attend: Attend) -> Tensor:
        h = rms(x)
        shape = (*x.shape[:2], self.heads, -1)
        q = rotate(rms(self.q(h).view(shape)) * self.sharpness.to(h.dtype), *rotary[:2])
        k = rotate(rms(self.k(h).view(shape)), *rotary[2:])
        x = x + self.o(attend(layer, q, k, self.v(h).view(shape)).reshape(x.shape))
        return x + self.down(F.relu(self.up(rms(x))).square())


class ScenesTransformer(nn.Module):
    """Entries [B, T, width] at positions [B, T] to logits over the image codes [B, T, codes].

    Positions count from the first image token; begin-of-image is -1 and the caption stands before it. The entry at
    position j predicts the token of position j+1, so queries carry the place they predict and keys the place they
    hold: the token above the predicted one is then always at row offset -1, column offset 0.
    """

    _frequencies: Tensor

    def __init__(self, config: ScenesConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.row = nn.Embedding(config.rows + 1, config.width)
        self.column = nn.Embedding(config.columns, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = nn.Linear(config.width, config.codes, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.5)
        nn.init.normal_(self.row.weight, std=0.1)
        nn.init.normal_(self.column.weight, std=0.1)
        nn.init.zeros_(self.head.weight)
        pairs = config.width // config.heads // 2
        axis = pairs * 3 // 8  # rows, columns: 3/8 of the pairs each; the sequence: the rest
        fast = (math.pi / 2) * (1 / 24) ** (torch.arange(axis) / (axis - 1))
        slow = (math.pi / 8) * (1 / 300) ** (torch.arange(pairs - 2 * axis) / (pairs - 2 * axis - 1))
        self.register_buffer("_frequencies", torch.cat((fast, fast, slow)), persistent=False)
        self._axis = axis

    def _angles(self, positions: Tensor) -> Tensor:
        inside = positions.clamp(min=0)
        # position -1 and the caption lie outside the grid: their keys stand at the origin
        row, column = inside // self.config.columns, inside % self.config.columns
        axis, all_pairs = self._axis, len(self._frequencies)
        places = torch.stack((row, column, positions + self.config.prompt), -1).float()
        counts = torch.tensor((axis, axis, all_pairs - 2 * axis), device=positions.device)
        return places.repeat_interleave(counts, -1, output_size=all_pairs) * self._frequencies

    def rotary(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """cos and sin for queries and for keys, [B, T, 1, head_width / 2] each."""
        q, k = self._angles(positions + 1), self._angles(positions)
        return tuple(f(a).to(dtype)[:, :, None] for a in (q, k) for f in (torch.cos, torch.sin))

    def place(self, positions: Tensor) -> Tensor:
        """What is added to entries at positions [B, T]: the row and column that they predict, [B, T, width]."""
        target = (positions + 1).clamp(min=0)
        row = torch.where(positions >= -1, target // self.config.columns, self.config.rows)
        return self.row(row.clamp(max=self.config.rows)) + self.column(target % self.config.columns)

    def forward(self, entries: Tensor, positions: Tensor, attend: Attend, rows: Tensor | None = None) -> Tensor:
        """With `rows`, int64 [R], logits of those entries only: [B, R, codes]."""
        x = entries + self.place(positions)
        rotary = self.rotary(positions, torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype)
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, rotary, attend)
        if rows is not None:
            x = x[:, rows]
        return self.head(rms(x))


class TimestepEmbedding(nn.Module):
    """Timesteps on [0, 1] to vectors added to noisy entries. Starts as zero: step 0 is the original model."""

    def __init__(self, width: int, features: int = 64) -> None:
        super().__init__()
        self.features = features
        self.first = nn.Linear(features, width)
        self.second = nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, timesteps: Tensor) -> Tensor:
        half = self.features // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=timesteps.device) / half)
        angles = 1000 * timesteps[..., None] * frequencies
        hidden = self.first(torch.cat((angles.cos(), angles.sin()), -1).to(self.first.weight.dtype))
        return self.second(F.silu(hidden))


def causal(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Plain causal attention over a whole sequence: what training uses."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
