"""Writes a tiny random `scenes` checkpoint: `python -m sjd2_worker.training.tiny --out DIR`.

Its few codes and positions can be enumerated, so tests know its true output distribution. Every weight is random and
non-zero, those too that training starts at zero: what it predicts depends on the prompt, on every earlier token, on
latents and on their timesteps, and sharply enough to tell right from wrong.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from ..models.tokenizer import ScenesTokenizer
from ..models.transformer import ScenesConfig, ScenesTransformer, TimestepEmbedding
from .transformer import save_weights

WORDS = ("red", "green", "blue", "circle", "square")


def randomise(module: nn.Module, scale: float) -> None:
    """Normal weights: matrices keep the scale of what runs through them, the head's logits deviate by `scale`."""
    for name, parameter in module.named_parameters():
        if name.endswith("sharpness"):
            nn.init.constant_(parameter, 1.5)
        elif name.startswith(("embedding", "row", "column")):
            nn.init.normal_(parameter)
        else:
            gain = scale if name.startswith("head") else 1.0
            nn.init.normal_(parameter, std=gain / math.sqrt(parameter[0].numel()))


def write(out: Path, config: ScenesConfig, seed: int, scale: float) -> None:
    """config.json, model.safetensors and tokenizer.safetensors in `out`."""
    torch.manual_seed(seed)
    modules = {"transformer": ScenesTransformer(config), "timestep": TimestepEmbedding(config.width)}
    for module in modules.values():
        randomise(module, scale)
    tokenizer = ScenesTokenizer(width=64)
    out.mkdir(parents=True, exist_ok=True)
    values = {"family": "scenes", "name": "tiny", **asdict(config), "denoising": {"schedule": "cosine"}}
    (out / "config.json").write_text(json.dumps(values, indent=1) + "\n")
    save_weights(modules, out / "model.safetensors")
    save_file({n: t.half().contiguous() for n, t in tokenizer.state_dict().items()}, out / "tokenizer.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint folder to write")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--codes", type=int, default=4, help="image codes, at most 512")
    parser.add_argument("--caption", type=int, default=3, help="words of a prompt that are read")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=32, help="width / heads must be even and at least 12")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=3.0, help="deviation of the logits: greater is sharper")
    a = parser.parse_args()
    config = ScenesConfig(WORDS, a.codes, a.rows, a.columns, a.caption, a.layers, a.width, a.heads, hidden=4 * a.width)
    write(a.out, config, a.seed, a.scale)


if __name__ == "__main__":
    main()
