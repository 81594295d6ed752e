"""Captions and codes to train on: shards that `sjd2_worker.training.shards` wrote, or the bundled model's own file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..adapters.base import Adapter
from ..errors import RequestError, StartupError
from .loop import batch_indices


@dataclass(frozen=True)
class Prompt:
    """Entries before an image."""

    ids: Tensor  # int64 [P]
    vectors: Tensor | None = None  # [P, width]: fed in their stead

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Data:
    """Examples in order. `prompt(i, False)` is what the model reads where a caption is dropped."""

    codes: Tensor  # [count, tokens], counted from 0
    prompt: Callable[[int, bool], Prompt]


class Examples:
    """Batches of some of the examples, by number: whole epochs, each in its own order; some captions are dropped."""

    def __init__(self, data: Data, chosen: range, batch: int, seed: int, dropout: float) -> None:
        self._data, self._chosen, self._batch, self._seed, self._dropout = data, chosen, batch, seed, dropout

    def __call__(self, number: int) -> tuple[list[Prompt], Tensor]:
        """Prompts, and codes int64 [B, tokens]."""
        rows = self._chosen.start + batch_indices(self._seed, number, self._batch, len(self._chosen))
        dropped = np.random.default_rng((self._seed, 1, number)).random(self._batch) < self._dropout
        prompts = [self._data.prompt(int(row), not drop) for row, drop in zip(rows, dropped, strict=True)]
        return prompts, self._data.codes[torch.from_numpy(rows)].long()


def read_data(path: Path, adapter: Adapter) -> Data:
    """`path`: a folder of shards, or one file. Raises `StartupError` where they are none of this model's."""
    paths = find_shards(path)
    if paths == [path] and path.suffix == ".npz":
        return _of_ids(path, adapter)
    shards = [_read_shard(shard, adapter) for shard in paths]
    captions = [caption for _, own in shards for caption in own]
    device = adapter.embeddings.table.device

    def prompt(row: int, conditional: bool) -> Prompt:
        try:
            with torch.no_grad():
                said = adapter.read(captions[row])
                ids = torch.tensor(said.conditional if conditional else said.unconditional, device=device)
                if not said.vectors or not conditional:
                    return Prompt(ids)
                given = ids - adapter.card["vocabulary"]
                known, vectors = torch.where(given < 0, ids, 0), adapter.vectors(captions[row])[given.clamp(min=0)]
                return Prompt(known, torch.where(given[:, None] < 0, adapter.embed(known), vectors))
        except RequestError as error:
            message = f"Example {row} of {path}, {captions[row]!r}: {error.message}"
            raise StartupError("wrong-config", message, f"{error.remedy} Then make the shards anew.") from error

    return Data(torch.cat([codes for codes, _ in shards]), prompt)


def find_shards(path: Path) -> list[Path]:
    """The shards in a folder, in order, or the one file. Empty where there is none."""
    return [path] if path.is_file() else sorted(path.glob("*.safetensors"))


def write_shard(path: Path, codes: Tensor, captions: Sequence[str], adapter: Adapter) -> None:
    """Whole or not at all."""
    from safetensors.torch import save_file

    part = path.with_suffix(".part")
    said = {"captions": json.dumps(list(captions)), "of": json.dumps(_kind(adapter))}
    save_file({"codes": codes.to(torch.int32).contiguous()}, part, metadata=said)
    part.replace(path)


def _kind(adapter: Adapter) -> dict[str, Any]:
    """What codes must agree in with a model."""
    card = adapter.card
    return {"family": card["family"], "codes": card["image"]["count"], "grid": card["grid"]}


def _read_shard(path: Path, adapter: Adapter) -> tuple[Tensor, list[str]]:
    try:
        with safe_open(path, "pt") as file:
            said, codes = file.metadata() or {}, file.get_tensor("codes")
        captions, kind = json.loads(said["captions"]), json.loads(said["of"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        message = f"{path} is no whole shard: {type(error).__name__}: {error}."
        raise StartupError("corrupt-checkpoint", message, "Delete it and make it again.") from error
    if kind != _kind(adapter):
        message = f"{path} holds codes of {kind}; the model's are {_kind(adapter)}."
        raise StartupError("wrong-config", message, "Make shards with this model and --size: sjd2 shards.")
    _check_codes(path, codes, len(captions), adapter)
    return codes, captions


def _check_codes(path: Path, codes: Tensor, count: int, adapter: Adapter) -> None:
    tokens, codebook = adapter.card["layout"].count(-1), adapter.card["image"]["count"]
    if list(codes.shape) != [count, tokens] or not count or not 0 <= int(codes.min()) <= int(codes.max()) < codebook:
        message = f"{path}: its codes are {list(codes.shape)} and should be [{count}, {tokens}], below {codebook}."
        raise StartupError("wrong-config", message, "Make it anew with this model.")


def _of_ids(path: Path, adapter: Adapter) -> Data:
    """What sjd2_worker.training.data wrote: captions as ids, all of one length."""
    try:
        file = np.load(path)
        prompts, codes = torch.from_numpy(file["prompts"]), torch.from_numpy(file["codes"].astype(np.int32))
    except (OSError, KeyError, ValueError) as error:
        remedy = "Make it with sjd2_worker.training.data, or give shards."
        raise StartupError("corrupt-checkpoint", f"{path} cannot be read: {error}.", remedy) from error
    _check_codes(path, codes, len(prompts), adapter)
    device = adapter.embeddings.table.device
    empty = torch.tensor(adapter.tokenize("").unconditional, device=device)
    return Data(codes, lambda row, conditional: Prompt(prompts[row].to(device) if conditional else empty))
