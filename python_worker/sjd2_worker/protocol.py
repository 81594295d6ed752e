"""The wire: a msgpack head that protocol/schema.json defines, then one raw little-endian frame per tensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

import fastjsonschema
import msgpack
import numpy as np
from numpy.typing import NDArray

from .errors import RequestError, bad_message

VERSION = 6

Head = dict[str, Any]
Array = NDArray[Any]
DTYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(f"<{name[0]}{int(name[1:]) // 8}") for name in ("f32", "f16", "i32", "u8")
}
_FLOATS = b"\xca\xcb"  # what msgpack's floats begin with
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@cache
def schema() -> Head:
    """protocol/schema.json."""
    return cast(Head, json.loads((files(__package__) / "schema.json").read_text("utf-8")))


@cache
def requests() -> dict[str, str]:
    """The definition of each operation's request, by operation."""
    definitions = schema()["definitions"]
    names = [choice["$ref"].rsplit("/", 1)[1] for choice in definitions["Request"]["oneOf"]]
    return {definitions[name]["properties"]["op"]["const"]: name for name in names}


@cache
def validator(definition: str) -> Callable[[object], object]:
    """A function that raises `fastjsonschema.JsonSchemaValueException` unless its argument is a `definition`."""
    whole = schema()
    reference = {
        "$schema": whole["$schema"],
        "definitions": whole["definitions"],
        "$ref": f"#/definitions/{definition}",
    }
    return cast(Callable[[object], object], fastjsonschema.compile(reference))


def encode(head: Head, tensors: Mapping[str, Array]) -> list[bytes | memoryview]:
    """The frames of a message: `head`, whose `tensors` is filled in here, and each tensor, not copied if contiguous."""
    arrays = {
        name: np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        for name, array in tensors.items()
    }
    if arrays:
        head = {**head, "tensors": [describe(name, array) for name, array in arrays.items()]}
    return [msgpack.packb(head), *(a.reshape(-1).view(np.uint8).data for a in arrays.values())]


def describe(name: str, array: Array) -> Head:
    """How a tensor of that name is announced in a head."""
    return {"name": name, "dtype": _NAMES[array.dtype], "shape": list(array.shape)}


def decode_head(frame: bytes | memoryview) -> Head:
    """The head's map, not yet validated. Raises `bad-message`."""
    try:
        head = msgpack.unpackb(frame)
    except Exception as error:  # msgpack raises half a dozen kinds
        raise bad_message(f"The head is not msgpack ({error or type(error).__name__}).") from error
    if not isinstance(head, dict):
        raise bad_message(f"The head is a {type(head).__name__}, not a map.")
    try:
        return _whole(head) if any(byte in bytes(frame) for byte in _FLOATS) else head
    except RecursionError as error:
        raise bad_message("The head is nested too deeply.") from error


def _whole(value: Any) -> Any:
    """A value with integers for its whole floats: the schema takes 4.0 for one, but nothing can be indexed by it."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and abs(value) < 2**63 and value.is_integer() else value


def check_request(head: Head) -> None:
    """Raises `protocol-version` or `bad-message` unless `head` is a request of the schema."""
    operation = head.get("op")
    if not isinstance(operation, str) or operation not in requests():
        raise bad_message(f"There is no operation {operation!r}; there are {', '.join(requests())}.")
    version = head.get("protocol")
    if operation == "hello" and isinstance(version, int) and version != VERSION:
        raise RequestError(
            "protocol-version",
            f"The orchestrator speaks protocol {version}, this worker speaks protocol {VERSION}.",
            "Install the orchestrator and the worker from the same release.",
        )
    try:
        validator(requests()[operation])(head)
    except fastjsonschema.JsonSchemaValueException as error:
        raise bad_message(f"In {operation}: {error.message.replace('data', 'the head', 1)}.") from error


def decode_tensors(head: Head, frames: Sequence[bytes | memoryview]) -> dict[str, Array]:
    """The tensors that a validated head describes, over the frames' own memory (read-only). Raises `bad-message`."""
    described = head.get("tensors", [])
    if len(described) != len(frames):
        raise bad_message(f"The head describes {len(described)} tensors, {len(frames)} frames follow it.")
    tensors: dict[str, Array] = {}
    for tensor, frame in zip(described, frames, strict=True):
        name, dtype, shape = tensor["name"], DTYPES[tensor["dtype"]], tensor["shape"]
        if name in tensors:
            raise bad_message(f"Tensor {name} comes twice.")
        try:
            tensors[name] = np.frombuffer(frame, dtype).reshape(shape)
        except (ValueError, TypeError) as error:
            found = memoryview(frame).nbytes
            raise bad_message(f"Tensor {name} is {tensor['dtype']} {shape}; its frame has {found} bytes.") from error
    return tensors


def take(tensors: dict[str, Array], name: str, dtypes: Sequence[str], dimensions: int) -> Array:
    """Removes tensor `name` from `tensors`. Raises `bad-message` if it is absent or of another dtype or rank."""
    if name not in tensors:
        raise bad_message(f"Tensor {name} is missing.")
    array = tensors.pop(name)
    if _NAMES[array.dtype] not in dtypes or array.ndim != dimensions:
        found = f"{_NAMES[array.dtype]} {list(array.shape)}"
        raise bad_message(f"Tensor {name} is {found}; it should be {' or '.join(dtypes)} of {dimensions} dimensions.")
    return array


def finish(tensors: dict[str, Array]) -> None:
    """Raises `bad-message` if a tensor was sent that nobody took."""
    if tensors:
        raise bad_message(f"Unknown tensors: {', '.join(tensors)}.")
