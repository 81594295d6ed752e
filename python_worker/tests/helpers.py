"""Requests as an orchestrator builds them, and the reference that their results are held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.models.transformer import causal
from sjd2_worker.protocol import Array, Head, decode_head, decode_tensors, encode, validator
from sjd2_worker.server import answer
from sjd2_worker.worker import Worker

PROMPT = [2, 5, 0, 1]  # red circle
OTHER = [4, 6, 3, 1]
EMPTY = [0, 0, 0, 1]
FIRST = 7  # id of the first image code
POSITIONS = list(range(-len(PROMPT), 16))


@dataclass
class Share:
    """A lane and its part of the tensors."""

    branches: list[tuple[int, int]]  # slot and base
    tokens: list[int]
    positions: list[int]
    rows: list[int] = field(default_factory=list)
    guidance: float | None = None
    latents: list[Array] = field(default_factory=list)
    timesteps: list[float] = field(default_factory=list)
    mask: NDArray[np.bool_] | None = None  # [entries, cells before that it says of + entries]
    keep: list[int] | None = None

    def lane(self) -> Head:
        lane: Head = {
            "branches": [{"slot": s, "base": b, "prompt": len(PROMPT), "anchor": 1} for s, b in self.branches],
            "entries": len(self.tokens),
            "rows": len(self.rows),
            "visibility": "chain" if self.mask is None else "mask",
        }
        before = 0 if self.mask is None else self.mask.shape[1] - len(self.tokens)
        said = {"guidance": self.guidance, "keep": self.keep, "before": before or None}
        return lane | {name: value for name, value in said.items() if value is not None}


def forward(*shares: Share, logits: str = "f32", width: int = 32) -> tuple[Head, dict[str, Array]]:
    """A forward request."""

    def ints(name: str) -> Array:
        return np.array([value for share in shares for value in getattr(share, name)], np.int32)

    latents = [latent for share in shares for latent in share.latents]
    masks = [np.packbits(s.mask, axis=1, bitorder="little").ravel() for s in shares if s.mask is not None]
    tensors = {
        **{name: ints(name) for name in ("tokens", "positions", "rows")},
        "latents": np.array(latents, np.float32).reshape(-1, width),
        "timesteps": np.array([t for share in shares for t in share.timesteps], np.float32),
        **({"mask": np.concatenate(masks)} if masks else {}),
    }
    return {"op": "forward", "id": 1, "lanes": [share.lane() for share in shares], "logits": logits}, tensors


def ask(worker: Worker, head: Head, tensors: dict[str, Array] | None = None) -> tuple[Head, dict[str, Array]]:
    """A request over the whole way but the socket; what is answered is held to the schema."""
    frames, _ = answer(worker, encode(head, tensors or {}))
    reply = decode_head(frames[0])
    validator("Reply")(reply)
    return reply, decode_tensors(reply, frames[1:])


def logits_of(worker: Worker, *shares: Share) -> Array:
    """The rows' logits, [R, codes]."""
    reply, tensors = ask(worker, *forward(*shares))
    assert reply["ok"], reply
    return tensors["logits"]


def chain(ids: Sequence[int], slot: int, first: int = 0, count: int | None = None, **more: object) -> Share:
    """Entries `first …` of a sequence that begins with a prompt, into their own cells; all rows are wanted."""
    end = len(ids) if count is None else first + count
    tokens, positions = list(ids[first:end]), POSITIONS[first:end]
    return Share([(slot, first)], tokens, positions, list(range(end - first)), **more)  # type: ignore[arg-type]


def reference(adapter: ScenesAdapter, entries: Tensor, first: int = 0) -> Array:
    """Logits of the library's plain causal forward over a whole sequence of entries [T, width], [T, codes]."""
    positions = torch.tensor(POSITIONS[first : first + len(entries)])
    with torch.inference_mode():
        return adapter._transformer(entries[None], positions[None], causal)[0].numpy()


def embed(adapter: ScenesAdapter, ids: Sequence[int]) -> Tensor:
    with torch.inference_mode():
        return adapter.embed(torch.tensor(ids))


def close(found: Array, wanted: Array) -> None:
    """Equal within 1e-5 of the largest logit."""
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * float(np.abs(wanted).max()))


def check_codebook(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `codebook` of `embeddings` holds, code by code, what decoding pictures looks up."""
    card = worker._adapter.card
    rows, columns = card["grid"]["rows"], card["grid"]["columns"]
    codes = np.random.default_rng(2).integers(card["image"]["count"], size=(1, rows * columns)).astype(np.int32)
    found: list[Tensor] = []
    look_up = functional.embedding

    def watched(*args: Any, **options: Any) -> Tensor:
        found.append(look_up(*args, **options))
        return found[-1]

    monkeypatch.setattr(functional, "embedding", watched)
    ask(worker, {"op": "decode", "id": 1}, {"codes": codes})
    _, tensors = ask(worker, {"op": "embeddings", "id": 2, "of": "codebook"})
    assert tensors["codebook"].shape[0] == card["image"]["count"]
    assert len(found) == 1
    wanted = found[0].reshape(codes.size, -1).float().numpy()
    np.testing.assert_array_equal(tensors["codebook"][codes[0]], wanted)
