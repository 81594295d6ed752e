"""What next-clean-token fine-tuning adds to a checkpoint of any family: `denoising.safetensors`, a word in config.json.

The file holds `mean` and `deviation`, f32 [width], by which image embeddings were normalised, and `timestep.*`, the
timestep embedding. config.json says `"denoising": {"schedule": ..., "parametrisation": ...}`. A checkpoint without
either knows no noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoint import Blank, fill, read_header, read_tensors
from ..errors import StartupError
from ..models.transformer import TimestepEmbedding
from .base import Embeddings, untrained

FILE = "denoising.safetensors"
SCHEDULES = ("karras", "cosine", "linear")
# what a noisy entry is, with the schedule's alpha and sigma at its timestep t:
# mean + deviation * (alpha * (E[token] - mean) / deviation + sigma * noise) + timestep(t)
PARAMETRISATION = "normalised"


@dataclass(frozen=True)
class Denoising:
    """How a checkpoint takes noisy entries."""

    said: dict[str, Any] | None  # for the card
    embeddings: Embeddings
    timestep: Callable[[Tensor], Tensor]


def said_denoising(values: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """For the card: how config.json, at `path`, says that noise was trained. Raises `wrong-config`."""
    said = values.get("denoising")
    if said is None:
        return None
    if not (isinstance(said, dict) and said.get("schedule") in SCHEDULES):
        message = f"{path}: denoising is {said!r} and should be a schedule, one of {', '.join(SCHEDULES)}."
        raise StartupError("wrong-config", message, "Restore the file.")
    if said.get("parametrisation", PARAMETRISATION) != PARAMETRISATION:
        message = f"{path}: noise was trained by the parametrisation {said['parametrisation']!r}, which nothing here "
        raise StartupError("wrong-config", message + f"knows; there is {PARAMETRISATION!r}.", "Update sjd2.")
    return {"schedule": said["schedule"]}


def check_denoising(values: dict[str, Any], folder: Path) -> list[Path]:
    """The files that belong to it: one or none, and no tensor read.

    Raises `wrong-config` where config.json and the folder disagree, `corrupt-checkpoint` where the file is not whole.
    """
    said, path = said_denoising(values, folder / "config.json"), folder / FILE
    if (said is not None) != path.is_file():
        has, lacks = ("config.json", FILE) if said is not None else (FILE, "config.json")
        message = f"{folder / has} is of a fine-tuned model, {lacks} beside it is not."
        raise StartupError("wrong-config", message, "Use the files of one and the same checkpoint.")
    if said is None:
        return []
    read_header(path)
    return [path]


def read_denoising(values: dict[str, Any], folder: Path, table: Tensor) -> Denoising:
    """`table`: the image codes' embeddings as the model takes them, [count, width]."""
    if not check_denoising(values, folder):
        return Denoising(None, Embeddings.measured(table), untrained)
    width, path = table.shape[1], folder / FILE
    tensors = read_tensors(path, table.device, torch.float32)
    for name in ("mean", "deviation"):
        shape = list(tensors[name].shape) if name in tensors else "absent"
        if shape != [width]:
            message = f"{path}: {name} is {shape} and should be [{width}]."
            raise StartupError("wrong-config", message, "Use the files of one and the same checkpoint.")
    with Blank():
        timestep = TimestepEmbedding(width)
    fill(timestep, tensors, path, "timestep.")
    embeddings = Embeddings(table, tensors["mean"], tensors["deviation"])
    return Denoising(said_denoising(values, folder / "config.json"), embeddings, timestep.to(table.device))
