"""A worker of the Lumina shape without a model: `forward` replies rows of a prepared buffer, after a simulated time.

It reads and checks requests by the worker's own code, so that all but the model is what a real worker does. The rows
make about four tokens a pass: near an image's front a position keeps its row from pass to pass, farther back it gets
another each time, as if what stands before it had changed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sjd2_worker import __version__
from sjd2_worker.endpoint import bound
from sjd2_worker.lanes import Lanes, Limits, read_lanes
from sjd2_worker.passes import pack
from sjd2_worker.protocol import DTYPES, VERSION, Array, Head
from sjd2_worker.server import serve
from sjd2_worker.worker import Room

VOCABULARY = 131_072
STEADY = 7  # positions at the front whose rows stay
PREPARED = 256  # rows
SPREAD = 2.5  # deviation of the logits


def card(grid: int, count: int, width: int) -> Head:
    """Of pictures of `grid` rows and columns, laid out as Lumina-mGPT's."""
    return {
        "family": "null",
        "name": "null",
        "hash": "null",
        "vocabulary": VOCABULARY,
        "image": {"first": 4, "count": count},
        "grid": {"rows": grid, "columns": grid},
        "picture": {"height": grid, "width": grid},
        "width": width,
        "layout": [8197, 8804, 8804, *([-1] * grid + [8803]) * grid, 8196],
        "denoising": {"schedule": "cosine"},
        "sampling": {"guidance": 3.0, "temperature": 1.0, "topK": min(2000, count // 4), "topP": 1.0},
    }


class NullWorker:
    """Serves what decoding asks for."""

    def __init__(self, slots: int, seconds: float, dtype: str, shape: Head) -> None:
        self._slots, self._seconds, self._dtype, self._card = slots, seconds, dtype, shape
        count, self._width, self._length = shape["image"]["count"], shape["width"], len(shape["layout"])
        random = np.random.default_rng(1)
        logits = random.standard_normal((PREPARED, count), np.float32) * np.float32(SPREAD)
        self._logits = {"f32": logits, "f16": logits.astype(np.float16)}
        self._table = random.standard_normal((count, self._width), np.float32)
        self._cells = self._length + 1024
        self._limits = Limits(slots, self._cells, 16_384, VOCABULARY, self._length, self._width)

    @property
    def slots(self) -> int:
        return self._slots

    def prepare(
        self, head: Head, tensors: dict[str, Array], room: Room = np.empty
    ) -> Callable[[], tuple[Head, dict[str, Array]]]:
        """Reads a request; what is returned answers it."""
        if head["op"] == "forward":
            lanes = read_lanes(head, tensors, self._limits)
            pack(lanes)
            return lambda: self._forward(head, lanes, room)
        replies: dict[str, Any] = {"hello": self._hello, "embeddings": self._embeddings}
        return lambda: replies[head["op"]](head, tensors)

    def _hello(self, head: Head, tensors: dict[str, Array]) -> tuple[Head, dict[str, Array]]:
        said = {"protocol": VERSION, "worker": __version__, "torch": "none", "device": "none", "dtype": self._dtype}
        room = {"cells": self._cells, "promptCells": 256, "longestPrompt": 1024, "maxEntries": 16_384}
        return {**said, "slots": self._slots, **room, "model": self._card}, {}

    def _embeddings(self, head: Head, tensors: dict[str, Array]) -> tuple[Head, dict[str, Array]]:
        zero, one = np.zeros(self._width, np.float32), np.ones(self._width, np.float32)
        return {}, {"table": self._table, "mean": zero, "deviation": one}

    def _forward(self, head: Head, lanes: Lanes, room: Room) -> tuple[Head, dict[str, Array]]:
        began = time.monotonic()
        rows = _rows(lanes, self._length)
        logits = room((len(rows), self._table.shape[0]), DTYPES[head["logits"]])
        np.take(self._logits[head["logits"]], rows, axis=0, out=logits, mode="clip")
        time.sleep(max(0.0, began + self._seconds - time.monotonic()))
        ended = time.monotonic()
        return {"seconds": ended - began, "clock": {"began": began, "ended": ended}}, {"logits": logits}


def _rows(lanes: Lanes, length: int) -> NDArray[np.int64]:
    """Which prepared row each wanted row is: by its position, and behind the steady ones by its image's front too."""
    positions = lanes.positions[lanes.rows]
    lane = np.searchsorted(lanes.firsts, lanes.rows, "right") - 1
    fronts = np.array([positions[lane == i].min(initial=length) for i in range(len(lanes.firsts))])[lane]
    behind = positions - fronts >= STEADY
    return (positions * 37 + behind * (fronts * 101 + 13)) % PREPARED


def main() -> None:
    """Serves until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--milliseconds", type=float, default=0.0, help="what a forward takes at least")
    parser.add_argument("--dtype", default="bf16", help="what the model would compute in")
    parser.add_argument("--grid", type=int, default=48, help="rows and columns of a picture")
    parser.add_argument("--count", type=int, default=8192, help="image codes")
    parser.add_argument("--width", type=int, default=4096, help="of an embedding")
    arguments = parser.parse_args()
    shape = card(arguments.grid, arguments.count, arguments.width)
    worker = NullWorker(arguments.slots, arguments.milliseconds / 1000, arguments.dtype, shape)
    with ThreadPoolExecutor(1) as device, bound(arguments.endpoint, None, False) as socket:
        serve(socket, worker, device, lambda: False)  # type: ignore[arg-type]  # it serves what is asked of it here


if __name__ == "__main__":
    main()
