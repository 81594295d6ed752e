"""What every training stage shares: optimisers, the learning-rate trapezoid, order of data, resuming, progress.

Everything random is a function of (seed, step), so a run killed at any moment and started again ends with the weights
of an undisturbed one.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .progress import Progress


@dataclass(frozen=True)
class Schedule:
    """A trapezoid: `warmup` steps up, flat, then linear to zero over the last `decay` share of `steps` (0: none)."""

    steps: int
    decay: float
    warmup: int = 50

    def __call__(self, step: int) -> float:
        down = (self.steps - step) / (self.steps * self.decay) if self.decay else 1.0
        return min(1.0, (step + 1) / self.warmup, down)


def optimisers(model: nn.Module, scale: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for embeddings, head and the rest."""
    matrices = [p for n, p in model.named_parameters() if "blocks." in n and p.ndim == 2 and "sharpness" not in n]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=0.02 * scale, momentum=0.95, weight_decay=0.05),
        torch.optim.AdamW(rest, lr=3e-3 * scale, betas=(0.9, 0.97), weight_decay=0.0),
    ]


def batch_indices(seed: int, step: int, batch: int, count: int) -> NDArray[np.int64]:
    """Which examples a step sees: a fresh permutation of all of them per epoch."""
    places = np.arange(step * batch, (step + 1) * batch)
    epochs = {int(e): np.random.default_rng((seed, int(e))).permutation(count) for e in set(places // count)}
    return np.array([epochs[int(p // count)][p % count] for p in places])


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    part = path.with_suffix(".part")
    write(part)
    os.replace(part, path)


def _save_state(path: Path, step: int, model: nn.Module, group: list[torch.optim.Optimizer]) -> None:
    tensors = {f"model.{n}": t.contiguous() for n, t in model.state_dict().items()}
    for number, optimiser in enumerate(group):
        for index, slots in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{index}.{name}": torch.as_tensor(t) for name, t in slots.items()}
    _replace(path, lambda part: save_file(tensors, part, metadata={"step": json.dumps(step)}))


def _load_state(path: Path, model: nn.Module, group: list[torch.optim.Optimizer]) -> int:
    from safetensors import safe_open

    tensors = load_file(path)
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    for number, optimiser in enumerate(group):
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"optimiser.{number}."):
                index, slot = name.removeprefix(f"optimiser.{number}.").split(".", 1)
                state.setdefault(int(index), {})[slot] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    with safe_open(path, "pt") as file:
        return int(json.loads(file.metadata()["step"]))


def _keep_freed_memory() -> None:
    """Tells glibc to reuse large blocks instead of giving them back: page faults took 40 % of a step's time."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        mmap_max, trim_threshold = -4, -1
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


def run(
    title: str,
    model: nn.Module,
    loss_of: Callable[[int], tuple[Tensor, dict[str, float]]],
    schedule: Schedule,
    learning_rate_scale: float,
    state: Path,
    export: Callable[[], None],
    every: int = 100,
) -> None:
    """Runs `loss_of(step)` for every step still to do; saves `state` and calls `export` every `every` steps."""
    _keep_freed_memory()
    group = optimisers(model, learning_rate_scale)
    rates = [g["lr"] for o in group for g in o.param_groups]
    state.parent.mkdir(parents=True, exist_ok=True)
    first = _load_state(state, model, group) if state.exists() else 0
    log = state.with_suffix(".jsonl").open("a")
    averages: dict[str, float] = {}
    with Progress(title, schedule.steps) as progress:
        for step in range(first, schedule.steps):
            for optimiser, rate in zip(group, rates, strict=True):
                optimiser.param_groups[0]["lr"] = rate * schedule(step)
            loss, numbers = loss_of(step)
            loss.backward()
            for optimiser in group:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            for name, value in numbers.items():
                averages[name] = value if name not in averages else 0.95 * averages[name] + 0.05 * value
            print(json.dumps({"step": step, **{n: round(v, 4) for n, v in numbers.items()}}), file=log, flush=True)
            progress.update(step + 1, " ".join(f"{n} {v:.3f}" for n, v in averages.items()))
            if (step + 1) % every == 0 or step + 1 == schedule.steps:
                _save_state(state, step + 1, model, group)
                export()
    log.close()
