"""From command-line choices to a worker: device, dtype, the family's adapter, the model."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from fastjsonschema import JsonSchemaValueException

from .adapters.base import Adapter
from .checkpoint import found, read_config
from .errors import StartupError, install, ran_out_of_memory, users_line
from .graphs import cuda
from .protocol import validator
from .rounded import refuse_rounding_config
from .worker import Worker

# the adapter of each family, as config.json names it: `family`, or transformers' `model_type`
FAMILIES = {
    "scenes": "sjd2_worker.adapters.scenes",
    "chameleon": "sjd2_worker.adapters.chameleon",
    "emu3": "sjd2_worker.adapters.emu3",
    "janus": "sjd2_worker.adapters.janus",
    "llamagen": "sjd2_worker.adapters.llamagen",
}
# checkpoints that there are in another layout, too
ELSEWHERE = {"multi_modality": "This is Janus as its authors lay it out: use deepseek-community/Janus-Pro-1B or -7B."}
OLDEST_TORCH = (2, 6)
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}

Load = Callable[..., Adapter]  # (folder, device, dtype, *, the options that the family declares)
Options = Mapping[str, Any]  # by name; None where the user did not choose
NONE: Options = {}


def load(model: Path, adapter: Path | None, device: str, dtype: str, slots: int, options: Options = NONE) -> Worker:
    """`model`: a folder, or a hub's id in the local cache. Raises `StartupError`."""
    chosen, kind = choose(device, dtype)
    opened = open_adapter(model, adapter, chosen, kind, options)
    # accelerate's hooks carry tensors from GPU to GPU, which a graph of one does not hold
    record = cuda() if chosen.type == "cuda" and (options.get("gpus") or 1) == 1 else None
    return Worker(opened, slots, chosen, kind, record)


def choose(device: str, dtype: str) -> tuple[torch.device, torch.dtype]:
    """What the choices mean on this machine. Raises `wrong-torch`."""
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST_TORCH:
        wanted = ".".join(map(str, OLDEST_TORCH))
        raise StartupError("wrong-torch", f"torch is {torch.__version__}.", f"Install torch {wanted} or newer.")
    chosen = _device(device)
    return chosen, DTYPES["bf16" if chosen.type == "cuda" else "f32"] if dtype == "auto" else DTYPES[dtype]


def open_adapter(
    model: Path, adapter: Path | None, device: torch.device, dtype: torch.dtype, options: Options
) -> Adapter:
    """The family's adapter with its weights; on the meta device nothing of these is read. Raises `StartupError`."""
    folder = found(model)
    load_family = _from_file(adapter) if adapter else _of_family(folder)
    declared = {name: value for name, value in options.items() if value is not None}
    for name in declared.keys() - inspect.signature(load_family).parameters.keys():
        message = f"The family of {folder} has no option --{name.replace('_', '-')}."
        raise StartupError("wrong-config", message, "Leave the option out.")
    try:
        loaded = load_family(folder, device, dtype, **declared)
    except StartupError:
        raise
    except Exception as error:
        if ran_out_of_memory(error):
            message = f"{device} has no room for the weights in {folder} ({error or 'no memory left'})."
            raise StartupError("out-of-memory", message, "Use a smaller --dtype, or another --device.") from error
        place = users_line(error) if adapter else None
        if place is None:
            raise
        message = f"The adapter failed at {place}: {type(error).__name__}: {error}."
        raise StartupError("wrong-family", message, "Mend the adapter file.") from error
    if not isinstance(loaded, Adapter):
        message = f"`load` of {adapter} gave no Adapter, but {loaded!r}."
        raise StartupError("wrong-family", message, "Return an object of a class that extends Adapter.")
    _check_card(loaded, folder)
    return loaded


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
    refuse_rounding_config(config, folder / "config.json")
    # the bundled family's first checkpoints said nothing
    family = config.get("family", config.get("model_type", "scenes"))
    if family not in FAMILIES:
        message = f"{folder / 'config.json'} is of family {family!r}; there are {', '.join(FAMILIES)}."
        remedy = ELSEWHERE.get(family, "Choose a checkpoint of these, or give --adapter FILE.")
        raise StartupError("wrong-family", message, remedy)
    try:
        return _load_of(importlib.import_module(FAMILIES[family]))
    except ImportError as error:
        message = f"{folder} is of family {family!r}, which needs {error.name}; {sys.executable} lacks it."
        raise StartupError("missing-library", message, install("hf")) from error


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
