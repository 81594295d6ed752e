"""Checkpoint folders of the published models' real shapes, with holes for contents: `python -m tests.real_shapes DIR`.

Numbers are those of the published config.json files and papers. Weights are safetensors files of a header and a hole
(a 34B takes a few MB of disk), as their authors' own code names the tensors: in shards where those come in shards.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import (
    ChameleonConfig,
    ChameleonForConditionalGeneration,
    Emu3Config,
    Emu3ForConditionalGeneration,
    JanusConfig,
    JanusForConditionalGeneration,
    T5Config,
    T5EncoderModel,
)

from sjd2_worker.adapters import emu3, janus
from sjd2_worker.adapters.chameleon_pictures import FILE, ChameleonPictures
from sjd2_worker.hub import write_hollow
from sjd2_worker.models.llamagen import LlamaGenConfig, LlamaGenTransformer
from sjd2_worker.models.llamagen_vq import VQConfig, build_vq

Shapes = dict[str, list[int]]
BYTES = {"BF16": 2, "F32": 4, "I64": 8}
SHARD = 10 * 10**9  # bytes, at most

LUMINA: Mapping[str, dict[str, Any]] = {
    "7B": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "34B": {"hidden_size": 8192, "intermediate_size": 22016, "num_hidden_layers": 48, "num_attention_heads": 64},
}
JANUS: Mapping[str, dict[str, Any]] = {
    "1B": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24, "num_attention_heads": 16},
    "7B": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 30, "num_attention_heads": 32},
}
# layers, width, heads, width within the feed-forward part, side of the pictures in pixels
LLAMAGEN = {
    "B": (12, 768, 12, 2048, 256),
    "L": (24, 1024, 16, 2816, 384),
    "XL": (36, 1280, 20, 3584, 384),
    "XXL": (48, 1536, 24, 4096, 384),
    "3B": (24, 3200, 32, 8704, 384),
}
VQ_16 = VQConfig(dimensions=8, channels=128, multipliers=(1, 1, 2, 2, 4), latent=256)


def write_lumina(folder: Path, size: str, groups: int, positions: int = 4096) -> None:
    """As Lumina-mGPT is published, with `groups` rows in the query and key norms; and the converted vqgan.ckpt."""
    heads = 8 if size == "34B" else 32
    letters = str.maketrans("0123456789", "ABCDEFGHIJ")
    names = {4 + code: f"IMGIMG{str(code).translate(letters)}Z" for code in range(8192)}
    names |= {0: "<s>", 1: "<pad>", 2: "</s>", 8196: "<eoss>", 8197: "<racm3:break>", 8710: "<reserved08706>"}
    names |= {8803 + n: f"<reserved{8799 + n:05d}>" for n in range(129)}
    vocabulary = {names.get(id, f"word{id}"): id for id in range(65_536)}
    values: dict[str, Any] = {
        **LUMINA[size],
        "num_key_value_heads": heads,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": positions,
        "swin_norm": size == "34B",
        "rms_norm_eps": 1e-5,
        "vocabulary_map": vocabulary,
        "z_loss_weight": 0.0,
    }
    config = ChameleonConfig(**values)
    shapes = {n: s for n, s in _shapes(ChameleonForConditionalGeneration, config).items() if "vqmodel" not in n}
    shapes = {n: [groups, *s[1:]] if "q_norm" in n or "k_norm" in n else s for n, s in shapes.items()}
    _write(folder, shapes, {"model_type": "chameleon", **values}, vocabulary)
    write_hollow(folder / FILE, header(_shapes(ChameleonPictures, config.vq_config), "F32"))


def write_emu3(folder: Path) -> None:
    """Emu3-Gen in transformers' layout; all numbers are the library's defaults."""
    special = {151_846: emu3.END_OF_LINE, 151_847: emu3.END_OF_FRAME, 151_849: emu3.BEGIN}
    special |= {151_851: emu3.IMAGE, 151_852: emu3.START, 151_853: emu3.END}
    special |= {151_854 + code: f"<|visual token {code:06d}|>" for code in range(32_768)}
    vocabulary = {special.get(id, f"word{id}"): id for id in range(184_622)}
    values: dict[str, Any] = {
        "vocabulary_map": vocabulary,
        "text_config": {"vocab_size": len(vocabulary)},
        "vq_config": {},
    }
    shapes = {}
    files = {"model.text_model.": "text_model.model.", "model.vqmodel.": "vqmodel.", "lm_head.": "text_model.lm_head."}
    for name, shape in _shapes(Emu3ForConditionalGeneration, Emu3Config(**values)).items():
        library = next(prefix for prefix in files if name.startswith(prefix))
        shapes[files[library] + name.removeprefix(library)] = shape
    tokens = {name: id for name, id in vocabulary.items() if not name.startswith("<|visual")}
    _write(folder, shapes, {"model_type": "emu3", **values}, tokens)
    (folder / emu3.NORMALISATION).write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))


def write_janus(folder: Path, size: str) -> None:
    """Janus-Pro in transformers' layout."""
    width, heads = JANUS[size]["hidden_size"], JANUS[size]["num_attention_heads"]
    text = {**JANUS[size], "num_key_value_heads": heads, "vocab_size": 102_400, "max_position_embeddings": 16_384}
    values: dict[str, Any] = {
        "text_config": {"model_type": "llama", **text},
        "vision_config": {"image_size": 384, "patch_size": 16, "projection_dim": width},
        "vq_config": {"projection_dim": width, "image_token_embed_dim": width},
    }
    special = (janus.BEGIN, janus.PADDING, janus.START)
    shapes = _shapes(JanusForConditionalGeneration, JanusConfig(**values))
    _write(folder, shapes, {"model_type": "janus", **values}, {name: id for id, name in enumerate(special)})


