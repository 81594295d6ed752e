"""MoVQGAN's codes to pictures, and back (arXiv 2209.09002), by the tensors of the published movqgan_270M.ckpt.

Its decoder normalises by the codes' vectors at every step. transformers has this decoder in Emu3, behind layers over
time, which one picture does not need: the blocks are Emu3's, by other names. The encoder is Chameleon's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import ChameleonVQVAE, ChameleonVQVAEConfig, Emu3VQVAEConfig
from transformers.models.emu3.modeling_emu3 import Emu3VQVAEMiddleBlock, Emu3VQVAESpatialNorm, Emu3VQVAEUpBlock

from ..checkpoint import Blank, fill, read_part
from ..errors import StartupError
from .chameleon_pictures import ENCODING, PARTS

FILE = "movqgan.safetensors"

# a published name's parts, and what transformers calls them in Emu3
NAMES = (
    (r"^decoder\.mid\.attn_1\.norm\.", "decoder.mid.attn_norm."),
    (r"^decoder\.up\.(\d+)\.attn\.(\d+)\.norm\.", r"decoder.up.up.\1.attn_norms.\2."),
    (r"^decoder\.up\.(?=\d)", "decoder.up.up."),
    (r"\.([qkv])\.(?=weight|bias)", r".\1_proj."),
    (r"\.proj_out\.", ".out_proj."),
)


class MoVQDecoder(nn.Module):
    """Emu3's picture decoder without its layers over time."""

    def __init__(self, config: Emu3VQVAEConfig) -> None:
        super().__init__()
        finest, coarsest = (config.base_channels * config.channel_multiplier[level] for level in (0, -1))
        self.conv_in = nn.Conv2d(config.latent_channels, coarsest, 3, padding=1)
        self.mid = Emu3VQVAEMiddleBlock(config, coarsest, quant_channels=config.embed_dim)
        self.up = Emu3VQVAEUpBlock(config)
        self.norm_out = Emu3VQVAESpatialNorm(config.embed_dim, finest)
        self.conv_out = nn.Conv2d(finest, config.out_channels, 3, padding=1)

    def forward(self, latents: Tensor, vectors: Tensor) -> Tensor:
        """Latents [B, latent, rows, columns] and the codes' vectors [B, embed, rows, columns] to pictures."""
        hidden = self.up(self.mid(self.conv_in(latents), vectors), vectors)
        return self.conv_out(F.silu(self.norm_out(hidden, vectors)))


class MoVQPictures(nn.Module):
    """The decoding half of MoVQGAN."""

    def __init__(self, config: ChameleonVQVAEConfig) -> None:
        super().__init__()
        coarsest = config.base_channels * config.channel_multiplier[-1]
        sizes: Any = Emu3VQVAEConfig(
            embed_dim=config.embed_dim,
            latent_channels=config.latent_channels,
            base_channels=config.base_channels,
            channel_multiplier=config.channel_multiplier,
            num_res_blocks=config.num_res_blocks,
            attn_resolutions=[len(config.channel_multiplier) - 1] if config.attn_resolutions else [],  # by level
            hidden_size=coarsest,
            num_attention_heads=1,
        )
        sizes._attn_implementation = "sdpa"  # a picture of 768 pixels attends over 9,216 places
        self.quantize = nn.ModuleDict({"embedding": nn.Embedding(config.num_embeddings, config.embed_dim)})
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.latent_channels, 1)
        self.decoder = MoVQDecoder(sizes)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes [B, rows, columns] to pictures [B, 3, height, width] on about [-1, 1]."""
        vectors = self.quantize["embedding"](codes).permute(0, 3, 1, 2)
        return self.decoder(self.post_quant_conv(vectors), vectors)


def find_movq(folder: Path) -> Path:
    """The file of the picture decoder. Raises `missing-checkpoint`."""
    path = folder / FILE
    if path.is_file():
        return path
    message = f"There is no {path}, and the weights beside it hold no picture decoder."
    remedy = "Make it of ai-forever/MoVQGAN's movqgan_270M.ckpt: "
    remedy += f"python -m sjd2_worker.convert.vqgan movqgan_270M.ckpt {path}"
    raise StartupError("missing-checkpoint", message, remedy)


def load_movq(config: ChameleonVQVAEConfig, path: Path, device: torch.device) -> MoVQPictures:
    """In f32. Raises `wrong-config` where the weights are not those of such a decoder."""
    with Blank():
        pictures = MoVQPictures(config)
    found = read_part([path], "", device, torch.float32)
    fill(pictures, dict(_renamed(name, t) for name, t in found.items() if name.startswith(PARTS)), path)
    return pictures


def load_movq_encoder(config: ChameleonVQVAEConfig, path: Path, device: torch.device) -> Any:
    """In f32. Its `encode(pictures).image_tokens`: pictures [B, 3, H, W] on [-1, 1] to codes. Raises `wrong-config`."""
    with Blank():
        network: Any = ChameleonVQVAE(config)
    del network.post_quant_conv
    found = read_part([path], "", device, torch.float32)
    fill(network, {name: tensor for name, tensor in found.items() if name.startswith(ENCODING)}, path)
    return network


def _renamed(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    # published as convolutions of one pixel
    return name, tensor.flatten(1) if name.endswith("_proj.weight") else tensor
