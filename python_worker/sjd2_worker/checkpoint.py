"""Reading a checkpoint folder: JSON and safetensors, never a pickle. What cannot be used is a typed start-up error."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .errors import StartupError, listed
from .rounded import refuse_rounded

T = TypeVar("T")

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_PIECE, _PIECES = 1 << 20, 512  # bytes, and at most so many of them, that stand for a file's contents
_LONGEST_HEADER = 100_000_000  # bytes, as the format has it
_headers_alone: ContextVar[bool] = ContextVar("headers_alone", default=False)
_WHOLE = {"BOOL": torch.bool, "U8": torch.uint8} | {
    f"I{bits}": getattr(torch, f"int{bits}") for bits in (8, 16, 32, 64)
}
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def names_of(folder: Path) -> list[str]:
    """What a checkpoint is called: in the hub's cache by its id there, else by its folder, and by a link to that."""
    whole = folder.resolve()
    kept = whole.parent.parent.name  # models--org--name/snapshots/commit
    return [kept.split("--", 2)[-1]] if kept.startswith("models--") else [whole.name, folder.name]


def existing(path: Path) -> Path:
    """`path` if there is such a file. Raises `missing-checkpoint`."""
    if path.is_file():
        return path
    folder = path.parent
    if folder.is_file():
        raise StartupError("missing-checkpoint", f"{folder} is a file.", "Give --model the folder that it lies in.")
    if not folder.is_dir():
        remedy = "Give --model a checkpoint folder that exists."
    elif pickles := sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES):
        remedy = f"{pickles[0]} may run code when it is loaded and is never read: convert its tensors to {path.name}."
    elif shards := sorted(folder.glob("model-*-of-*.safetensors")):
        index = f"{path.name}.index.json"
        message = f"There is no {folder / index}, which says what each of the {len(shards)} shards beside it holds."
        raise StartupError("missing-checkpoint", message, f"Restore {index} of the same checkpoint.")
    else:
        remedy = f"Give --model a folder that holds {path.name}, or restore that file."
    raise StartupError("missing-checkpoint", f"There is no {path}.", remedy)


def read_config(folder: Path) -> dict[str, Any]:
    """The map in config.json. Raises `missing-checkpoint` or `wrong-config`."""
    return read_json(folder / "config.json")


def read_json(path: Path) -> dict[str, Any]:
    """The map in a JSON file. Raises `missing-checkpoint` or `wrong-config`."""
    try:
        values = json.loads(existing(path).read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise StartupError("wrong-config", f"{path} cannot be read: {error}.", "Restore the file.") from error
    if not isinstance(values, dict):
        raise StartupError("wrong-config", f"{path} holds no JSON object.", "Restore the file.")
    return values


def check_weights(folder: Path) -> list[Path]:
    """The folder's safetensors files, in transformers' layout: one, or shards that an index names. No tensor is read.

    Raises `missing-` or `corrupt-checkpoint`.
    """
    index = folder / "model.safetensors.index.json"
    paths = [folder / "model.safetensors"]
    if not paths[0].is_file() and index.is_file():
        try:
            paths = [folder / name for name in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))]
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
            raise StartupError("corrupt-checkpoint", f"{index} cannot be read: {error}.", "Restore it.") from error
    missing = [path.name for path in paths if not path.is_file()]
    if len(missing) > 1:
        message = (
            f"Of the {len(paths)} files of weights that {index} names, {len(missing)} are missing: {listed(missing)}."
        )
        raise StartupError("missing-checkpoint", message, "Go on with the download, or restore these files.")
    for path in paths:
        read_header(path)
    if paths != [folder / "model.safetensors"]:
        _check_index(index, paths)
    for path in paths:
        refuse_rounded(path, read_header(path))
    return paths


def _check_index(index: Path, paths: list[Path]) -> None:
    """Refuses shards that do not hold what their index says, or hold a tensor twice: which one is meant, nobody knows.

    A tensor that lies in another shard than the index says is found all the same.
    Raises `corrupt-checkpoint`.
    """
    holders: dict[str, Path] = {}
    remedy = "The index and the files are not of the same revision: fetch the checkpoint again, all of it."
    for path in paths:
        for name in read_header(path):
            if name in holders:
                message = f"{name} is in two of the files that {index} names, {holders[name].name} and {path.name}."
                raise StartupError("corrupt-checkpoint", message, remedy)
            holders[name] = path
    said = json.loads(index.read_text("utf-8"))["weight_map"]
    if not said:
        raise StartupError("corrupt-checkpoint", f"{index} names no tensor.", remedy)
    for name in sorted(said.keys() - holders.keys()):
        message = f"{index} says that {name} is in {said[name]}, which does not hold it."
        raise StartupError("corrupt-checkpoint", message, remedy)


