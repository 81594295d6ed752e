"""LlamaGen (arXiv 2406.06525): models/llamagen.py and models/llamagen_vq.py over the worker's slots.

A folder holds config.json, model.safetensors and vq.safetensors, as `python -m sjd2_worker.convert.llamagen` makes them
of the published files. A prompt is the number of a class, or a caption, whose features stand before the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from ..checkpoint import check_fit, fill, hash_files, hash_part, names_of, read_config, read_header, read_tensors
from ..errors import RequestError, StartupError
from ..models.llamagen import LlamaGenConfig, LlamaGenTransformer
from ..models.llamagen_vq import VQConfig, build_vq, encode_normalised, library_names
from .base import Adapter, Attend, CacheShape, Encode, Entries, Parts, TokenizedPrompt, cells, pixels
from .captions import Captions
from .denoising import check_denoising, read_denoising
from .library import standard_parts

FILES = ("model.safetensors", "vq.safetensors")
# of the published sampling scripts
OF_CLASSES = {"guidance": 4.0, "temperature": 1.0, "topK": 2000, "topP": 1.0}
OF_CAPTIONS = {"guidance": 7.5, "temperature": 1.0, "topK": 1000, "topP": 1.0}


class LlamaGenAdapter(Adapter):
    """One checkpoint folder. Raises `StartupError` where it cannot be used."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        values = read_config(folder)
        config, vq = read_shapes(values, folder / "config.json")
        weights = [folder / name for name in FILES]
        shapes = [{name: tensor["shape"] for name, tensor in read_header(path).items()} for path in weights]
        self._transformer, self._vq = modules = build(config, vq)
        check_weights(modules, weights, shapes)
        self._vq_file, self._vq_said = weights[1], values["vq"]
        paths = [folder / "config.json", *weights, *check_denoising(values, folder)]
        self._captions = None
        if config.caption:
            encoder = values.get("t5")
            if not isinstance(encoder, (str, NoneType)):
                raise _wrong(folder / "config.json", f"t5 is {encoder!r} and should be the folder of an encoder")
            own = None if encoder is None else folder / encoder
            self._captions = Captions(folder, own, config.caption, config.features, device, dtype)
            paths += self._captions.paths
        fill(self._transformer, read_tensors(weights[0], device, dtype), weights[0])
        fill(self._vq, library_names(read_tensors(weights[1], device, torch.float32)), weights[1])
        self.trained, self.pictures = {"": self._transformer}, self._vq
        denoising = read_denoising(values, folder, self._transformer.tok_embeddings.weight)
        self.embeddings, self.timestep = denoising.embeddings, denoising.timestep
        self._conditions = self._transformer.conditions()  # [conditions, width]
        self._config, length = config, config.side**2
        prompt = config.caption or 1
        self.cache = CacheShape(config.layers, cells(prompt, length), config.heads, config.width // config.heads)
        self.card = {
            "family": "llamagen",
            "name": values.get("name", names_of(folder)[0]),
            "hash": hash_files(paths),
            "vocabulary": config.codes + config.conditions,
            "image": {"first": 0, "count": config.codes},
            "grid": {"rows": config.side, "columns": config.side},
            "picture": {"height": config.side * vq.stride, "width": config.side * vq.stride},
            "width": config.width,
            "layout": [-1] * length,
            "denoising": denoising.said,
            "sampling": OF_CAPTIONS if config.caption else OF_CLASSES,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        if self._captions is None:
            return self._tokenize_class(prompt)
        count, cut = self._captions.read(prompt)
        vocabulary, end = self._config.codes + self._config.caption, self._config.caption
        if not count:  # nothing of the caption can be read: it is the empty one
            nothing = [vocabulary - 1]
            return TokenizedPrompt(nothing, nothing, [])
        # the published code pads captions on the left, hides the padding, and hides as much of the empty caption
        empty = [self._config.codes + row for row in range(end - count, end)]
        return TokenizedPrompt([vocabulary + row for row in range(count)], empty, [], cut, vectors=count)

    def vectors(self, prompt: str) -> Tensor:
        return self._transformer.caption(self._captions(prompt)) if self._captions else super().vectors(prompt)

    def _tokenize_class(self, prompt: str) -> TokenizedPrompt:
        config = self._config
        label = {str(number): number for number in range(config.classes)}.get(prompt.strip())
        if label is None:
            message = f"The model draws classes, and {prompt!r} is the number of none."
            raise RequestError("bad-prompt", message, f"Give a number from 0 to {config.classes - 1} as the prompt.")
        return TokenizedPrompt([config.codes + label], [config.codes + config.classes], [])

    def embed(self, ids: Tensor) -> Tensor:
        condition = ids - self._config.codes
        codes = self._transformer.tok_embeddings(ids.clamp(max=self._config.codes - 1))
        return torch.where(condition[:, None] < 0, codes, self._conditions[condition.clamp(min=0)])

    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        return self._transformer(entries.embeddings[None], entries.positions[None], attend, entries.rows)[0]

    def decode(self, codes: Tensor) -> Tensor:
        pictures = self._vq.decode(codes).permute(0, 2, 3, 1)
        return (pictures + 1) / 2 * 255 + 0.5

    def codebook(self) -> Tensor:
        return self._vq.quantize.embedding.weight

    def encoder(self) -> Encode:
        return lambda pictures: encode_normalised(self._vq, pixels(pictures))

    def encoder_hash(self) -> str:
        return hash_part([self._vq_file], "", self._vq_said)


load = LlamaGenAdapter


def parts(folder: Path) -> Parts:
    """See base.py."""
    encoder = read_config(folder).get("t5")
    files = tuple(partial(read_header, folder / name) for name in FILES)
    return *files, *(standard_parts(folder / encoder) if isinstance(encoder, str) else ())


def read_shapes(values: dict[str, Any], path: Path) -> tuple[LlamaGenConfig, VQConfig]:
    """From config.json. Raises `wrong-config`."""
    vq = values.get("vq")
    try:
        config, shapes = LlamaGenConfig.of(values), VQConfig(**vq) if isinstance(vq, dict) else None
    except TypeError as error:
        what = str(error).split("__init__() ")[-1]
        raise _wrong(path, what) from error
    if shapes is None:
        raise _wrong(path, f"vq is {vq!r} and should be the image tokenizer's shapes")
    for name, value in (*vars(config).items(), *((f"vq.{name}", value) for name, value in vars(shapes).items())):
        least = 0 if name in ("classes", "caption", "features") else 1
        for number in value if isinstance(value, (list, tuple)) and value else [value]:
            if type(number) is not int or number < least:
                raise _wrong(path, f"{name} is {value!r} and should be whole and at least {least}")
    if config.width % (4 * config.heads):
        raise _wrong(
            path, f"width is {config.width} and should be a multiple of 4 times heads, which is {config.heads}"
        )
    if not isinstance(values.get("t5", ""), str):
        raise _wrong(path, f"t5 is {values['t5']!r} and should be the folder of an encoder")
    if bool(config.classes) == bool(config.caption) or bool(config.caption) != bool(config.features):
        raise _wrong(path, "it should say either classes, or caption and features")
    return config, shapes


def build(config: LlamaGenConfig, vq: VQConfig) -> tuple[LlamaGenTransformer, Any]:
    """The transformer and the picture tokenizer, on the meta device: shapes without contents."""
    with torch.device("meta"):
        return LlamaGenTransformer(config), build_vq(vq, config.codes, config.side)


def check_weights(
    modules: tuple[LlamaGenTransformer, Any], paths: Sequence[Path], shapes: Sequence[Mapping[str, list[int]]]
) -> None:
    """Raises `wrong-config` unless tensors of these shapes, by their published names, are those of both modules."""
    check_fit(modules[0], shapes[0], paths[0])
    check_fit(modules[1], library_names(shapes[1]), paths[1])


def _wrong(path: Path, what: str) -> StartupError:
    return StartupError("wrong-config", f"{path}: {what}.", "Restore the file, or convert the checkpoint again.")
