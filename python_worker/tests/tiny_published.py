"""Tiny random checkpoints by the published names and layouts of Liquid and Lumina-mGPT 2.0.

Names and shapes stand here a second time, apart from the modules that the worker builds. Ids are the published ones.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from sjd2_worker.convert.vqgan import convert

CODES, WIDTH, HEADS, KEY_HEADS, HIDDEN, LAYERS = 12, 32, 4, 2, 48, 2
GROUPS = 2  # of Lumina's q and k norms
HEAD_WIDTH = 16  # of Gemma's heads: together wider than the model, as in the 7B
CHANNELS, MULTIPLIERS, BLOCKS = 32, (1, 2), 1
LIQUID_FIRST, LUMINA2_FIRST = 256_000, 155_000
WORDS = ("<unk>", "a", "red", "blue", "circle", "square", ".", ",")

Shapes = Iterator[tuple[str, tuple[int, ...]]]


def write_liquid(folder: Path) -> None:
    """As Gemma is published: embedding and head tied. Beside it Chameleon's VQ-GAN, converted."""
    folder.mkdir(parents=True, exist_ok=True)
    special = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<boi>": 7, "<eoi>": 8, "<unconditional>": 9}
    words = (*WORDS, "Generate", "an", "image", "based", "on", "this", "description")
    _write_tokenizer(folder, special | {word: 100 + n for n, word in enumerate(words)})
    config = {
        "architectures": ["GemmaForCausalLM"], "model_type": "gemma", "vocab_size": LIQUID_FIRST + CODES,
        "head_dim": HEAD_WIDTH, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": None, "rope_scaling": None,
        "rms_norm_eps": 1e-6, "max_position_embeddings": 8192, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
    }  # fmt: skip
    _write_model(folder, config, _liquid_shapes(), centre=0.0)  # Gemma adds 1 to the weights of its norms
    _write_vqgan(folder / "vqgan.safetensors", _vqgan_shapes(8, 32, _norm, attends=False))


def write_lumina2(folder: Path) -> None:
    """As the published class saves it. Pictures' sides are multiples of 8 pixels up to 32."""
    folder.mkdir(parents=True, exist_ok=True)
    special = {"<|endoftext|>": 151_643, "<racm3:break>": 151_665, "<eoss>": 151_666}
    special |= {f"<reserved{8795 + n:05d}>": 151_666 + n for n in range(1, 10)} | {"<reserved08706>": 151_700}
    words = (
        *WORDS,
        "Generate",
        "an",
        "image",
        "of",
        "8x8",
        "16x8",
        "according",
        "to",
        "the",
        "following",
        "prompt",
        ":",
    )
    _write_tokenizer(folder, special | {word: 100 + n for n, word in enumerate(words)})
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": None, "eos_token": "<|endoftext|>"}))
    config = {
        "architectures": ["ChameleonXLLMXForConditionalGeneration"], "model_type": "chameleon",
        "vocab_size": LUMINA2_FIRST + CODES, "model_parallel_size": GROUPS, "rms_norm_eps": 1e-5, "rope_scaling": None,
        "max_position_embeddings": 10_240, "z_loss_weight": 1e-5, "dropout": 0.05, "mask_image_logits": False,
        "swin_norm": False, "vocabulary_map": {"<racm3:break>": 151_665, "<MOVQGAN00000>": LUMINA2_FIRST},
        "vq_config": {"embed_dim": 256, "num_embeddings": 8192, "resolution": 512},
    }  # fmt: skip
    _write_model(folder, config, _lumina2_shapes(), centre=1.0)
    _write_vqgan(folder / "movqgan.safetensors", _vqgan_shapes(4, 4, _spatial_norm, attends=True))


PUBLISHED: Mapping[str, Callable[[Path], None]] = {"liquid": write_liquid, "lumina2": write_lumina2}


def _liquid_shapes() -> Shapes:
    yield from _blocks(LIQUID_FIRST + CODES, HEAD_WIDTH)


