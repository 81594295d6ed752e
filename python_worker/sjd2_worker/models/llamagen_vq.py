"""LlamaGen's image tokenizer. Janus took it over as it is, so that transformers has it: only names differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F
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


def encode_normalised(vq: Any, pictures: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] on [-1, 1] to codes [B, side * side], of a JanusVQVAE, LlamaGen's or Janus's own.

    Both compare directions, as the published encoder does. The library's own `encode` compares the vectors as they
    are, though its `decode` goes by directions, too.
    """
    vectors = vq.quant_conv(vq.encoder(pictures.to(vq.quant_conv.weight.dtype))).float()
    directions = F.normalize(vectors.permute(0, 2, 3, 1).flatten(1, 2), dim=-1)
    return (directions @ F.normalize(vq.quantize.embedding.weight.float(), dim=-1).T).max(-1).indices


def library_names(tensors: Mapping[str, T]) -> dict[str, T]:
    """Published weights, or what is said of them, by transformers' names."""
    return {_library_name(name): tensor for name, tensor in tensors.items()}


def _library_name(name: str) -> str:
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name
