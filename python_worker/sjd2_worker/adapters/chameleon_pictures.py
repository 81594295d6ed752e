"""Chameleon's codes to pictures, and back. transformers' Chameleon only encodes; its Janus has the same decoder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import ChameleonVQVAE, ChameleonVQVAEConfig, JanusVQVAEConfig
from transformers.models.janus.modeling_janus import JanusVQVAEDecoder

from ..checkpoint import Blank, fill, read_header, read_part
from ..errors import StartupError, command

FILE = "vqgan.safetensors"
SOURCE = "vqgan.ckpt is Meta's, in original_tokenizers/ of Alpha-VLLM/Chameleon_7B_mGPT, too"
WITHIN = "model.vqmodel."  # the decoder's place in a checkpoint that has it
PARTS = ("quantize.embedding.", "post_quant_conv.", "decoder.")
ENCODING = ("encoder.", "quant_conv.", "quantize.embedding.")


class ChameleonPictures(nn.Module):
    """The decoding half of Chameleon's VQ-GAN (taming-transformers, arXiv 2012.09841)."""

    def __init__(self, config: ChameleonVQVAEConfig) -> None:
        super().__init__()
        self.quantize = nn.ModuleDict({"embedding": nn.Embedding(config.num_embeddings, config.embed_dim)})
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.latent_channels, 1)
        names = ("base_channels", "channel_multiplier", "num_res_blocks", "latent_channels", "dropout")
        self.decoder = JanusVQVAEDecoder(JanusVQVAEConfig(**{name: getattr(config, name) for name in names}))
        coarsest = config.resolution // 2 ** (len(config.channel_multiplier) - 1)
        if coarsest not in (config.attn_resolutions or ()):
            self.decoder.up[0].attn = nn.ModuleList()  # Janus attends there, Chameleon does not

    def forward(self, codes: Tensor) -> Tensor:
        """Codes [B, rows, columns] to pictures [B, 3, height, width] on about [-1, 1]."""
        return self.decoder(self.post_quant_conv(self.quantize["embedding"](codes).permute(0, 3, 1, 2)))


def find_pictures(folder: Path, weights: list[Path]) -> tuple[list[Path], str]:
    """The files that hold the decoder, and the prefix of its names. Raises `missing-` or `corrupt-checkpoint`."""
    if (folder / FILE).is_file():
        read_header(folder / FILE)
        return [folder / FILE], ""
    paths = [path for path in weights if any(name.startswith(WITHIN + "decoder.") for name in read_header(path))]
    if paths:
        return weights, WITHIN
    message = f"There is no {folder / FILE}, and the weights beside it hold no picture decoder either."
    raise StartupError("missing-checkpoint", message, f"Make it: {_conversion(folder / FILE)}")


def load_pictures(
    config: ChameleonVQVAEConfig, paths: list[Path], prefix: str, device: torch.device
) -> ChameleonPictures:
    """In f32. Raises `wrong-config` where the weights are not those of such a decoder."""
    with Blank():
        pictures = ChameleonPictures(config)
    found = read_part(paths, prefix, device, torch.float32)
    tensors = {name: tensor for name, tensor in found.items() if name.startswith(PARTS)}
    if "decoder.up.0.upsample.conv.weight" not in tensors:  # finest first, as the original has it
        last = len(config.channel_multiplier) - 1
        level = re.compile(r"(?<=^decoder\.up\.)\d+")
        tensors = {level.sub(lambda at: str(last - int(at[0])), name): t for name, t in tensors.items()}
    fill(pictures, tensors, paths[0])
    return pictures


def load_encoder(config: ChameleonVQVAEConfig, paths: list[Path], prefix: str, device: torch.device) -> Any:
    """The library's own VQ model, in f32, without what comes after its codes. Raises `wrong-config`."""
    with Blank():
        network: Any = ChameleonVQVAE(config)
    del network.post_quant_conv
    found = read_part(paths, prefix, device, torch.float32)
    tensors = {name: tensor for name, tensor in found.items() if name.startswith(ENCODING)}
    if not any(name.startswith("encoder.") for name in tensors):
        message = f"{paths[0]} holds no encoder of pictures."
        raise StartupError("missing-checkpoint", message, f"Make it anew: {_conversion(paths[0].with_name(FILE))}")
    fill(network, tensors, paths[0])
    return network


def _conversion(target: Path) -> str:
    """The command, and where its source is published."""
    return f"{command('-m', 'sjd2_worker.convert.vqgan', 'vqgan.ckpt', str(target))}   ({SOURCE})"
