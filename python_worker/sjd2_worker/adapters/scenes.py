"""The bundled family: `scenes` (models/transformer.py and models/tokenizer.py)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoint import Blank, existing, fill, hash_files, hash_part, names_of, part, read_config, read_tensors
from ..errors import StartupError
from ..models.lean import LeanScenes
from ..models.tokenizer import CODES, STRIDE, ScenesTokenizer
from ..models.transformer import ScenesConfig, ScenesTransformer, TimestepEmbedding, encode_caption
from .base import Adapter, Attend, CacheShape, Embeddings, Encode, Entries, TokenizedPrompt, cells, pixels
from .denoising import said_denoising

SAMPLING = {"guidance": 3.0, "temperature": 1.0, "topK": 0, "topP": 1.0}


class ScenesAdapter(Adapter):
    """One checkpoint folder: config.json, model.safetensors, tokenizer.safetensors. Raises `StartupError`."""

    denoising_at = ("model.safetensors", "denoising.")

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        paths = [existing(folder / name) for name in ("config.json", "model.safetensors", "tokenizer.safetensors")]
        values, self._pictures = read_config(folder), paths[2]
        self._config = config = _shapes(values, paths[0])
        weights, pictures = read_tensors(paths[1], device, dtype), read_tensors(paths[2], device, torch.float32)
        with Blank():
            self._transformer = ScenesTransformer(config)
            timestep = TimestepEmbedding(config.width) if _denoises(values, weights, paths) else None
            self._tokenizer = self.pictures = ScenesTokenizer()
        fill(self._transformer, weights, paths[1], "transformer.")
        fill(self._tokenizer, pictures, paths[2])
        if timestep:
            fill(timestep, weights, paths[1], "timestep.")
            self.timestep = timestep
        self._transformer.to(device)
        self.trained = {"transformer.": self._transformer}
        self.embeddings = self._normalised(part(weights, "denoising."), paths[1])
        size = cells(config.prompt, config.image_tokens)
        self.cache = CacheShape(config.layers, size, config.heads, config.width // config.heads)
        sampling = values.get("sampling", {})
        self.card = {
            "family": "scenes",
            "name": values.get("name", names_of(folder)[0]),
            "hash": hash_files(paths),
            "vocabulary": config.vocabulary,
            "image": {"first": config.first_code, "count": config.codes},
            "grid": {"rows": config.rows, "columns": config.columns},
            "picture": {"height": config.rows * STRIDE, "width": config.columns * STRIDE},
            "width": config.width,
            "layout": [-1] * config.image_tokens,
            "denoising": said_denoising(values, paths[0]),
            "sampling": SAMPLING | sampling if isinstance(sampling, dict) else sampling,
        }

    def tokenize(self, prompt: str) -> TokenizedPrompt:
        conditional, unknown, cut = encode_caption(self._config, prompt)
        return TokenizedPrompt(conditional, encode_caption(self._config, "").ids, unknown, cut)

    def embed(self, ids: Tensor) -> Tensor:
        return self._transformer.embedding(ids)

    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        if torch.is_inference_mode_enabled():
            return self._lean.forward(entries.embeddings, entries.positions, attend, entries.rows)
        return self._transformer(entries.embeddings[None], entries.positions[None], attend, entries.rows)[0]

    def decode(self, codes: Tensor) -> Tensor:
        grid = codes.view(-1, self._config.rows, self._config.columns)
        pictures = self._tokenizer.decode(grid).permute(0, 2, 3, 1)
        return ((pictures + 1) * 127.5).round()

    @cached_property
    def _lean(self) -> LeanScenes:
        return LeanScenes(self._transformer)

    def codebook(self) -> Tensor:
        return self._tokenizer.codebook[: self._config.codes]

    def encoder(self) -> Encode:
        return lambda pictures: self._tokenizer.encode(pixels(pictures)).flatten(1)

    def encoder_hash(self) -> str:
        return hash_part([self._pictures], "", None)

    def _normalised(self, stored: dict[str, Tensor], path: Path) -> Embeddings:
        """With the mean and deviation that fine-tuning stored, if it did."""
        measured = Embeddings.measured(self._transformer.embedding.weight[self._config.first_code :])
        if not stored:
            return measured
        for name in ("mean", "deviation"):
            shape = list(stored[name].shape) if name in stored else "absent"
            if shape != [self._config.width]:
                raise _wrong(path, f"denoising.{name} is {shape} and should be [{self._config.width}]")
        return Embeddings(measured.table, stored["mean"].float(), stored["deviation"].float())


load = ScenesAdapter


def _shapes(values: dict[str, Any], path: Path) -> ScenesConfig:
    words = values.get("words")
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise _wrong(path, "words should be a list of strings")
    config = ScenesConfig.of(values)
    for name, value in vars(config).items():
        if name != "words" and (type(value) is not int or value < 1):
            raise _wrong(path, f"{name} is {value!r} and should be a positive whole number")
    if config.width % config.heads or config.width // config.heads % 2 or config.width // config.heads < 12:
        raise _wrong(path, f"width / heads is {config.width} / {config.heads} and should be even and at least 12")
    if config.codes > CODES:
        raise _wrong(path, f"codes is {config.codes}, the tokenizer has {CODES}")
    return config


def _denoises(values: dict[str, Any], weights: dict[str, Tensor], paths: list[Path]) -> bool:
    """Whether the checkpoint was fine-tuned to denoise: its config and its weights must agree on that."""
    denoising = said_denoising(values, paths[0])
    if (denoising is not None) != bool(part(weights, "timestep.")):
        has, lacks = (paths[0], paths[1]) if denoising else (paths[1], paths[0])
        raise _wrong(has, f"it is of a fine-tuned model, {lacks.name} beside it is not")
    return denoising is not None


def _wrong(path: Path, what: str) -> StartupError:
    return StartupError("wrong-config", f"{path}: {what}.", "Restore the file, or make the checkpoint again.")
