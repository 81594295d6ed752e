"""Malformed requests, found by Hypothesis: always answered by the schema, never a failure inside the worker."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sjd2_worker.protocol import DTYPES, VERSION, Head, decode_head, decode_tensors, encode, validator
from sjd2_worker.server import answer
from sjd2_worker.worker import Worker

from .helpers import FIRST, Share, forward

quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.integers(-3, 20) | st.sampled_from([1.0, 4.0, 1e30])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MASK = np.tri(3, dtype=bool)
VALID = [
    encode({"op": "hello", "id": 1, "protocol": VERSION}, {}),
    encode({"op": "tokenize", "id": 1, "prompts": ["red circle"]}, {}),
    encode({"op": "decode", "id": 1}, {"codes": np.zeros((1, 16), np.int32)}),
    encode(
        *forward(
            Share([(0, 4), (1, 4)], [-2, FIRST, -1], [-1, 0, 1], [0, 2], 3.0, [np.ones(32, np.float32)], [0.5]),
            Share([(2, 6)], [2, 3, 4], [0, 1, 2], [1], mask=MASK, keep=[3, 5]),
        )
    ),
]


def _answered(worker: Worker, frames: list[Any]) -> Head:
    reply, _ = answer(worker, frames)
    head = decode_head(reply[0])
    validator("Reply")(head)
    decode_tensors(head, reply[1:])
    assert head["ok"] or head["code"] not in ("internal", "out-of-memory"), head
    return head


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a head."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in inside for place in _places(inner, (*path, key)))]


@given(frames=st.lists(st.binary(max_size=64), max_size=4))
@quick
def test_noise(worker: Worker, frames: list[bytes]) -> None:
    assert not _answered(worker, frames)["ok"]


@given(head=st.dictionaries(st.sampled_from(["op", "id", "lanes", "tensors", "protocol"]), VALUES))
@quick
def test_any_map(worker: Worker, head: Head) -> None:
    assert not _answered(worker, [msgpack.packb(head)])["ok"]


@given(data=st.data())
@quick
def test_one_value_replaced(worker: Worker, data: st.DataObject) -> None:
    frames = list(data.draw(st.sampled_from(VALID)))
    head = decode_head(frames[0])
    *path, last = data.draw(st.sampled_from(_places(head)[1:]))
    holder: Any = head
    for key in path:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[last] = data.draw(VALUES)
    else:
        del holder[last]
    _answered(worker, [msgpack.packb(head), *frames[1:]])


@pytest.mark.parametrize("frames", VALID)
def test_whole_numbers_may_come_as_floats(worker: Worker, frames: list[Any]) -> None:
    whole = decode_head(frames[0])
    for path in _places(whole):
        for make in (float, lambda _: 1e30):
            head = decode_head(frames[0])
            holder: Any = {"": head}
            for key in ("", *path)[:-1]:
                holder = holder[key]
            last = ("", *path)[-1]
            if not isinstance(holder[last], int):
                continue
            holder[last] = make(holder[last])
            assert _answered(worker, [msgpack.packb(head), *frames[1:]])["ok"] or make is not float


@given(data=st.data())
@quick
def test_tensors_of_any_content(worker: Worker, data: st.DataObject) -> None:
    """Frames of the right size with bytes of any kind: ids, positions, rows, latents, timesteps and bitmaps."""
    frames = list(data.draw(st.sampled_from(VALID[2:])))
    place = data.draw(st.integers(1, len(frames) - 1))
    size = memoryview(frames[place]).nbytes
    frames[place] = data.draw(st.binary(min_size=size, max_size=size))
    _answered(worker, frames)


@given(data=st.data())
@quick
def test_frames_cut_dropped_or_swapped(worker: Worker, data: st.DataObject) -> None:
    frames = [bytes(frame) for frame in data.draw(st.sampled_from(VALID))]
    place = data.draw(st.integers(0, len(frames) - 1))
    cut = data.draw(st.integers(0, len(frames[place])))
    changed = data.draw(st.sampled_from(["cut", "drop", "double", "reverse"]))
    if changed == "cut":
        frames[place] = frames[place][:cut]
    elif changed == "drop":
        del frames[place]
    elif changed == "double":
        frames.insert(place, frames[place])
    else:
        frames.reverse()
    _answered(worker, frames)


@given(
    tensors=st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.sampled_from(sorted(DTYPES)).flatmap(
            lambda dtype: st.lists(st.integers(0, 4), max_size=3).map(lambda shape: np.ones(shape, DTYPES[dtype]))
        ),
        max_size=4,
    )
)
@quick
def test_what_is_encoded_is_decoded(tensors: dict[str, Any]) -> None:
    frames = encode({"op": "stats", "id": 1}, tensors)
    head = decode_head(frames[0])
    decoded = decode_tensors(head, frames[1:])
    assert list(decoded) == list(tensors)
    for name, array in tensors.items():
        np.testing.assert_array_equal(decoded[name], array)
        assert decoded[name].dtype == array.dtype
