"""Weights as their authors publish them, unpickled as tensors and nothing else; and safetensors out."""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..checkpoint import existing, read_header
from ..errors import StartupError

WRAPPED = ("model", "module", "state_dict")  # where training scripts put the weights


def read_published(path: Path) -> dict[str, Tensor]:
    """The weights in a .pt, .ckpt or .safetensors file. Raises `missing-` or `corrupt-checkpoint`."""
    if existing(path).suffix == ".safetensors":
        read_header(path)
        weights: Any = load_file(path)
    else:
        weights = _unpickled(path)
        weights = next((weights[name] for name in WRAPPED if name in weights), weights)
    if not (isinstance(weights, dict) and all(isinstance(tensor, Tensor) for tensor in weights.values())):
        message = f"{path} holds no weights: neither a map of tensors nor one under {', '.join(WRAPPED)}."
        raise StartupError("corrupt-checkpoint", message, "Download it again.")
    return weights


def _unpickled(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, "cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        message = f"{path} holds {found[1] if found else 'something'}, which is no tensor, and was not unpickled."
        remedy = "Use the published file, or have its weights saved alone, as safetensors."
        raise StartupError("corrupt-checkpoint", message, remedy) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        message = f"{path} cannot be read: {error or type(error).__name__}."
        raise StartupError("corrupt-checkpoint", message, "It is truncated or damaged: download it again.") from error


def write_whole(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Writes a safetensors file, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part)
    part.replace(path)