def _lumina2_shapes() -> Shapes:
    yield from _blocks(LUMINA2_FIRST + CODES, WIDTH // HEADS)
    for layer in range(LAYERS):
        for name in ("q_norm.weight", "q_norm.bias", "k_norm.weight", "k_norm.bias"):
            yield f"model.layers.{layer}.self_attn.{name}", (GROUPS, WIDTH // HEADS)
    yield "lm_head.weight", (LUMINA2_FIRST + CODES, WIDTH)


def _blocks(vocabulary: int, head_width: int) -> Shapes:
    yield "model.embed_tokens.weight", (vocabulary, WIDTH)
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        for part, heads in (("q", HEADS), ("k", KEY_HEADS), ("v", KEY_HEADS)):
            yield f"{name}.self_attn.{part}_proj.weight", (heads * head_width, WIDTH)
        yield f"{name}.self_attn.o_proj.weight", (WIDTH, HEADS * head_width)
        yield f"{name}.mlp.gate_proj.weight", (HIDDEN, WIDTH)
        yield f"{name}.mlp.up_proj.weight", (HIDDEN, WIDTH)
        yield f"{name}.mlp.down_proj.weight", (WIDTH, HIDDEN)
        yield f"{name}.input_layernorm.weight", (WIDTH,)
        yield f"{name}.post_attention_layernorm.weight", (WIDTH,)
    yield "model.norm.weight", (WIDTH,)


Norm = Callable[[str, int], Shapes]


def _vqgan_shapes(dimensions: int, latent: int, norm: Norm, attends: bool) -> Shapes:
    """`norm`: the decoder's. `attends`: the coarsest level, on both sides."""
    widths = [CHANNELS * multiplier for multiplier in MULTIPLIERS]
    last = len(widths) - 1
    yield "quantize.embedding.weight", (CODES, dimensions)
    yield from _convolution("quant_conv", latent, dimensions, 1)
    yield from _convolution("post_quant_conv", dimensions, latent, 1)
    yield from _convolution("encoder.conv_in", 3, CHANNELS, 3)
    inner = CHANNELS
    for level, outer in enumerate(widths):
        for block in range(BLOCKS):
            yield from _block(f"encoder.down.{level}.block.{block}", inner, outer, _norm)
            inner = outer
            if attends and level == last:
                yield from _attention(f"encoder.down.{level}.attn.{block}", outer, _norm)
        if level < last:
            yield from _convolution(f"encoder.down.{level}.downsample.conv", outer, outer, 3)
    yield from _ends("encoder", widths[-1], widths[-1], latent, _norm)
    yield from _convolution("decoder.conv_in", latent, widths[-1], 3)
    for level, outer in reversed(list(enumerate(widths))):
        for block in range(BLOCKS + 1):
            yield from _block(f"decoder.up.{level}.block.{block}", inner, outer, norm)
            inner = outer
            if attends and level == last:
                yield from _attention(f"decoder.up.{level}.attn.{block}", outer, norm)
        if level > 0:
            yield from _convolution(f"decoder.up.{level}.upsample.conv", outer, outer, 3)
    yield from _ends("decoder", widths[-1], widths[0], 3, norm)


def _ends(half: str, middle: int, last: int, out: int, norm: Norm) -> Shapes:
    yield from _block(f"{half}.mid.block_1", middle, middle, norm)
    yield from _attention(f"{half}.mid.attn_1", middle, norm)
    yield from _block(f"{half}.mid.block_2", middle, middle, norm)
    yield from norm(f"{half}.norm_out", last)
    yield from _convolution(f"{half}.conv_out", last, out, 3)


def _block(name: str, inner: int, outer: int, norm: Norm) -> Shapes:
    yield from norm(f"{name}.norm1", inner)
    yield from _convolution(f"{name}.conv1", inner, outer, 3)
    yield from norm(f"{name}.norm2", outer)
    yield from _convolution(f"{name}.conv2", outer, outer, 3)
    if inner != outer:
        yield from _convolution(f"{name}.nin_shortcut", inner, outer, 1)


def _attention(name: str, width: int, norm: Norm) -> Shapes:
    yield from norm(f"{name}.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        yield from _convolution(f"{name}.{part}", width, width, 1)


def _norm(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _spatial_norm(name: str, width: int) -> Shapes:
    """MoVQ's, over code vectors of 4 dimensions."""
    yield from _norm(f"{name}.norm_layer", width)
    yield from _convolution(f"{name}.conv_y", 4, width, 1)
    yield from _convolution(f"{name}.conv_b", 4, width, 1)


def _convolution(name: str, inner: int, outer: int, side: int) -> Shapes:
    yield f"{name}.weight", (outer, inner, side, side)
    yield f"{name}.bias", (outer,)


def _random(shapes: Iterable[tuple[str, tuple[int, ...]]], seed: int, centre: float = 1.0) -> dict[str, Tensor]:
    """Matrices keep the scale of what runs through them; norms, around `centre`, and biases vary, too."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes:
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 1 or name.endswith(("_norm.weight", "_norm.bias")):
            middle = 0.0 if name.endswith("bias") else centre
            tensors[name] = noise * 0.2 + middle
        elif name == "model.embed_tokens.weight":  # were it large, a tied head would say again what was fed
            tensors[name] = noise * 0.1
        else:
            gain = {"lm_head.weight": 3.0, "quantize.embedding.weight": math.sqrt(shape[1])}.get(name, 1.0)
            tensors[name] = noise * gain / math.sqrt(math.prod(shape[1:]))
    return tensors


def _write_model(folder: Path, config: Mapping[str, Any], shapes: Shapes, centre: float) -> None:
    sizes = {"hidden_size": WIDTH, "intermediate_size": HIDDEN, "num_hidden_layers": LAYERS, "rope_theta": 10_000.0}
    heads = {"num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS, "torch_dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps({**config, **sizes, **heads}))
    save_file(_random(shapes, 1, centre), folder / "model.safetensors", {"format": "pt"})


def _write_vqgan(path: Path, shapes: Shapes) -> None:
    """Through the .ckpt that is published: without a wrapping and with what training left there."""
    checkpoint = path.with_suffix(".ckpt")
    torch.save({**_random(shapes, 2), "loss.logvar": torch.zeros(())}, checkpoint)
    convert(checkpoint, path)


def _write_tokenizer(folder: Path, vocabulary: dict[str, int]) -> None:
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([name for name in vocabulary if name.startswith("<")])
    tokenizer.save(str(folder / "tokenizer.json"))
