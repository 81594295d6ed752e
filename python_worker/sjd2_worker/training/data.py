"""Draws scenes and writes them as codes: `python -m sjd2_worker.training.data --checkpoint DIR --out FILE`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from ..models.tokenizer import ScenesTokenizer
from ..models.transformer import ScenesConfig, encode_caption
from .progress import Progress
from .scenes import WORDS, render, sample_scene
from .tokenizer import to_tensor

CHUNK = 64


def load_tokenizer(folder: Path) -> ScenesTokenizer:
    model = ScenesTokenizer()
    model.load_state_dict(load_file(folder / "tokenizer.safetensors"))
    return model.float().eval()


def _draw(first: int) -> tuple[NDArray[np.uint8], list[str]]:
    scenes = [sample_scene(first + i) for i in range(CHUNK)]
    return np.stack([render(s) for s in scenes]), [s.caption() for s in scenes]


def draw_scenes(count: int, first: int) -> Iterator[tuple[NDArray[np.uint8], list[str]]]:
    """Chunks of pictures [64, 96, 96, 3] and captions, in the order of their seeds."""
    with get_context("spawn").Pool(2) as pool:
        yield from pool.imap(_draw, range(first, first + count, CHUNK))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder with tokenizer.safetensors")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write: prompts, codes")
    parser.add_argument("--count", type=int, default=40_000 // CHUNK * CHUNK)
    parser.add_argument("--first", type=int, default=0, help="the first scene's seed")
    arguments = parser.parse_args()
    tokenizer = load_tokenizer(arguments.checkpoint)
    config = ScenesConfig(words=WORDS)
    prompts: list[list[int]] = []
    codes: list[NDArray[np.uint16]] = []
    with Progress("scenes", arguments.count) as progress, torch.inference_mode():
        for pictures, captions in draw_scenes(arguments.count, arguments.first):
            prompts += [encode_caption(config, caption).ids for caption in captions]
            codes.append(tokenizer.encode(to_tensor(list(pictures))).flatten(1).numpy().astype(np.uint16))
            progress.update(len(prompts), "")
    counts = np.bincount(np.concatenate(codes).ravel(), minlength=config.codes) / (len(prompts) * config.image_tokens)
    entropy = -(counts[counts > 0] * np.log2(counts[counts > 0])).sum()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(arguments.out, prompts=np.array(prompts, np.int64), codes=np.concatenate(codes))
    print(json.dumps({"scenes": len(prompts), "codes_used": int((counts > 0).sum()), "marginal_bits": float(entropy)}))


if __name__ == "__main__":
    main()
