"""Writes scenes as PNGs and captions.jsonl: `python -m sjd2_worker.training.render --count N --out DIR`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .scenes import render, sample_scene


def reconstruct(folder: Path, pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Pictures [96, 96, 3] as the tokenizer of a checkpoint folder gives them back."""
    import torch

    from .data import load_tokenizer
    from .tokenizer import to_tensor

    tokenizer = load_tokenizer(folder)
    with torch.inference_mode():
        decoded = torch.cat([tokenizer.decode(tokenizer.encode(part)) for part in to_tensor(pictures).split(32)])
    values = ((decoded + 1) * 127.5).round().clamp(0, 255).byte()
    return list(values.permute(0, 2, 3, 1).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument(
        "--first", type=int, default=5_000_000, help="the first scene's seed; training saw none of these"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for <seed>.png and captions.jsonl")
    parser.add_argument(
        "--reconstruct", type=Path, metavar="CHECKPOINT", help="send the pictures through its tokenizer"
    )
    arguments = parser.parse_args()
    scenes = [sample_scene(arguments.first + i) for i in range(arguments.count)]
    pictures = [render(scene) for scene in scenes]
    if arguments.reconstruct:
        pictures = reconstruct(arguments.reconstruct, pictures)
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for scene, picture in zip(scenes, pictures, strict=True):
        Image.fromarray(picture).save(arguments.out / f"{scene.seed}.png")
        lines.append(json.dumps({"file": f"{scene.seed}.png", "caption": scene.caption()}))
    (arguments.out / "captions.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
