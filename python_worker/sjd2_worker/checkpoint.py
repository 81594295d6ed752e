"""Reading a checkpoint folder: JSON and safetensors, never a pickle. What cannot be used is a typed start-up error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .errors import StartupError

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def existing(path: Path) -> Path:
    """`path` if there is such a file. Raises `missing-checkpoint`."""
    if path.is_file():
        return path
    folder = path.parent
    if not folder.is_dir():
        remedy = "Give --model a checkpoint folder that exists."
    elif pickles := sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES):
        remedy = f"{pickles[0]} may run code when it is loaded and is never read: convert its tensors to {path.name}."
    else:
        remedy = f"Give --model a folder that holds {path.name}, or restore that file."
    raise StartupError("missing-checkpoint", f"There is no {path}.", remedy)


def read_config(folder: Path) -> dict[str, Any]:
    """The map in config.json. Raises `missing-checkpoint` or `wrong-config`."""
    path = existing(folder / "config.json")
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise StartupError("wrong-config", f"{path} cannot be read: {error}.", "Restore the file.") from error
    if not isinstance(config, dict):
        raise StartupError("wrong-config", f"{path} holds no JSON object.", "Restore the file.")
    return config


def read_tensors(path: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """All tensors of a safetensors file; those of floats as `dtype`. Raises `missing-` or `corrupt-checkpoint`."""
    with existing(path).open("rb") as file:
        start = file.read(4)
    if start.startswith(_PICKLE_STARTS):
        remedy = "It may run code when it is loaded: convert its tensors to a real safetensors file."
        raise StartupError("corrupt-checkpoint", f"{path} is a pickle, which is never read.", remedy)
    try:
        tensors = load_file(path, str(device))
    except (SafetensorError, OSError, ValueError) as error:
        remedy = "It is truncated or damaged: restore the file, or make it again."
        raise StartupError("corrupt-checkpoint", f"{path} cannot be read: {error}.", remedy) from error
    return {name: t.to(dtype) if t.is_floating_point() else t for name, t in tensors.items()}


class Blank(TorchFunctionMode):
    """`with Blank():` modules are built without their first weights, which `fill` replaces: nothing random is drawn."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        initialises = getattr(func, "__module__", None) == "torch.nn.init"
        return named["tensor"] if initialises else func(*args, **named)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fill(module: nn.Module, tensors: dict[str, Tensor], path: Path, prefix: str = "") -> None:
    """Gives `module`, built `Blank`, its tensors. Raises `wrong-config` where names or shapes differ."""
    own = part(tensors, prefix)
    expected = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: list(tensor.shape) for name, tensor in own.items()}
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            message = f"{path} does not fit its config.json: {prefix}{name} is {found.get(name, 'absent')}"
            message += f" and should be {expected.get(name, 'absent')}."
            remedy = "Use the config.json and the weights of one and the same checkpoint."
            raise StartupError("wrong-config", message, remedy)
    module.load_state_dict(own, assign=True)
    module.eval().requires_grad_(False)


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the names and contents of the files, in order."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
