"""Holding an adapter over the worker's slots to its library's own full forward on the same sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sjd2_worker.protocol import Array
from sjd2_worker.worker import Worker

from .helpers import ask


@dataclass(frozen=True)
class Library:
    """A decoder as the library loads it, and its head for the image codes."""

    decoder: Any
    head: Callable[[Tensor], Tensor]  # [T, width] to logits over the image codes, [T, count]

    def logits(self, entries: Tensor, places: Tensor | None = None, visible: Tensor | None = None) -> Array:
        """Entries [T, width], by default a chain, to [T, count]. visible: bool [T, T]."""
        mask = None if visible is None else torch.zeros(visible.shape).masked_fill(~visible, -torch.inf)[None, None]
        with torch.inference_mode():
            output = self.decoder(
                inputs_embeds=entries[None],
                position_ids=(torch.arange(len(entries)) if places is None else places)[None],
                attention_mask=None if mask is None else mask.to(entries.dtype),
                use_cache=False,
            )
            return self.head(output.last_hidden_state[0]).float().numpy()


@dataclass(frozen=True)
class Run:
    """Entries into one slot: ids (-1: a latent), at places counted from the prompt's first token; all rows wanted."""

    slot: int
    base: int
    ids: Sequence[int]
    prompt: int
    places: Sequence[int] | None = None  # by default those of the cells
    visible: NDArray[np.bool_] | None = None  # [T, T]
    latents: Sequence[Array] = field(default_factory=list)
    timestep: float = 1.0


def forward(worker: Worker, *runs: Run) -> list[Array]:
    """Each run's logits, [T, count]."""
    lanes = [
        {
            "branches": [{"slot": run.slot, "base": run.base, "prompt": run.prompt, "anchor": 0}],
            "entries": len(run.ids),
            "rows": len(run.ids),
            "visibility": "chain" if run.visible is None else "mask",
        }
        for run in runs
    ]
    places = [list(run.places or range(run.base, run.base + len(run.ids))) for run in runs]
    positions = [place - run.prompt for run, own in zip(runs, places, strict=True) for place in own]
    latents = [latent for run in runs for latent in run.latents]
    tensors = {
        "tokens": np.array([id for run in runs for id in run.ids], np.int32),
        "positions": np.array(positions, np.int32),
        "rows": np.array([row for run in runs for row in range(len(run.ids))], np.int32),
        "latents": np.array(latents, np.float32).reshape(-1, worker._adapter.card["width"]),
        "timesteps": np.array([run.timestep for run in runs for _ in run.latents], np.float32),
        "mask": np.concatenate(
            [np.packbits(r.visible, axis=1, bitorder="little").ravel() for r in runs if r.visible is not None]
            or [np.empty(0, np.uint8)]
        ),
    }
    reply, found = ask(worker, {"op": "forward", "id": 1, "lanes": lanes, "logits": "f32"}, tensors)
    assert reply["ok"], reply
    return np.split(found["logits"], np.cumsum([len(run.ids) for run in runs])[:-1])


def close(found: Array, wanted: Array, tolerance: float = 1e-4) -> None:
    """Equal within `tolerance` of the largest logit."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * float(np.abs(wanted).max()))
