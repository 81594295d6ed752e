"""The resumable state of a training run: one safetensors file, replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import StartupError
from .processes import ALONE, Processes, shared_as

Parameters = Mapping[str, nn.Parameter]
Optimisers = Sequence[torch.optim.Optimizer]

OTHERWISE = "Give the same options and data to go on, or another --out to begin anew."
MENDED = (
    f"The pictures are the same: with --captions-changed the run goes on with the captions as they are now. {OTHERWISE}"
)


def save_state(
    path: Path,
    step: int,
    parameters: Parameters,
    group: Optimisers,
    run: Mapping[str, Any],
    processes: Processes = ALONE,
) -> None:
    """Whoever dies meanwhile leaves the last state as it was. `run`: what must be the same when it goes on.

    All processes call it, the first writes.
    """
    tensors = {f"model.{name}": parameter.detach().contiguous() for name, parameter in parameters.items()}
    for number, optimiser in enumerate(group):
        for index, slots in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{index}.{name}": torch.as_tensor(t) for name, t in slots.items()}
    tensors = processes.gather(tensors)
    if not processes.first:
        return
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={"step": json.dumps(step), "run": json.dumps(dict(run))})
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, path)


def load_state(path: Path, parameters: Parameters, group: Optimisers, run: Mapping[str, Any]) -> int:
    """The step to go on with. Raises `corrupt-checkpoint`, or `wrong-config` where the state is of another run."""
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata()
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        remedy = "Delete it to begin anew, or restore it."
        raise StartupError("corrupt-checkpoint", f"{path} cannot be read: {error}.", remedy) from error
    before = json.loads(said.get("run", "{}"))  # the first states said nothing
    differing = {name: value for name, value in before.items() if name in run and run[name] != value}
    if differing:
        was, now = (", ".join(_told(name, of[name]) for name in differing) for of in (differing, run))
        remedy = MENDED if differing.keys() == {"captions"} else OTHERWISE
        raise StartupError("wrong-config", f"{path} is of a run with {was}; this one has {now}.", remedy)
    shapes = {name: tensor.shape for name, tensor in tensors.items() if name.startswith("model.")}
    if shapes != {f"model.{name}": parameter.shape for name, parameter in parameters.items()}:
        message = f"{path} is of a run that trains other weights."
        raise StartupError("wrong-config", message, OTHERWISE)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(shared_as(tensors[f"model.{name}"], parameter))
    for number, optimiser in enumerate(group):
        own = [parameter for settings in optimiser.param_groups for parameter in settings["params"]]
        slots = _slots(tensors, f"optimiser.{number}.")
        state = {n: {slot: shared_as(t, own[n]) for slot, t in each.items()} for n, each in slots.items()}
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return int(json.loads(said["step"]))


def _told(name: str, value: Any) -> str:
    """A setting; of a hash, its beginning."""
    return f"{name} {value[:8]}…" if isinstance(value, str) and len(value) == 64 else f"{name} {value}"


def _slots(tensors: Mapping[str, Tensor], prefix: str) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, slot = name.removeprefix(prefix).split(".", 1)
            state.setdefault(int(index), {})[slot] = tensor
    return state
