"""Makes safetensors of a VQ-GAN's published .ckpt: `python -m sjd2_worker.convert.vqgan --help`.

Chameleon's checkpoints in transformers' layout, Lumina-mGPT's and Liquid's hold no picture decoder; Meta publishes it
beside Chameleon's text tokenizer: vqgan.ckpt becomes vqgan.safetensors. Lumina-mGPT 2.0 has ai-forever's MoVQGAN:
movqgan_270M.ckpt becomes movqgan.safetensors. Of the .ckpt, a pickle, torch's weights_only reads tensors and refuses
all else. The encoder comes along: fine-tuning makes its data with it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..adapters.chameleon_pictures import ENCODING, PARTS
from ..errors import StartupError
from .reading import read_published, write_whole


def convert(source: Path, target: Path) -> None:
    """Raises `StartupError`."""
    tensors = {name: tensor for name, tensor in read_published(source).items() if name.startswith(PARTS + ENCODING)}
    if missing := [part for part in PARTS if not any(name.startswith(part) for name in tensors)]:
        message = f"{source} has no {missing[0]}*: it is neither Chameleon's VQ-GAN nor MoVQGAN."
        remedy = "Give the vqgan.ckpt that Meta publishes with Chameleon, or ai-forever/MoVQGAN's movqgan_270M.ckpt."
        raise StartupError("wrong-family", message, remedy)
    write_whole(tensors, target)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sjd2_worker.convert.vqgan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="vqgan.ckpt or movqgan_270M.ckpt")
    parser.add_argument("target", type=Path, help="vqgan.safetensors or movqgan.safetensors in the checkpoint's folder")
    said = parser.parse_args()
    try:
        convert(said.source, said.target)
    except StartupError as error:
        print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
