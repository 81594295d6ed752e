"""Chameleon with the query and key norms of Lumina-mGPT's files.

Meta trained Chameleon with its heads split over several GPUs, and each GPU's heads shared one scale and one shift.
Lumina-mGPT's class keeps them so (`ChameleonLayerNorm` in its modeling_chameleon.py): `q_norm` and `k_norm` are
[groups, head_width], 1 group in the 7B, several in the 34B. transformers' class has a row for each head instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import ChameleonConfig, ChameleonForConditionalGeneration

from ..checkpoint import read_header

EPSILON = 1e-5
Groups = tuple[int, int]  # of the queries' heads, of the keys' heads


class GroupedNorm(nn.Module):
    """Layer norm over each head's width; heads of one group, which stand side by side, share scale and shift."""

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(groups, width))
        self.bias = nn.Parameter(torch.zeros(groups, width))

    def forward(self, heads: Tensor) -> Tensor:
        """[..., heads, width] to the same shape."""
        normalised = F.layer_norm(heads, heads.shape[-1:], eps=EPSILON)
        grouped = normalised.unflatten(-2, (len(self.weight), -1))  # [..., groups, heads of a group, width]
        return (grouped * self.weight[:, None] + self.bias[:, None]).flatten(-3, -2)


class GroupedChameleon(ChameleonForConditionalGeneration):
    """transformers' class with `config.norm_groups` rows in its query and key norms.

    So the weights are loaded, counted and fine-tuned in the shape that the files have.
    """

    def __init__(self, config: ChameleonConfig) -> None:
        super().__init__(config)
        queries, keys = config.norm_groups
        for layer in self.model.layers:
            attention: Any = layer.self_attn
            attention.q_norm = GroupedNorm(queries, attention.head_dim)
            attention.k_norm = GroupedNorm(keys, attention.head_dim)


def norm_groups(config: ChameleonConfig, weights: Iterable[Path]) -> Groups:
    """How many rows the norms in the checked files have: a number that divides the heads, else one to each head."""
    shapes = {name: tensor["shape"] for path in weights for name, tensor in read_header(path).items()}

    def rows(norm: str, heads: int) -> int:
        found = shapes.get(f"model.layers.0.self_attn.{norm}.weight", [heads])
        return found[0] if found and found[0] and heads % found[0] == 0 else heads

    return rows("q_norm", config.num_attention_heads), rows(
        "k_norm", config.num_key_value_heads or config.num_attention_heads
    )
