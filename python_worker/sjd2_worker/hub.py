"""Models of a hub, by ids like `org/name`: the whole of one, or what its files' headers say."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

from .errors import StartupError

FETCHED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]  # of a hub's model: no pickles, no code
WEIGHTS = "*.safetensors"
FIELDS = ("dtype", "shape", "data_offsets")  # of a tensor in a header

T = TypeVar("T")


def found(model: Path) -> Path:
    """The folder of a model: itself, or the hub's snapshot where it is an id like `org/name`: that in the local cache,
    or what is downloaded there, once.

    Raises `missing-checkpoint`.
    """
    return _asked(model, _whole) if _is_id(model) else model


@contextmanager
def headers(model: Path) -> Iterator[Path]:
    """The folder of a model of which headers are all that will be read.

    Of a hub's model that is not whole in the cache, no weights are downloaded: the folder holds its small files, and
    safetensors files of the right headers and sizes, with holes for contents. It lasts as long as the context.
    Raises `missing-checkpoint`.
    """
    if not _is_id(model):
        yield model
        return
    with tempfile.TemporaryDirectory(prefix="sjd2-headers-") as place:
        yield _asked(model, lambda name: _cached(name) or _hollow(name, Path(place) / name))


def write_hollow(path: Path, header: Mapping[str, Mapping[str, Any]]) -> None:
    """A safetensors file of this header (dtype, shape and data_offsets by name), and a hole for its contents."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def _is_id(model: Path) -> bool:
    return not model.is_dir() and re.fullmatch(r"[\w.-]+/[\w.-]+", str(model)) is not None


def _asked(model: Path, ask: Callable[[str], T]) -> T:
    try:
        return ask(str(model))
    except Exception as error:  # no such library, no such model, no way to the hub
        message = f"There is no folder {model}, and no whole model of that id in the cache; the hub gave none: {error}"
        remedy = f"Give --model a checkpoint folder that exists, or go on with the download: hf download {model}"
        raise StartupError("missing-checkpoint", message, remedy) from error


def _cached(name: str) -> Path | None:
    """The whole model in the cache; None where there is nothing, or the part that an interrupted download left, or
    files that other programs fetched alone, such as the tokenizer: the library does not know that these are not all."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=FETCHED, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if _has_weights(folder) else None


def _has_weights(folder: Path) -> bool:
    """Whether a folder holds a safetensors file, and every file that an index in it names."""
    for index in folder.rglob("*.safetensors.index.json"):
        try:
            names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (ValueError, OSError, KeyError, TypeError, AttributeError):
            continue
        if any(not (index.parent / str(name)).is_file() for name in names):
            return False
    return any(path.is_file() for path in folder.rglob("*.safetensors"))


def _whole(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    folder = _cached(name) or Path(snapshot_download(name, allow_patterns=FETCHED))
    if not _has_weights(folder):
        raise LocalEntryNotFoundError(f"{folder} holds no safetensors file, or not all that its index names")
    return folder


def _hollow(name: str, folder: Path) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    api = HfApi()
    small = Path(snapshot_download(name, allow_patterns=FETCHED, ignore_patterns=WEIGHTS))
    folder.mkdir(parents=True)
    for path in small.iterdir():
        if not fnmatch(path.name, WEIGHTS):  # which an interrupted download may have left there
            (folder / path.name).symlink_to(path.resolve())
    for file in api.list_repo_files(name):
        if fnmatch(file, WEIGHTS) and "/" not in file:
            tensors = api.parse_safetensors_file_metadata(name, file).tensors
            write_hollow(folder / file, {n: {field: getattr(t, field) for field in FIELDS} for n, t in tensors.items()})
    return folder
