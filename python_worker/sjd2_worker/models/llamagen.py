"""LlamaGen (arXiv 2406.06525): a Llama over image codes with a two-dimensional rotary embedding.

Parameters are named as in the published checkpoints. Before the image stands the condition: one embedding of a class,
or the projected features of a caption. Attention is an argument, as in the scenes transformer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# attend(layer, q, k, v): q, k, v [B, T, heads, head_width] -> [B, T, heads, head_width]
Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]

ROTARY_BASE = 10_000
EPSILON = 1e-5


@dataclass(frozen=True)
class LlamaGenConfig:
    """Shapes of the model. Token ids: the image codes, then the classes, or the rows of the empty caption."""

    codes: int
    side: int  # of the grid, in codes
    layers: int
    width: int
    heads: int
    hidden: int
    classes: int = 0  # without the one that stands for no class; 0 where the model reads captions
    caption: int = 0  # features of a caption at most; 0 where the model knows classes
    features: int = 0  # length of a feature

    @property
    def conditions(self) -> int:
        """Ids behind the codes."""
        return self.caption or self.classes + 1

    @staticmethod
    def of(values: dict[str, object]) -> LlamaGenConfig:
        """From a checkpoint's config.json; what that says besides shapes is left out."""
        return LlamaGenConfig(**{f.name: values[f.name] for f in fields(LlamaGenConfig) if f.name in values})  # type: ignore[arg-type]


class _Attention(nn.Module):
    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.wqkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.wo = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, layer: int, rotary: Tensor, attend: Attend) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in self.wqkv(x).chunk(3, -1))
        return self.wo(attend(layer, _rotate(q, rotary), _rotate(k, rotary), v).flatten(-2))


class _FeedForward(nn.Module):
    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.width, config.hidden, bias=False)
        self.w3 = nn.Linear(config.width, config.hidden, bias=False)
        self.w2 = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class _Layer(nn.Module):
    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.feed_forward = _FeedForward(config)
        self.attention_norm = nn.RMSNorm(config.width, EPSILON)
        self.ffn_norm = nn.RMSNorm(config.width, EPSILON)

    def forward(self, x: Tensor, layer: int, rotary: Tensor, attend: Attend) -> Tensor:
        x = x + self.attention(self.attention_norm(x), layer, rotary, attend)
        return x + self.feed_forward(self.ffn_norm(x))


class _Classes(nn.Module):
    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(config.classes + 1, config.width)


class _Caption(nn.Module):
    uncond_embedding: Tensor

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.register_buffer("uncond_embedding", torch.empty(config.caption, config.features))
        self.cap_proj = _Projection(config)


class _Projection(nn.Module):
    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.features, config.width, bias=False)
        self.fc2 = nn.Linear(config.width, config.width, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(features), approximate="tanh"))


class LlamaGenTransformer(nn.Module):
    """Entries [B, T, width] at positions [B, T] to logits over the image codes [B, T, codes].

    Positions count from the first image token. The condition stands before it, at no place of the grid.
    """

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.config = config
        self.cls_embedding = _Caption(config) if config.caption else _Classes(config)
        self.tok_embeddings = nn.Embedding(config.codes, config.width)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, EPSILON)
        self.output = nn.Linear(config.width, config.codes, bias=False)

    def caption(self, features: Tensor) -> Tensor:
        """What a caption's features [tokens, features] feed, [tokens, width]."""
        return self.get_submodule("cls_embedding.cap_proj")(features)

    def conditions(self) -> Tensor:
        """What the ids behind the codes feed, [conditions, width]: classes and none, or rows of the empty caption."""
        if self.config.caption:
            return self.caption(self.get_buffer("cls_embedding.uncond_embedding"))
        return self.get_parameter("cls_embedding.embedding_table.weight")

    def rotary(self, positions: Tensor) -> Tensor:
        """[B, T, 1, head_width / 2] complex: half of the pairs turn with the row, half with the column.

        The condition's factors are 0, not 1: the published model multiplies its queries and keys away, so that the
        image's entries weigh the condition's alike.
        """
        pairs = self.config.width // self.config.heads // 4
        frequencies = ROTARY_BASE ** (torch.arange(pairs, device=positions.device) / -pairs)
        places = torch.stack((positions // self.config.side, positions % self.config.side), -1)
        angles = (places[..., None] * frequencies).flatten(-2)
        return torch.polar((positions >= 0).float()[..., None].expand_as(angles), angles)[:, :, None]

    def forward(self, entries: Tensor, positions: Tensor, attend: Attend, rows: Tensor | None = None) -> Tensor:
        """With `rows`, int64 [R], logits of those entries only: [B, R, codes]."""
        x, rotary = entries, self.rotary(positions)
        for number, layer in enumerate(self.layers):
            x = layer(x, number, rotary, attend)
        return self.output(self.norm(x if rows is None else x[:, rows]))


def _rotate(x: Tensor, rotary: Tensor) -> Tensor:
    """Neighbouring values of a head are a pair."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotary).flatten(-2).to(x.dtype)
