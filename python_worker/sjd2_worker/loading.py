"""From command-line choices to a worker: device, dtype, the family's adapter, the model."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from fastjsonschema import JsonSchemaValueException

from .adapters.base import Adapter, with_prompt_cells
from .checkpoint import headers_alone, read_config
from .errors import StartupError, install, ran_out_of_memory, users_line
from .graphs import cuda
from .hub import found
from .protocol import validator
from .rounded import refuse_rounding_config
from .worker import Worker

# the adapter of each family, as config.json names it: `family`, or transformers' `model_type`
FAMILIES = {
    "scenes": "sjd2_worker.adapters.scenes",
    "chameleon": "sjd2_worker.adapters.chameleon",
    "anole": "sjd2_worker.adapters.chameleon",  # as a branch of transformers named it
    "emu3": "sjd2_worker.adapters.emu3",
    "janus": "sjd2_worker.adapters.janus",
    "llamagen": "sjd2_worker.adapters.llamagen",
    "gemma": "sjd2_worker.adapters.liquid",
    "lumina2": "sjd2_worker.adapters.lumina2",
}
CHAMELEON_VOCABULARY = 65_536  # Lumina-mGPT 2.0 says that it is Chameleon, too; its vocabulary is larger
# checkpoints that there are in another layout, too
ELSEWHERE = {
    "multi_modality": "This is Janus as its authors lay it out: use deepseek-community/Janus-Pro-1B or -7B.",
    "Emu3": "This is Emu3 as its authors lay it out: use Emu3-community/Emu3-Gen-hf.",
}
# what Meta's Chameleon and GAIR's Anole hold in place of a config.json
ORIGINAL = ("consolidated*.pth", "*/consolidated*.pth", "models/*/consolidated*.pth", "tokenizer/text_tokenizer.json")
APPLE = "This Mac's GPU (MPS) is not used: sjd2 computes on CUDA GPUs and CPUs only, here on the CPU."
OLDEST_TORCH, OLDEST_TRANSFORMERS = (2, 6), (5, 20)
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}

Load = Callable[..., Adapter]  # (folder, device, dtype, *, the options that the family declares)
Options = Mapping[str, Any]  # by name; None where the user did not choose
NONE: Options = {}


def load(
    model: Path,
    adapter: Path | None,
    device: str,
    dtype: str,
    slots: int,
    options: Options = NONE,
    prompt_cells: int | None = None,
) -> Worker:
    """`model`: a folder, or a hub's id in the local cache. Raises `StartupError`."""
    chosen, kind = choose(device, dtype)
    opened = open_adapter(model, adapter, chosen, kind, options)
    make_room(opened, prompt_cells)
    # accelerate's hooks carry tensors from GPU to GPU, which a graph of one does not hold
    record = cuda() if chosen.type == "cuda" and (options.get("gpus") or 1) == 1 else None
    return Worker(opened, slots, chosen, kind, record, warnings_of(opened, device))


def warnings_of(adapter: Adapter, device: str) -> list[str]:
    """What a user should know of a checkpoint that was loaded, and of the `device` that was asked for."""
    apple = torch.backends.mps.is_available() and device == "auto" and not torch.cuda.is_available()
    return [*adapter.warnings, *([APPLE] if apple else [])]


def make_room(adapter: Adapter, prompt_cells: int | None) -> None:
    """Lets slots have room for prompts of so many tokens; None: as the adapter has it. Raises `wrong-config`."""
    if prompt_cells is None:
        return
    if prompt_cells > adapter.longest_prompt:
        message = f"Prompts of {adapter.card['name']} may have {adapter.longest_prompt} tokens beside a picture of this"
        message += f" size, --prompt-cells says {prompt_cells}."
        raise StartupError("wrong-config", message, f"Give --prompt-cells {adapter.longest_prompt}, or less.")
    adapter.cache = with_prompt_cells(adapter.cache, prompt_cells, len(adapter.card["layout"]))


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
    load_family = _load_of(adapter_module(folder, adapter))
    declared = {name: value for name, value in options.items() if value is not None}
    for name in declared.keys() - inspect.signature(load_family).parameters.keys():
        message = f"The family of {folder} has no option --{name.replace('_', '-')}."
        raise StartupError("wrong-config", message, "Leave the option out.")
    try:
        with headers_alone() if device.type == "meta" else nullcontext():
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
    if loaded.pictures is not None:
        loaded.pictures.float()  # f16 overflows in picture decoders, bf16 is coarse
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


def adapter_module(folder: Path, adapter: Path | None) -> ModuleType:
    """The user's own, or that of the folder's family. Raises `StartupError`."""
    return _from_file(adapter) if adapter else _of_family(folder)


def _of_family(folder: Path) -> ModuleType:
    if not (folder / "config.json").exists() and (found := [path for one in ORIGINAL for path in folder.glob(one)]):
        message = (
            f"{folder} holds Chameleon or Anole as their authors lay them out: {found[0].relative_to(folder)} and "
        )
        remedy = "Use leloy/Anole-7b-v0.1-hf, which is Anole in transformers' layout; Chameleon itself does not draw."
        raise StartupError("wrong-family", message + "no config.json.", remedy)
    config = read_config(folder)
    refuse_rounding_config(config, folder / "config.json")
    family = _family(config)
    if family not in FAMILIES:
        message = f"{folder / 'config.json'} is of family {family!r}; there are {', '.join(FAMILIES)}."
        remedy = ELSEWHERE.get(family, "Choose a checkpoint of these, or give --adapter FILE.")
        raise StartupError("wrong-family", message, remedy)
    if family != "scenes" and (old := _old_library()):
        raise old
    try:
        return importlib.import_module(FAMILIES[family])
    except ImportError as error:
        message = f"{folder} is of family {family!r}, which needs {error.name}; {sys.executable} lacks it."
        raise StartupError("missing-library", message, install("hf")) from error


def _family(config: Mapping[str, Any]) -> Any:
    """As config.json names it."""
    # the bundled family's first checkpoints said nothing
    family, size = config.get("family", config.get("model_type", "scenes")), config.get("vocab_size")
    if family == "chameleon" and isinstance(size, int) and size > CHAMELEON_VOCABULARY:
        return "lumina2"
    return family


def _from_file(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise StartupError("wrong-family", f"{path} is no Python file.", "Give --adapter a .py file.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        message = f"{path} cannot be imported: {type(error).__name__}: {error}."
        old = _old_library() if "transformers" in sys.modules else None
        raise old or StartupError("wrong-family", message, "Mend the adapter file.") from error
    return module


def _old_library() -> StartupError | None:
    """Where transformers is there, but is older than what the families are written for."""
    try:
        found = metadata.version("transformers")
    except metadata.PackageNotFoundError:
        return None
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) >= OLDEST_TRANSFORMERS:
        return None
    message = f"{sys.executable} has transformers {found}, which is too old: sjd2's families need "
    message += f"{'.'.join(map(str, OLDEST_TRANSFORMERS))} or newer."
    return StartupError("missing-library", message, install("hf"))


def _load_of(module: ModuleType) -> Load:
    if not callable(getattr(module, "load", None)):
        message = f"{module.__file__} has no function `load(folder, device, dtype)`."
        raise StartupError("wrong-family", message, "sjd2_worker/adapters/base.py says what an adapter offers.")
    return cast(Load, module.load)