def write_llamagen(folder: Path, size: str, captions: bool = False) -> None:
    """As convert/llamagen.py writes it; with captions, of the 512 pixel stage, and the encoder of flan-t5-xl within."""
    layers, width, heads, hidden, pixels = LLAMAGEN[size]
    side = (512 if captions else pixels) // VQ_16.stride
    condition = {"caption": 120, "features": 2048} if captions else {"classes": 1000}
    config = LlamaGenConfig(16_384, side, layers, width, heads, hidden, **condition)
    values: dict[str, Any] = {"model_type": "llamagen", **vars(config), "vq": vars(VQ_16)}
    if captions:
        values["t5"] = "t5"
        _write_t5(folder / "t5")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    write_hollow(folder / "model.safetensors", header(_shapes(LlamaGenTransformer, config), "BF16"))
    pictures = {_published(n): list(t.shape) for n, t in build_vq(VQ_16, config.codes, side).state_dict().items()}
    write_hollow(folder / "vq.safetensors", header(pictures, "F32"))


def _write_t5(folder: Path) -> None:
    values: dict[str, Any] = {
        "d_model": 2048,
        "d_ff": 5120,
        "d_kv": 64,
        "num_layers": 24,
        "num_heads": 32,
        "vocab_size": 32_128,
    }
    values |= {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    shapes = _shapes(T5EncoderModel, T5Config(**values))
    del shapes["encoder.embed_tokens.weight"]  # the same as shared.weight, which alone is in the file
    _write(folder, shapes, {"model_type": "t5", **values}, {"</s>": 1, "<unk>": 2})


def header(shapes: Shapes, dtype: str) -> dict[str, dict[str, Any]]:
    """A safetensors header, its tensors one behind the other."""
    end, tensors = 0, {}
    for name, shape in shapes.items():
        kind = "I64" if name.endswith(".num_batches_tracked") else dtype
        start, end = end, end + BYTES[kind] * torch.Size(shape).numel()
        tensors[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    return tensors


def _shapes(kind: Callable[[Any], nn.Module], config: Any) -> Shapes:
    with torch.device("meta"):
        return {name: list(tensor.shape) for name, tensor in kind(config).state_dict().items()}


def _published(name: str) -> str:
    """LlamaGen's own name of a tensor of its picture tokenizer."""
    swaps = ((".down.", ".conv_blocks."), (".up.", ".conv_blocks."), (".block.", ".res."))
    mid = ((".mid.block_1.", ".mid.0."), (".mid.attn_1.", ".mid.1."), (".mid.block_2.", ".mid.2."))
    for library, published in (*swaps, *mid):
        name = name.replace(library, published)
    return name


def _write(folder: Path, shapes: Shapes, values: Mapping[str, Any], tokens: Mapping[str, int]) -> None:
    """In transformers' layout."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    shards = list(_sharded(shapes))
    names = [f"model-{n:05d}-of-{len(shards):05d}.safetensors" for n in range(1, len(shards) + 1)]
    for name, shard in zip(names if len(shards) > 1 else ["model.safetensors"], shards, strict=True):
        write_hollow(folder / name, header(shard, "BF16"))
    if len(shards) > 1:
        index = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    tokenizer = Tokenizer(models.WordLevel(dict(tokens), unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([name for name in tokens if name.startswith("<")])
    tokenizer.save(str(folder / "tokenizer.json"))


def _sharded(shapes: Shapes) -> Iterator[Shapes]:
    shard: Shapes = {}
    total = 0
    for name, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        if total + size > SHARD:
            yield shard
            shard, total = {}, 0
        shard[name] = shape
        total += size
    yield shard


WRITERS: Mapping[str, Callable[[Path], None]] = {
    "Lumina-mGPT-7B-768": partial(write_lumina, size="7B", groups=1),
    "Lumina-mGPT-34B-512": partial(write_lumina, size="34B", groups=4),
    "emu3": write_emu3,
    **{f"janus-{size}": partial(write_janus, size=size) for size in JANUS},
    **{f"c2i-{size}": partial(write_llamagen, size=size) for size in LLAMAGEN},
    "t2i-XL": partial(write_llamagen, size="XL", captions=True),
}


def main() -> None:
    for name, write in WRITERS.items():
        write(Path(sys.argv[1]) / name)


if __name__ == "__main__":
    main()
