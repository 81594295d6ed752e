"""Makes a checkpoint folder of LlamaGen's published files: `python -m sjd2_worker.convert.llamagen --help`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from ..adapters.llamagen import FILES, build, check_weights, read_shapes
from ..errors import StartupError, listed
from ..models.llamagen_vq import library_names
from .reading import read_published, write_whole

HELP = """\
Writes DIR/config.json, DIR/model.safetensors and DIR/vq.safetensors, which `sjd2 generate --model DIR` loads, from
the two files that LlamaGen publishes: the transformer and the image tokenizer that it was trained with.

  python -m sjd2_worker.convert.llamagen --gpt c2i_L_384.pt --vq vq_ds16_c2i.pt --size 384 --out llamagen-L-384
  python -m sjd2_worker.convert.llamagen --gpt t2i_XL_stage2_512.pt --vq vq_ds16_t2i.pt --size 512 \\
      --t5 flan-t5-xl --out llamagen-XL-512

A .pt file is a pickle. It is read with torch's weights_only: tensors, plain values and the training's arguments (an
argparse.Namespace, which is data) are built, anything else is refused before it runs. Weights keep their names and
their precision. Tensors that the model does not have are left out and named; one that it lacks is an error.

Captions need features of a T5 encoder. --t5 names the folder of one (flan-t5-xl, in transformers' layout, with
safetensors and tokenizer.json), which is read where it lies; or DIR/features.safetensors holds, by caption, features
[tokens, 2048] that were computed elsewhere.
"""

# heads of the published sizes, by layers and width: the weights do not tell
HEADS = {
    (12, 768): 12,  # B
    (24, 1024): 16,  # L
    (36, 1280): 20,  # XL
    (48, 1536): 24,  # XXL
    (24, 3200): 32,  # 3B
}
KNOWN = {"freqs_cis", "quantize.codebook_used"}  # in every file, and no weights: computed; a statistic of training


def convert(
    gpt: Path, vq: Path, size: int, out: Path, heads: int | None = None, t5: Path | None = None
) -> dict[Path, list[str]]:
    """Pictures have `size` by `size` pixels. Returns the names of the tensors that were left out of each file, but for
    those that are known to be no weights. Raises `StartupError`.
    """
    weights, pictures = read_published(gpt), read_published(vq)
    values: dict[str, Any] = {"model_type": "llamagen", "vq": _vq_shapes(pictures, vq)}
    stride = 2 ** (len(values["vq"]["multipliers"]) - 1)
    values |= _shapes(weights, gpt, heads) | {"side": size // stride}
    if size % stride:
        raise StartupError("wrong-config", f"{size} pixels are no multiple of {stride}.", "Give another --size.")
    if t5 is not None:
        within = t5.resolve().is_relative_to(out.resolve())  # then both may be moved together
        values["t5"] = str(t5.resolve().relative_to(out.resolve()) if within else t5.resolve())
    modules = build(*read_shapes(values, out / "config.json"))
    kept, surplus = [], {}
    # of each file, its tensors by the names that the module gives them
    files = ((gpt, weights, {name: name for name in weights}), (vq, pictures, library_names({n: n for n in pictures})))
    for module, (path, tensors, names) in zip(modules, files, strict=True):
        belongs = {names[name] for name in module.state_dict().keys() & names.keys()}
        kept.append({name: tensor for name, tensor in tensors.items() if name in belongs})
        surplus[path] = sorted(tensors.keys() - belongs - KNOWN)
    shapes = [{name: list(tensor.shape) for name, tensor in tensors.items()} for tensors in kept]
    check_weights(modules, (gpt, vq), shapes)
    out.mkdir(parents=True, exist_ok=True)
    for name, tensors in zip(FILES, kept, strict=True):
        write_whole(tensors, out / name)
    (out / "config.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")
    return {path: names for path, names in surplus.items() if names}


def _shapes(weights: dict[str, Tensor], path: Path, heads: int | None) -> dict[str, int]:
    """The transformer's shapes but for the grid's."""
    codes, width = _shape(weights, "tok_embeddings.weight", path)
    layers = _count(weights, r"layers\.(\d+)\.")
    heads = heads or HEADS.get((layers, width))
    if heads is None:
        message = f"{path} has {layers} layers of width {width}, which is none of LlamaGen's published sizes."
        raise StartupError("wrong-config", message, "Say how many --heads its attention has.")
    hidden = _shape(weights, "layers.0.feed_forward.w1.weight", path)[0]
    shapes = {"codes": codes, "layers": layers, "width": width, "heads": heads, "hidden": hidden}
    if "cls_embedding.uncond_embedding" in weights:
        caption, features = _shape(weights, "cls_embedding.uncond_embedding", path)
        return {**shapes, "caption": caption, "features": features}
    return {**shapes, "classes": _shape(weights, "cls_embedding.embedding_table.weight", path)[0] - 1}


def _vq_shapes(weights: dict[str, Tensor], path: Path) -> dict[str, Any]:
    channels = _shape(weights, "encoder.conv_in.weight", path)[0]
    levels = reversed(range(_count(weights, r"decoder\.conv_blocks\.(\d+)\.")))
    widths = [_shape(weights, f"decoder.conv_blocks.{level}.res.0.conv1.weight", path)[0] for level in levels]
    return {
        "dimensions": _shape(weights, "quantize.embedding.weight", path)[1],
        "channels": channels,
        "multipliers": [width // channels for width in widths],
        "latent": _shape(weights, "post_quant_conv.weight", path)[0],
    }


def _count(weights: dict[str, Tensor], pattern: str) -> int:
    return len({found[1] for name in weights if (found := re.match(pattern, name))})


def _shape(weights: dict[str, Tensor], name: str, path: Path) -> tuple[int, ...]:
    if name not in weights:
        message = f"{path} has no tensor {name}: it is not what LlamaGen publishes for this."
        raise StartupError("wrong-family", message, "Give --gpt the transformer's file and --vq the tokenizer's.")
    return tuple(weights[name].shape)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sjd2_worker.convert.llamagen",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--gpt", type=Path, required=True, metavar="FILE", help="the transformer: c2i_*.pt or t2i_*.pt")
    add("--vq", type=Path, required=True, metavar="FILE", help="its image tokenizer: vq_ds*.pt")
    add(
        "--size",
        type=int,
        required=True,
        help="the pictures' height and width in pixels, as the transformer's name says",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    add("--t5", type=Path, metavar="DIR", help="for captions: the folder of the T5 encoder")
    add("--heads", type=int, help="for sizes that were not published: heads of the attention")
    said = parser.parse_args()
    try:
        surplus = convert(said.gpt, said.vq, said.size, said.out, said.heads, said.t5)
    except StartupError as error:
        print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    for path, names in surplus.items():
        print(f"{path}: left out, since the model has no such tensors: {listed(names)}.")
    print(f"{said.out}: try `sjd2 generate --model {said.out}`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
