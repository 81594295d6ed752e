"""Chameleon's decoder as Lumina-mGPT publishes it: heads of one group share the rows of their q and k norms.

transformers' class has a row for each head. The published class has one for each of `model_parallel_size` groups.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F
from transformers import ChameleonConfig, ChameleonForConditionalGeneration
from transformers.models.chameleon.modeling_chameleon import ChameleonLayerNorm


class GroupedNorm(ChameleonLayerNorm):
    """Layer norm over each head; weight and bias [groups, head_dim], repeated over the heads of a group."""

    def __init__(self, heads: int, groups: int, width: int) -> None:
        super().__init__((groups, width))
        self._heads = heads // groups

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden: [N, heads, head_dim]."""
        weight, bias = (rows.repeat_interleave(self._heads, 0) for rows in (self.weight, self.bias))
        return F.layer_norm(hidden, self.normalized_shape, None, None, 1e-5) * weight + bias


class GroupedChameleon(ChameleonForConditionalGeneration):
    """transformers' Chameleon with grouped norms, and without the VQ model, which only encodes."""

    def __init__(self, config: ChameleonConfig) -> None:
        super().__init__(config)
        del self.model.vqmodel
        groups = config.model_parallel_size or 1
        for layer in self.model.layers:
            attention: Any = layer.self_attn
            attention.q_norm = GroupedNorm(attention.num_heads, groups, attention.head_dim)
            attention.k_norm = GroupedNorm(attention.num_key_value_heads, groups, attention.head_dim)
