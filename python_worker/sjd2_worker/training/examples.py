"""Captions and codes to train on: shards that `sjd2_worker.training.shards` wrote, or the bundled model's own file."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..adapters.base import Adapter
from ..errors import StartupError, ran_out_of_memory
from .checking import Checks, check_captions, without_faults
from .folders import Example
from .loop import batch_indices
from .shard_files import check_codes, check_shard, find_shards, read_shard

MOST_FAILED = 0.01  # share of the examples that may fail in a run; one always may


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
    captions: str = ""  # their hash
    skipped: int = 0  # examples that were left out
    places: Sequence[str] = ()  # where each stands

    def hashes(self) -> dict[str, str]:
        """Of the pictures, as codes in their order, and of the captions."""
        codes = self.codes.to(torch.int32).contiguous().numpy()
        return {"pictures": hashlib.sha256(codes.data).hexdigest(), "captions": self.captions}


class Examples:
    """Batches of some of the examples, by number: whole epochs, each in its own order; some captions are dropped."""

    def __init__(self, data: Data, chosen: range, batch: int, seed: int, dropout: float) -> None:
        self._data, self._chosen, self._batch, self._seed, self._dropout = data, chosen, batch, seed, dropout
        self.failed = set[int]()  # the examples that were left out meanwhile

    def __call__(self, number: int) -> tuple[list[Prompt], Tensor]:
        """Prompts, and codes int64 [B, tokens]. Raises `wrong-config` where too many examples have failed."""
        rows = self._chosen.start + batch_indices(self._seed, number, self._batch, len(self._chosen))
        dropped = np.random.default_rng((self._seed, 1, number)).random(self._batch) < self._dropout
        taken = [self._take(int(row), not drop) for row, drop in zip(rows, dropped, strict=True)]
        return [prompt for _, prompt in taken], self._data.codes[[row for row, _ in taken]].long()

    def _take(self, row: int, conditional: bool) -> tuple[int, Prompt]:
        """An example; the next one in its stead if it fails, though all were checked: a long run is worth more."""
        while True:
            if row not in self.failed:
                try:
                    return row, self._data.prompt(row, conditional)
                except Exception as error:
                    if ran_out_of_memory(error):
                        raise
                    self._leave_out(row, error)
            row = row + 1 if row + 1 in self._chosen else self._chosen.start

    def _leave_out(self, row: int, error: Exception) -> None:
        self.failed.add(row)
        place = self._data.places[row] if self._data.places else f"example {row + 1}"
        message = f"{place}: it failed, and is left out from now on: {type(error).__name__}: {error}"
        print(message, file=sys.stderr, flush=True)
        if len(self.failed) > max(1, MOST_FAILED * len(self._chosen)) or len(self.failed) == len(self._chosen):
            message = (
                f"{len(self.failed)} of {len(self._chosen)} examples failed in training, the last one by {error!r}."
            )
            remedy = "Mend what they have in common, then run the command again: it goes on from the last state."
            raise StartupError("wrong-config", message, remedy) from error


def read_data(path: Path, adapter: Adapter, checks: Checks | None = None) -> Data:
    """`path`: a folder of shards, or one file. `checks`: whether captions are tokenized once before, and how.

    Raises `StartupError` where the shards are none of this model's, or where captions cannot be used; `StoppedError`.
    """
    paths = find_shards(path)
    if paths == [path] and path.suffix == ".npz":
        return _of_ids(path, adapter)
    found, examples = [], list[Example]()
    for file in paths:
        shard = read_shard(file)
        check_shard(file, shard, adapter)
        found.append(shard.codes)
        examples += [Example(f"{file.name}, example {i}", file, said) for i, said in enumerate(shard.captions, 1)]
    codes, good = torch.cat(found), examples
    if checks:
        check_captions(adapter, examples, checks)
        good = without_faults(examples, path, checks)
        codes = codes[[not example.faults for example in examples]]
    captions, device = [example.caption for example in good], adapter.embeddings.table.device

    def prompt(row: int, conditional: bool) -> Prompt:
        with torch.no_grad():
            said = adapter.read(captions[row])
            ids = torch.tensor(said.conditional if conditional else said.unconditional, device=device)
            if not said.vectors or not conditional:
                return Prompt(ids)
            given = ids - adapter.card["vocabulary"]
            known, vectors = torch.where(given < 0, ids, 0), adapter.vectors(captions[row])[given.clamp(min=0)]
            return Prompt(known, torch.where(given[:, None] < 0, adapter.embed(known), vectors))

    said = hashlib.sha256(json.dumps(captions).encode()).hexdigest()
    return Data(codes, prompt, said, len(examples) - len(good), [example.place for example in good])


def _of_ids(path: Path, adapter: Adapter) -> Data:
    """What sjd2_worker.training.data wrote: captions as ids, all of one length."""
    try:
        file = np.load(path)
        prompts, codes = torch.from_numpy(file["prompts"]), torch.from_numpy(file["codes"].astype(np.int32))
    except (OSError, KeyError, ValueError) as error:
        remedy = "Make it with sjd2_worker.training.data, or give shards."
        raise StartupError("corrupt-checkpoint", f"{path} cannot be read: {error}.", remedy) from error
    check_codes(path, codes, len(prompts), adapter)
    device = adapter.embeddings.table.device
    empty = torch.tensor(adapter.tokenize("").unconditional, device=device)
    captions = hashlib.sha256(prompts.contiguous().numpy().data).hexdigest()
    return Data(codes, lambda row, conditional: Prompt(prompts[row].to(device) if conditional else empty), captions)
