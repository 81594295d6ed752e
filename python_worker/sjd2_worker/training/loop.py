"""What every training stage shares: optimisers, the learning-rate trapezoid, order of data, resuming, progress.

Everything random is a function of (seed, step), so a run killed at any moment and started again ends with the weights
of an undisturbed one.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .processes import ALONE, Processes
from .progress import Progress
from .record import Record
from .state import Optimisers, Parameters, load_state, save_state


@dataclass(frozen=True)
class Schedule:
    """A trapezoid: `warmup` steps up, flat, then linear to zero over the last `decay` share of `steps` (0: none)."""

    steps: int
    decay: float
    warmup: int = 50

    def __call__(self, step: int) -> float:
        down = (self.steps - step) / (self.steps * self.decay) if self.decay else 1.0
        return min(1.0, (step + 1) / self.warmup, down)


def muon(parameters: Parameters, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for embeddings, head and the rest, which `rate` is of."""
    inside = {
        name for name, p in parameters.items() if re.search(r"\.\d+\.", name) and p.ndim == 2 and min(p.shape) > 1
    }
    return [
        torch.optim.Muon(_of(parameters, inside), lr=rate * 20 / 3, momentum=0.95, weight_decay=0.05),
        torch.optim.AdamW(_of(parameters, parameters.keys() - inside), lr=rate, betas=(0.9, 0.97), weight_decay=0.0),
    ]


def adamw(parameters: Parameters, rate: float) -> list[torch.optim.Optimizer]:
    """AdamW, ten times as fast for the timestep embedding: that is new, the rest is not."""
    new = {name for name in parameters if name.startswith("timestep.")}
    groups: list[dict[str, Any]] = [
        {"params": _of(parameters, parameters.keys() - new)},
        {"params": _of(parameters, new), "lr": 10 * rate},
    ]
    return [torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)]


def _of(parameters: Parameters, names: Set[str]) -> list[nn.Parameter]:
    return [parameter for name, parameter in parameters.items() if name in names]


def batch_indices(seed: int, step: int, batch: int, count: int) -> NDArray[np.int64]:
    """Which examples a step sees: a fresh permutation of all of them per epoch."""
    places = np.arange(step * batch, (step + 1) * batch)
    epochs = {int(e): np.random.default_rng((seed, int(e))).permutation(count) for e in set(places // count)}
    return np.array([epochs[int(p // count)][p % count] for p in places])


def _keep_freed_memory() -> None:
    """Tells glibc to reuse large blocks instead of giving them back: page faults took 40 % of a step's time."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        mmap_max, trim_threshold = -4, -1
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


class StoppedError(Exception):
    """A run was asked to stop, and did after a whole step."""


@dataclass(frozen=True)
class Plan:
    """How a run goes. `state` is its resumable state; a run goes on with it where there is one."""

    title: str
    schedule: Schedule
    state: Path
    every: int = 100  # steps between two states
    accumulate: int = 1  # batches of a step
    settings: Mapping[str, Any] = field(default_factory=dict)  # what must be the same when it goes on
    board: Path | None = None  # folder for TensorBoard
    may_differ: Set[str] = frozenset()  # of the settings, when it goes on


def run(
    plan: Plan,
    parameters: Parameters,
    group: Optimisers,
    loss_of: Callable[[int], tuple[Tensor, Mapping[str, float]]],
    saved: Callable[[int], Mapping[str, float]] = lambda step: {},
    processes: Processes = ALONE,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Runs `loss_of(batch)` for every step still to do; then and now saves the state and calls `saved`.

    What `saved` measures goes to the record, as validation. Raises `StoppedError` soon after `stopped` says yes.
    """
    _keep_freed_memory()
    rates = [g["lr"] for o in group for g in o.param_groups]
    plan.state.parent.mkdir(parents=True, exist_ok=True)
    same = {name: value for name, value in plan.settings.items() if name not in plan.may_differ}
    first = load_state(plan.state, parameters, group, same) if plan.state.exists() else 0
    schedule, averages = plan.schedule, dict[str, float]()
    log, board = plan.state.with_suffix(".jsonl"), plan.board if processes.first else None
    with (
        Record(log if processes.first else Path(os.devnull), board, first) as record,
        Progress(plan.title, schedule.steps, done=first) as progress,
    ):
        for step in range(first, schedule.steps):
            start = time.perf_counter()
            for settings, rate in zip([g for o in group for g in o.param_groups], rates, strict=True):
                settings["lr"] = rate * schedule(step)
            for batch in range(plan.accumulate):
                number = (step * plan.accumulate + batch) * processes.count + processes.rank
                loss, numbers = loss_of(number)
                (loss / plan.accumulate).backward()
                for name, value in numbers.items():
                    averages[name] = value if name not in averages else 0.95 * averages[name] + 0.05 * value
            processes.average(list(parameters.values()))
            for optimiser in group:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            seconds = time.perf_counter() - start
            record.write(step, {**numbers, "seconds": seconds})
            spoken = " ".join(f"{n} {v:.3f}" for n, v in averages.items() if " " not in n)
            progress.update(step + 1, f"{spoken} · {seconds:.2f} s/step")
            ends = step + 1 == schedule.steps
            interrupted = not ends and processes.agree(stopped())
            if (step + 1) % plan.every == 0 or ends or interrupted:
                save_state(plan.state, step + 1, parameters, group, plan.settings, processes)
                if interrupted:
                    raise StoppedError(f"Stopped after step {step + 1} of {schedule.steps}; the state is saved.")
                if measured := saved(step + 1):
                    record.write(step, measured, "validation")
                    progress.say(", ".join(f"{n} {v:.3f}" for n, v in measured.items()))
