"""From command-line choices to a worker: device, dtype, the family's adapter, the model."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

import torch
from fastjsonschema import JsonSchemaValueException

from .adapters.base import Adapter
from .checkpoint import read_config
from .errors import StartupError, ran_out_of_memory
from .protocol import validator
from .worker import Worker

FAMILIES = {"scenes": "sjd2_worker.adapters.scenes"}
OLDEST_TORCH = (2, 6)
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}

Load = Callable[[Path, torch.device, torch.dtype], Adapter]


def load(folder: Path, adapter: Path | None, device: str, dtype: str, slots: int) -> Worker:
    """Raises `StartupError`."""
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST_TORCH:
        wanted = ".".join(map(str, OLDEST_TORCH))
        raise StartupError("wrong-torch", f"torch is {torch.__version__}.", f"Install torch {wanted} or newer.")
    chosen = _device(device)
    kind = DTYPES["bf16" if chosen.type == "cuda" else "f32"] if dtype == "auto" else DTYPES[dtype]
    load_family = _from_file(adapter) if adapter else _of_family(folder)
    try:
        model = load_family(folder, chosen, kind)
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        message = f"{chosen} has no room for the weights in {folder} ({error or 'no memory left'})."
        raise StartupError("out-of-memory", message, "Use a smaller --dtype, or another --device.") from error
    _check_card(model, folder)
    return Worker(model, slots, chosen, kind)


def _check_card(model: Adapter, folder: Path) -> None:
    try:
        validator("ModelCard")(model.card)
    except JsonSchemaValueException as error:
        message = f"{folder}: its model card cannot be sent: {error.message.removeprefix('data.')}."
        raise StartupError("wrong-config", message, "Restore config.json, or mend the adapter.") from error


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        message = f"torch {torch.__version__} finds no CUDA device."
        raise StartupError("wrong-torch", message, "Use --device cpu, or a Python whose torch is built for CUDA.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _of_family(folder: Path) -> Load:
    config = read_config(folder)
    # transformers' checkpoints say model_type; the bundled family's first checkpoints said nothing
    family = config.get("family", config.get("model_type", "scenes"))
    if family not in FAMILIES:
        message = f"{folder / 'config.json'} is of family {family!r}; there are {', '.join(FAMILIES)}."
        raise StartupError("wrong-family", message, "Choose a checkpoint of these, or give --adapter FILE.")
    return _load_of(importlib.import_module(FAMILIES[family]))


def _from_file(path: Path) -> Load:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise StartupError("wrong-family", f"{path} is no Python file.", "Give --adapter a .py file.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        message = f"{path} cannot be imported: {type(error).__name__}: {error}."
        raise StartupError("wrong-family", message, "Mend the adapter file.") from error
    return _load_of(module)


def _load_of(module: ModuleType) -> Load:
    if not callable(getattr(module, "load", None)):
        message = f"{module.__file__} has no function `load(folder, device, dtype)`."
        raise StartupError("wrong-family", message, "sjd2_worker/adapters/base.py says what an adapter offers.")
    return cast(Load, module.load)
