"""Tiny random LlamaGen files, as they are published, and checkpoint folders: `python -m tests.tiny_llamagen DIR`.

Names and shapes stand here a second time, apart from the modules that the worker builds.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from sjd2_worker.convert.llamagen import convert

CODES, SIDE, LAYERS, WIDTH, HEADS, HIDDEN = 12, 4, 2, 32, 2, 48
CLASSES = 5
CAPTION, FEATURES = 6, 20
CHANNELS, LATENT, DIMENSIONS, MULTIPLIERS = 32, 32, 8, (1, 2)
PIXELS = 2 * SIDE
WORDS = ("</s>", "<unk>", "a", "red", "blue", "circle", "square")

Shapes = Iterator[tuple[str, tuple[int, ...]]]


def write_published(folder: Path, captions: bool) -> tuple[Path, Path]:
    """gpt.pt and vq.pt, as the training script saves them: with its arguments beside the weights."""
    gpt, vq = _random(_gpt_shapes(captions), 1), _random(_vq_shapes(), 2)
    # the statistic is of training, and as large as in what is published
    vq["quantize.codebook_used"] = torch.zeros(65_536)
    torch.save({"model": gpt, "steps": 7, "args": argparse.Namespace(gpt_model="tiny")}, folder / "gpt.pt")
    torch.save({"model": vq}, folder / "vq.pt")
    return folder / "gpt.pt", folder / "vq.pt"


def write_classes(folder: Path) -> None:
    """A checkpoint folder of the class-conditional model."""
    folder.mkdir(parents=True)
    convert(*write_published(folder, captions=False), PIXELS, folder, HEADS)


def write_captions(folder: Path) -> None:
    """A checkpoint folder of the text-conditional model, with its T5 encoder within, fine-tuned to read noise."""
    folder.mkdir(parents=True)
    write_encoder(folder / "t5")
    convert(*write_published(folder, captions=True), PIXELS, folder, HEADS, folder / "t5")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "denoising": {"schedule": "karras"}}))
    save_file(_random(_denoising_shapes(), 4), folder / "denoising.safetensors")


def write_encoder(folder: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    encoder = T5EncoderModel(
        T5Config(vocab_size=len(WORDS), d_model=FEATURES, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    )
    for parameter in encoder.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter.shape[-1])
    encoder.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    tokenizer.save(str(folder / "tokenizer.json"))


def _denoising_shapes() -> Shapes:
    yield "mean", (WIDTH,)
    yield "deviation", (WIDTH,)
    yield "timestep.first.weight", (WIDTH, 64)
    yield "timestep.first.bias", (WIDTH,)
    yield "timestep.second.weight", (WIDTH, WIDTH)
    yield "timestep.second.bias", (WIDTH,)


def _gpt_shapes(captions: bool) -> Shapes:
    if captions:
        yield "cls_embedding.uncond_embedding", (CAPTION, FEATURES)
        yield "cls_embedding.cap_proj.fc1.weight", (WIDTH, FEATURES)
        yield "cls_embedding.cap_proj.fc2.weight", (WIDTH, WIDTH)
    else:
        yield "cls_embedding.embedding_table.weight", (CLASSES + 1, WIDTH)
    yield "tok_embeddings.weight", (CODES, WIDTH)
    for layer in range(LAYERS):
        yield f"layers.{layer}.attention.wqkv.weight", (3 * WIDTH, WIDTH)
        yield f"layers.{layer}.attention.wo.weight", (WIDTH, WIDTH)
        yield f"layers.{layer}.feed_forward.w1.weight", (HIDDEN, WIDTH)
        yield f"layers.{layer}.feed_forward.w3.weight", (HIDDEN, WIDTH)
        yield f"layers.{layer}.feed_forward.w2.weight", (WIDTH, HIDDEN)
        yield f"layers.{layer}.attention_norm.weight", (WIDTH,)
        yield f"layers.{layer}.ffn_norm.weight", (WIDTH,)
    yield "norm.weight", (WIDTH,)
    yield "output.weight", (CODES, WIDTH)
    yield "freqs_cis", (1 + SIDE * SIDE, WIDTH // HEADS // 2, 2)


def _vq_shapes() -> Shapes:
    fine, coarse = (CHANNELS * multiplier for multiplier in MULTIPLIERS)
    yield from _convolution("encoder.conv_in", 3, fine, 3)
    yield from _blocks("encoder.conv_blocks.0.res", [(fine, fine)] * 2)
    yield from _convolution("encoder.conv_blocks.0.downsample.conv", fine, fine, 3)
    yield from _blocks("encoder.conv_blocks.1.res", [(fine, coarse), (coarse, coarse)])
    yield from _convolution("decoder.conv_in", LATENT, coarse, 3)
    yield from _blocks("decoder.conv_blocks.0.res", [(coarse, coarse)] * 3)
    yield from _convolution("decoder.conv_blocks.0.upsample.conv", coarse, coarse, 3)
    yield from _blocks("decoder.conv_blocks.1.res", [(coarse, fine), (fine, fine), (fine, fine)])
    for half, deepest, blocks, (last, out) in (("encoder", 1, 2, (coarse, LATENT)), ("decoder", 0, 3, (fine, 3))):
        for block in range(blocks):
            yield from _attention(f"{half}.conv_blocks.{deepest}.attn.{block}", coarse)
        yield from _blocks(f"{half}.mid", [(coarse, coarse)])
        yield from _attention(f"{half}.mid.1", coarse)
        yield from _block(f"{half}.mid.2", coarse, coarse)
        yield from _norm(f"{half}.norm_out", last)
        yield from _convolution(f"{half}.conv_out", last, out, 3)
    yield "quantize.embedding.weight", (CODES, DIMENSIONS)
    yield from _convolution("quant_conv", LATENT, DIMENSIONS, 1)
    yield from _convolution("post_quant_conv", DIMENSIONS, LATENT, 1)


def _blocks(name: str, sizes: list[tuple[int, int]]) -> Shapes:
    for number, (inner, outer) in enumerate(sizes):
        yield from _block(f"{name}.{number}", inner, outer)


def _block(name: str, inner: int, outer: int) -> Shapes:
    yield from _norm(f"{name}.norm1", inner)
    yield from _convolution(f"{name}.conv1", inner, outer, 3)
    yield from _norm(f"{name}.norm2", outer)
    yield from _convolution(f"{name}.conv2", outer, outer, 3)
    if inner != outer:
        yield from _convolution(f"{name}.nin_shortcut", inner, outer, 1)


def _attention(name: str, width: int) -> Shapes:
    yield from _norm(f"{name}.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        yield from _convolution(f"{name}.{part}", width, width, 1)


def _norm(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _convolution(name: str, inner: int, outer: int, side: int) -> Shapes:
    yield f"{name}.weight", (outer, inner, side, side)
    yield f"{name}.bias", (outer,)


def _random(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Matrices keep the scale of what runs through them; norms and biases vary, too."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes:
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 1:
            tensors[name] = noise * 0.2 + (1.0 if name.endswith("weight") else 0.0)
        else:
            tensors[name] = noise * (2.0 if name == "output.weight" else 1.0) / math.sqrt(math.prod(shape[1:]))
    return tensors


def main() -> None:
    write_classes(Path(sys.argv[1]) / "classes")
    write_captions(Path(sys.argv[1]) / "captions")


if __name__ == "__main__":
    main()
