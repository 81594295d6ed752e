"""Tiny random checkpoints, by their library's own `save_pretrained`: `python -m tests.tiny_families DIR`.

Weights are large enough that every logit depends on every entry, and sharply enough to tell right from wrong.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import (
    ChameleonConfig,
    ChameleonForConditionalGeneration,
    Emu3Config,
    Emu3ForConditionalGeneration,
    GenerationConfig,
    JanusConfig,
    JanusForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
)

from sjd2_worker.adapters import chameleon, emu3, janus
from sjd2_worker.adapters.chameleon_pictures import FILE, ChameleonPictures

CODES = 12
WORDS = ("<unk>", "a", "red", "blue", "circle", "square", ".", ",")
SIZES: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


def write_lumina(folder: Path, groups: int = 1, **more: Any) -> None:
    """As Lumina-mGPT's 7B is published: no VQ model within; beside it the decoder of Meta's vqgan.ckpt, finest level
    first. Query and key norms are [groups, head width]: groups of heads share a row.

    Pictures' sides are multiples of 4 pixels up to 16. `more`: fields of config.json.
    """
    names = [*_CHAMELEON, chameleon.NEW_LINE, *(f"<reserved{8800 + n:05d}>" for n in range(1, 5))]
    model = _chameleon(names, z_loss_weight=0.0, **more)
    pictures = _pictures(model.config.vq_config)
    del model.model.vqmodel
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    norms = {
        name: tensor[:: len(tensor) // groups].clone()
        for name, tensor in weights.items()
        if name.split(".")[-2] in ("q_norm", "k_norm")
    }
    save_file({**weights, **norms}, folder / "model.safetensors", {"format": "pt"})
    _write_tokenizer(folder, model.config.vocabulary_map)
    swapped = {"decoder.up.0.": "decoder.up.1.", "decoder.up.1.": "decoder.up.0."}
    state = {swapped.get(name[:13], name[:13]) + name[13:]: tensor for name, tensor in pictures.state_dict().items()}
    save_file(state, folder / FILE)


def write_lumina_34b(folder: Path) -> None:
    """As its 34B: several groups, fewer key heads than heads, and norms behind attention and MLP instead of before."""
    write_lumina(folder, groups=2, num_key_value_heads=2, swin_norm=True)


def write_anole(folder: Path, side: int = 8) -> None:
    """As Anole is published in transformers' layout: the picture decoder among the model's weights. `side`: pixels."""
    model = _chameleon(_CHAMELEON, side)
    pictures = _pictures(model.config.vq_config)
    for name, part in pictures.named_children():
        model.model.vqmodel.add_module(name, part)
    model.save_pretrained(folder)
    _write_tokenizer(folder, model.config.vocabulary_map)


def write_janus(folder: Path, side: int = 8) -> None:
    """Codes of 2 by 2 pixels; more heads than key heads. `side`: in pixels."""
    special = (janus.BEGIN, janus.PADDING, janus.START, "<|User|>", "<|Assistant|>")
    vocabulary = _numbered([*WORDS, *special, ":"])
    text = SIZES | {"model_type": "llama", "num_key_value_heads": 2, "vocab_size": len(vocabulary)}
    vision = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": side, "patch_size": 2}
    vision |= {"projection_dim": 32, "num_image_tokens": (side // 2) ** 2}
    vq = {"num_embeddings": CODES, "latent_channels": 32, "base_channels": 32, "channel_multiplier": [1, 1]}
    vq |= {"num_res_blocks": 1, "projection_dim": 32, "image_token_embed_dim": 32}
    model = JanusForConditionalGeneration(JanusConfig(text_config=text, vision_config=vision, vq_config=vq))
    _randomise(model)
    # both run behind a function that is positive on average: no code shall profit from that
    for part in (model.model.generation_head.vision_head, model.model.generation_aligner.hidden_layers[0]):
        part.weight.data -= part.weight.data.mean(1, keepdim=True)
        part.weight.data *= -4
    model.generation_config = GenerationConfig(
        bos_token_id=vocabulary[janus.BEGIN],
        pad_token_id=vocabulary[janus.PADDING],
        generation_kwargs={"boi_token_id": vocabulary[janus.START]},
    )
    model.save_pretrained(folder)
    _write_tokenizer(folder, vocabulary)


def write_emu3(folder: Path) -> None:
    """Codes of 2 by 2 pixels; more heads than key heads."""
    special = (emu3.BEGIN, emu3.START, emu3.IMAGE, emu3.END_OF_LINE, emu3.END_OF_FRAME, emu3.END)
    images = [f"<|visual token {code:06d}|>" for code in range(CODES)]
    vocabulary = _numbered([*WORDS, *special, *images])
    text = SIZES | {"num_key_value_heads": 2, "vocab_size": len(vocabulary), "pad_token_id": 0, "bos_token_id": 8}
    vq: dict[str, Any] = {
        "codebook_size": CODES,
        "base_channels": 32,
        "channel_multiplier": [1, 1],
        "num_res_blocks": 1,
    }
    vq |= {"hidden_size": 32, "attn_resolutions": []}
    model = Emu3ForConditionalGeneration(Emu3Config(vq_config=vq, text_config=text, vocabulary_map=vocabulary))
    _randomise(model)
    model.save_pretrained(folder)
    _write_tokenizer(folder, vocabulary)
    normalisation = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.6, 0.7]}
    (folder / "preprocessor_config.json").write_text(json.dumps(normalisation))


WRITERS: Mapping[str, Callable[[Path], None]] = {
    "lumina": write_lumina,
    "anole": write_anole,
    "emu3": write_emu3,
    "janus": write_janus,
}

_LETTERS = str.maketrans("0123456789", "ABCDEFGHIJ")


def write_mine(folder: Path) -> None:
    """What examples/my_adapter.py reads."""
    model = LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=2, vocab_size=257 + CODES))
    _randomise(model)
    model.save_pretrained(folder)
    save_file({"colours": torch.arange(3 * CODES, dtype=torch.uint8).view(CODES, 3)}, folder / "palette.safetensors")


# the codes' ids are out of order, as the real ones are
_CHAMELEON = [
    chameleon.BEGIN, "<pad>", "</s>",
    *(f"IMGIMG{str(code).translate(_LETTERS)}Z" for code in (7, 3, 11, 0, 9, 1, 10, 5, 2, 8, 6, 4)),
    chameleon.START, chameleon.END, chameleon.SEPARATOR, *WORDS, "Generate", "an", "image", "of", "8x8",
]  # fmt: skip


def _chameleon(names: Sequence[str], side: int = 8, **more: Any) -> ChameleonForConditionalGeneration:
    vocabulary = _numbered(names)
    vq: dict[str, Any] = {
        "num_embeddings": CODES,
        "embed_dim": 8,
        "latent_channels": 32,
        "resolution": side,
        "base_channels": 32,
    }
    vq |= {"channel_multiplier": [1, 2], "num_res_blocks": 1}
    own = {**SIZES, "vocab_size": len(names), "num_key_value_heads": 4, **more}
    config = ChameleonConfig(**own, vocabulary_map=vocabulary, vq_config=vq)
    model = ChameleonForConditionalGeneration(config)
    _randomise(model)
    return model


def _pictures(config: Any) -> ChameleonPictures:
    """Its code vectors have length 1, as Janus's have, to which it is held."""
    pictures = ChameleonPictures(config)
    _randomise(pictures)
    embedding: Any = pictures.quantize["embedding"]
    embedding.weight.data = torch.nn.functional.normalize(embedding.weight)
    return pictures


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _randomise(model: nn.Module) -> None:
    """Matrices keep the scale of what runs through them; norms and biases vary, too."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        wide = parameter.ndim > 1 and not name.endswith(
            ("q_norm.weight", "k_norm.weight", "q_norm.bias", "k_norm.bias")
        )
        gain = 3.0 if name.startswith("lm_head") else 1.0
        scale = gain / math.sqrt(parameter[0].numel()) if wide and "embed" not in name else 1.0
        centre = 1.0 if not wide and name.endswith("weight") else 0.0
        noise = torch.randn(parameter.shape, generator=generator) * (scale if wide else 0.2)
        parameter.data = (centre + noise).to(parameter.dtype)


def _write_tokenizer(folder: Path, vocabulary: Any) -> None:
    tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([name for name in vocabulary if name.startswith("<")])
    tokenizer.save(str(folder / "tokenizer.json"))


def main() -> None:
    for name, write in {**WRITERS, "mine": write_mine}.items():
        write(Path(sys.argv[1]) / name)


if __name__ == "__main__":
    main()
