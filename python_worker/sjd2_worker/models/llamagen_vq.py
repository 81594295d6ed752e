"""LlamaGen's image tokenizer. Janus took it over as it is, so that transformers has it: only names differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from transformers import JanusVQVAE, JanusVQVAEConfig

T = TypeVar("T")

# a published name's parts, and what transformers calls them
NAMES = (
    (r"^encoder\.conv_blocks\.", "encoder.down."),
    (r"^decoder\.conv_blocks\.", "decoder.up."),
    (r"\.res\.", ".block."),
    (r"\.mid\.0\.", ".mid.block_1."),
    (r"\.mid\.1\.", ".mid.attn_1."),
    (r"\.mid\.2\.", ".mid.block_2."),
)
STATISTIC = "quantize.codebook_used"  # of training; no weight


@dataclass(frozen=True)
class VQConfig:
    """Shapes of the tokenizer: 16384 codes of 8 dimensions, 128 channels and latents of 256 in what is published."""

    dimensions: int
    channels: int
    multipliers: tuple[int, ...]  # of the channels, from the finest level on; each level but one halves the picture
    latent: int

    @property
    def stride(self) -> int:
        """Pixels of a code's side."""
        return 1 << (len(self.multipliers) - 1)


def build_vq(config: VQConfig, codes: int, side: int) -> Any:
    """A JanusVQVAE without weights. Its `decode`: codes [B, side * side] to pictures [B, 3, H, W] on about [-1, 1]."""
    shapes = JanusVQVAEConfig(
        embed_dim=config.dimensions,
        num_embeddings=codes,
        latent_channels=config.latent,
        base_channels=config.channels,
        channel_multiplier=list(config.multipliers),
        num_patches=side,
    )
    with torch.device("meta"):
        return JanusVQVAE(shapes)


def library_names(tensors: Mapping[str, T]) -> dict[str, T]:
    """Published weights, or what is said of them, by transformers' names."""
    return {_library_name(name): tensor for name, tensor in tensors.items() if name != STATISTIC}


def _library_name(name: str) -> str:
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name
