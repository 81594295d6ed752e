"""A fine-tuned checkpoint: the original folder with other weights, and what belongs to noise.

Tensors are put in the places of those that they were, with their names and dtypes; every other tensor and file is the
original's. Folders that config.json names, such as a text encoder's, stay where they are.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..adapters.denoising import PARAMETRISATION
from ..checkpoint import PICKLES, check_weights, read_config, read_header
from ..errors import StartupError
from .subject import TIMESTEP, Subject


def check_writable(source: Path, out: Path, subject: Subject) -> None:
    """Whether `write` will find the places of all trained tensors. Raises `StartupError`."""
    if out.resolve() == source.resolve():
        message = f"--out is the folder of the model, {source}, which fine-tuning does not change."
        raise StartupError("wrong-config", message, "Give another folder.")
    files = {name: tensor["shape"] for path in check_weights(source) for name, tensor in read_header(path).items()}
    for name, tensor in subject.changed().items():
        if files.get(name) != list(tensor.shape):
            message = f"The weights in {source} have no {name} of shape {list(tensor.shape)}: they are named otherwise."
            remedy = "Write them anew by transformers: from_pretrained(...).save_pretrained(...), and use that folder."
            raise StartupError("wrong-config", message, remedy)


def write(
    source: Path, out: Path, subject: Subject, changed: Mapping[str, Tensor], learnt: Mapping[str, Tensor]
) -> None:
    """`changed` and `learnt`: the subject's, whole.

    Each file as a whole; config.json comes last, without which `out` is no checkpoint.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").unlink(missing_ok=True)
    file, prefix = subject.adapter.denoising_at
    learnt = {n if n.startswith(TIMESTEP) else prefix + n: tensor for n, tensor in learnt.items()}
    weights = check_weights(source)
    for path in weights:
        _rewrite(path, out / path.name, changed, learnt if path.name == file else {})
    if file not in {path.name for path in weights}:
        _whole(out / file, lambda part: save_file({n: t.cpu().contiguous() for n, t in learnt.items()}, part))
    done = {path.name for path in weights} | {file, "config.json"}
    for path in source.iterdir():
        if path.is_file() and path.name not in done and path.suffix not in PICKLES:
            _whole(out / path.name, partial(shutil.copyfile, path))
    denoising = {"schedule": subject.schedule, "parametrisation": PARAMETRISATION}
    values = {name: _seen_from(out, source, value) for name, value in read_config(source).items()}
    said = json.dumps({**values, "denoising": denoising}, indent=1) + "\n"
    _whole(out / "config.json", lambda part: part.write_text(said, "utf-8"))


def _seen_from(out: Path, source: Path, value: Any) -> Any:
    """A value of config.json; where it names a folder as `source` sees it, as `out` does."""
    names_folder = isinstance(value, str) and value != "" and (source / value).is_dir()
    return os.path.relpath(source / value, out) if names_folder else value


def _rewrite(source: Path, target: Path, changed: Mapping[str, Tensor], more: Mapping[str, Tensor]) -> None:
    """`more` is added, or replaces what stands there, in full precision."""
    tensors: dict[str, Tensor] = {}
    with safe_open(source, "pt") as file:
        said = file.metadata()
        for name in file.keys():  # noqa: SIM118 - it is no map
            tensor = file.get_tensor(name)
            tensors[name] = changed[name].to("cpu", tensor.dtype) if name in changed else tensor
    tensors |= {name: tensor.cpu() for name, tensor in more.items()}
    _whole(target, lambda part: save_file({n: t.contiguous() for n, t in tensors.items()}, part, metadata=said))


def _whole(path: Path, make: Callable[[Path], object]) -> None:
    part = path.with_name(path.name + ".part")
    make(part)
    os.replace(part, path)