def read_header(path: Path) -> dict[str, Any]:
    """Each tensor's dtype, shape and data_offsets, by name. Raises `missing-` or `corrupt-checkpoint`."""
    _refuse_others(existing(path))
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(_LONGEST_HEADER, path.stat().st_size):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        end = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        if path.stat().st_size != end:
            raise ValueError(f"it has {path.stat().st_size} bytes and should have {end}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _damaged(path, error) from error
    return tensors


def read_tensors(path: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """All tensors of a safetensors file; those of floats as `dtype`. Raises `missing-` or `corrupt-checkpoint`."""
    if device.type == "meta":
        return _unread(path, dtype)
    _refuse_others(existing(path))
    try:
        tensors = load_file(path, str(device))
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return {name: t.to(dtype) if t.is_floating_point() else t for name, t in tensors.items()}


def _unread(path: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """A file's tensors on the meta device: names and shapes, from the header alone; those of floats as `dtype`."""
    return {
        name: torch.empty(tensor["shape"], dtype=_WHOLE.get(tensor["dtype"], dtype), device="meta")
        for name, tensor in read_header(path).items()
    }


def _refuse_others(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(9)
    if start == b"version h":  # ttps://git-lfs.github.com/spec/v1
        remedy = f"Fetch it: {shlex.join(['git', '-C', str(path.parent), 'lfs', 'pull'])}"
        raise StartupError("corrupt-checkpoint", f"{path} is not the file, but Git LFS's pointer to it.", remedy)
    # a safetensors file begins with its header's length, whose bytes may be anything, and then the header's brace
    if start.startswith(_PICKLE_STARTS) and start[8:] != b"{":
        remedy = "It may run code when it is loaded: convert its tensors to a real safetensors file."
        raise StartupError("corrupt-checkpoint", f"{path} is a pickle, which is never read.", remedy)


def _damaged(path: Path, error: Exception) -> StartupError:
    remedy = "It is truncated or damaged: restore the file, or make it again."
    return StartupError("corrupt-checkpoint", f"{path} cannot be read: {error}.", remedy)


def read_part(paths: Iterable[Path], prefix: str, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors of checked files whose names begin with `prefix`, without it; those of floats as `dtype`."""
    tensors: dict[str, Tensor] = {}
    for path in paths:
        if device.type == "meta":
            tensors |= part(_unread(path, dtype), prefix)
            continue
        with safe_open(path, "pt", str(device)) as file:
            for name in (name for name in file.keys() if name.startswith(prefix)):  # noqa: SIM118 - it is no map
                tensor = file.get_tensor(name)
                tensors[name.removeprefix(prefix)] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    return tensors


class Blank(TorchFunctionMode):
    """`with Blank():` modules are built without their first weights, which `fill` replaces: nothing random is drawn."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        initialises = getattr(func, "__module__", None) == "torch.nn.init"
        return named["tensor"] if initialises else func(*args, **named)


def part(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fill(module: nn.Module, tensors: dict[str, Tensor], path: Path, prefix: str = "") -> None:
    """Gives `module`, built `Blank`, its tensors. Raises `wrong-config` where names or shapes differ."""
    own = part(tensors, prefix)
    check_fit(module, {name: list(tensor.shape) for name, tensor in own.items()}, path, prefix)
    module.load_state_dict(own, assign=True)
    module.eval().requires_grad_(False)


def check_fit(module: nn.Module, found: Mapping[str, list[int]], path: Path, prefix: str = "") -> None:
    """Raises `wrong-config` unless tensors of these names and shapes are the module's, all of them and no other."""
    expected = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    wrong = [
        f"{prefix}{name} is {found.get(name, 'absent')} and should be {expected.get(name, 'absent')}"
        for name in sorted(expected.keys() | found.keys())
        if found.get(name) != expected.get(name)
    ]
    if wrong:
        raise unlike(path, wrong)


def unlike(path: Path, wrong: Sequence[str]) -> StartupError:
    """That a file's tensors are not those that its config.json says. `wrong`: in which ways."""
    message = f"{path} does not fit its config.json: {listed(wrong, '; ')}."
    return StartupError("wrong-config", message, "Use the config.json and the weights of one and the same checkpoint.")


@contextmanager
def headers_alone() -> Iterator[None]:
    """Within it, `hash_files` reads no contents: for an adapter that is made only to be looked at."""
    before = _headers_alone.set(True)
    try:
        yield
    finally:
        _headers_alone.reset(before)


def hash_part(paths: Iterable[Path], prefix: str, said: object) -> str:
    """SHA-256 over the tensors whose names begin with `prefix`, as safetensors files hold them, and `said`, as JSON.

    It stays the same when other tensors of these files change, and for whatever dtype or device they are read to.
    Raises `missing-` or `corrupt-checkpoint`.
    """
    total = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for path in paths:
        found = part(read_header(path), prefix)
        with path.open("rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            for name, tensor in sorted(found.items()):
                total.update(f"{name}\0{tensor['dtype']}\0{tensor['shape']}\0".encode())
                begin, end = tensor["data_offsets"]
                file.seek(start + begin)
                for at in range(begin, end, _PIECE):
                    total.update(file.read(min(_PIECE, end - at)))
    return total.hexdigest()


def hash_files(paths: Iterable[Path], options: str = "") -> str:
    """SHA-256 over the options that a model was loaded with, and the names, sizes and contents of its files, in order.

    Of a large file, pieces all over it stand for its contents.
    """
    total = hashlib.sha256(options.encode())
    for path in paths:
        size = path.stat().st_size
        total.update(f"{path.name}\0{size}\0".encode())
        if _headers_alone.get():
            continue
        step = max(_PIECE, size // _PIECES)
        with path.open("rb") as file:
            for start in range(0, size, step):
                file.seek(start)
                total.update(file.read(_PIECE))
    return total.hexdigest()
