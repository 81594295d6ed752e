"""The sizes of a VQ-GAN, read from its published tensors: Chameleon's and MoVQGAN's files come without a config.

Names are those of taming-transformers (arXiv 2012.09841), whose code both grew from; level 0 is the finest.
"""

from __future__ import annotations

import re
from pathlib import Path

from transformers import ChameleonVQVAEConfig

from ..checkpoint import read_header
from ..errors import StartupError


def read_vqgan_config(path: Path) -> ChameleonVQVAEConfig:
    """Sizes for encoder and decoder, from the file's header alone.

    `attn_resolutions` has one entry where the coarsest level attends, and none otherwise.
    Raises `missing-` or `corrupt-checkpoint`, or `wrong-config` where a tensor that tells a size is absent.
    """
    shapes = {name: tensor["shape"] for name, tensor in read_header(path).items()}

    def count(pattern: str) -> int:
        return len({found[1] for name in shapes if (found := re.match(pattern, name))})

    levels = count(r"decoder\.up\.(\d+)\.")
    try:
        codes, dimensions = shapes["quantize.embedding.weight"]
        finest = shapes["decoder.up.0.block.0.conv1.weight"]
        widths = [shapes[f"decoder.up.{level}.block.0.conv1.weight"][0] for level in range(levels)]
        base = shapes.get("encoder.conv_in.weight", finest)[0]
        latent = shapes["post_quant_conv.weight"][0]
        multipliers = [width // base for width in widths]
    except (KeyError, ValueError, IndexError, ZeroDivisionError) as error:
        message = f"{path} holds no VQ-GAN: {error} is absent or has another shape."
        remedy = "Make it anew of the published .ckpt: python -m sjd2_worker.convert.vqgan --help"
        raise StartupError("wrong-config", message, remedy) from error
    coarsest = 32  # any number: only whether it attends matters
    attends = any(name.startswith(f"decoder.up.{levels - 1}.attn.") for name in shapes)
    return ChameleonVQVAEConfig(
        num_embeddings=codes,
        embed_dim=dimensions,
        latent_channels=latent,
        base_channels=base,
        channel_multiplier=multipliers,
        num_res_blocks=count(r"decoder\.up\.0\.block\.(\d+)\.") - 1,
        resolution=coarsest << (levels - 1),
        attn_resolutions=[coarsest] if attends else None,
    )
