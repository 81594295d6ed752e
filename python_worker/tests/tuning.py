"""Small fine-tuning runs, in this process, on scenes that a model's own image tokenizer has read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch
from PIL import Image

from sjd2_worker.adapters.base import Adapter
from sjd2_worker.loading import open_adapter
from sjd2_worker.training import finetune
from sjd2_worker.training.scenes import render, sample_scene

CPU = torch.device("cpu")
OPTIONS: dict[str, dict[str, Any]] = {
    "lumina": {"size": (8, 12)},
    "emu3": {"size": (6, 8)},
    "lumina2": {"size": (8, 16)},
}
FIXED = ["--device", "cpu", "--dtype", "f32", "--batch", "4", "--seed", "1"]


def adapter_of(folder: Path, **options: Any) -> Adapter:
    return open_adapter(folder, None, CPU, torch.float32, options)


def write_pictures(folder: Path, count: int) -> Path:
    """Scenes as PNGs, each beside its caption."""
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        Image.fromarray(render(sample_scene(seed))).save(folder / f"{seed:03d}.png")
        (folder / f"{seed:03d}.txt").write_text("a red circle." if seed % 2 else "a blue square, a red circle")
    return folder


class Tune(Protocol):
    """Runs the command; its exit code and what it says last."""

    def __call__(self, model: Path, data: Path, out: Path, *more: str) -> tuple[int, dict[str, Any]]: ...


def run_command(patch: pytest.MonkeyPatch, model: Path, data: Path, out: Path, *more: str) -> int:
    """The command in this process, whose signals stay as they are; its exit code."""
    patch.setattr(
        sys, "argv", ["finetune", "--model", str(model), "--data", str(data), "--out", str(out), *FIXED, *more]
    )
    patch.setattr("signal.signal", lambda *_: None)
    return finetune.main()


def codes_of(adapter: Adapter, count: int, seed: int = 0) -> torch.Tensor:
    """Random codes [count, tokens]."""
    tokens = adapter.card["layout"].count(-1)
    return torch.from_numpy(np.random.default_rng(seed).integers(0, adapter.card["image"]["count"], (count, tokens)))
