"""The worker's pass beside the bare model's forward: `PYTHONPATH=python_worker .venv/bin/python bench/forward.py`,
with OMP_WAIT_POLICY=PASSIVE, as the worker runs.

On the bundled scenes, guided, entries in the middle of a picture. Bare: the model as `models/transformer.py` writes it,
eager, over keys and values that lie ready in a tensor of just this batch: what a program for one model and one shape
would do. Lean: the same of `models/lean.py`. Worker: a request's frames in, the reply's frames out. Best of many turns,
in turn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sjd2_worker.adapters.base import Adapter
from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.models.lean import LeanScenes
from sjd2_worker.protocol import encode
from sjd2_worker.server import answer
from sjd2_worker.worker import Worker

SCENES = Path(__file__).parents[1] / "checkpoints" / "scenes"
BASE = 300  # cells before the pass
GUIDANCE = 3.0


def request(adapter: Adapter, images: int, entries: int, base: int = BASE, logits: str = "f32") -> tuple[Any, Any]:
    """Frames of a forward of so many images with so many entries each, and the lanes' tokens and positions."""
    generator = np.random.default_rng(0)
    first, count = adapter.card["image"]["first"], adapter.card["image"]["count"]
    prompt = len(adapter.tokenize("").conditional)
    tokens = generator.integers(first, first + count, images * entries).astype(np.int32)
    positions = np.tile(np.arange(base - prompt, base - prompt + entries, dtype=np.int32), images)
    branch = {"base": base, "prompt": prompt, "anchor": 1}
    lanes = [
        {
            "branches": [
                {"slot": 2 * image, **branch},
                {"slot": 2 * image + 1, **branch},
            ],
            "guidance": GUIDANCE,
            "entries": entries,
            "rows": entries,
            "visibility": "chain",
        }
        for image in range(images)
    ]
    tensors = {
        "tokens": tokens,
        "positions": positions,
        "rows": np.tile(np.arange(entries, dtype=np.int32), images),
        "latents": np.empty((0, adapter.card["width"]), np.float32),
        "timesteps": np.empty(0, np.float32),
    }
    frames = encode({"op": "forward", "id": 1, "lanes": lanes, "logits": logits}, tensors)
    return [bytes(frame) for frame in frames], (
        torch.from_numpy(tokens).long(),
        torch.from_numpy(positions).long(),
    )


def bare(adapter: ScenesAdapter, images: int, entries: int, tokens: Tensor, positions: Tensor) -> Callable[[], Tensor]:
    """Embeddings to guided logits, [images, entries, codes]."""
    model, attend = adapter._transformer, _attention(adapter, 2 * images, entries)
    tokens, positions = (x.view(images, entries).repeat_interleave(2, 0) for x in (tokens, positions))
    return lambda: _guided(model(model.embedding(tokens), positions, attend))


def lean(adapter: ScenesAdapter, images: int, entries: int, tokens: Tensor, positions: Tensor) -> Callable[[], Tensor]:
    model, attend = (
        LeanScenes(adapter._transformer),
        _attention(adapter, 2 * images, entries),
    )
    tokens, positions = (x.view(images, entries).repeat_interleave(2, 0).flatten() for x in (tokens, positions))
    rows = torch.arange(len(tokens))

    def forward() -> Tensor:
        logits = model.forward(adapter.embed(tokens), positions, attend, rows)
        return _guided(logits.view(2 * images, entries, -1))

    return forward


def _guided(logits: Tensor) -> Tensor:
    conditional, unconditional = logits[0::2], logits[1::2]
    return unconditional + GUIDANCE * (conditional - unconditional)


def _attention(adapter: ScenesAdapter, streams: int, entries: int) -> Callable[[int, Tensor, Tensor, Tensor], Tensor]:
    shape, end = adapter.cache, BASE + entries
    keys, values = torch.zeros(2, shape.layers, streams, shape.heads, shape.cells, shape.head_width)
    mask = torch.ones(entries, end, dtype=torch.bool).tril(BASE) if entries > 1 else None

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.reshape(streams, entries, shape.heads, shape.head_width).transpose(1, 2) for x in (q, k, v))
        keys[layer, :, :, BASE:end], values[layer, :, :, BASE:end] = k, v
        seen = keys[layer, :, :, :end], values[layer, :, :, :end]
        return scaled_dot_product_attention(q, *seen, attn_mask=mask).transpose(1, 2)

    return attend


def best(calls: dict[str, Callable[[], object]], seconds: float, clock: Callable[[], float]) -> dict[str, float]:
    """Milliseconds of each, the least; they take turns, so that other work on the machine meets all alike."""
    least = dict.fromkeys(calls, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, call in calls.items():
            begin = clock()
            call()
            least[name] = min(least[name], 1000 * (clock() - begin))
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--windows", type=int, nargs="+", default=[0, 16, 32, 96])
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=3, help="for each shape")
    parser.add_argument("--processor", action="store_true", help="the processors' time: with other work on the machine")
    parser.add_argument("--json", action="store_true", help="a list: images, window, milliseconds of each")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device, dtype = torch.device("cpu"), getattr(torch, arguments.dtype)
    adapter = ScenesAdapter(SCENES, device, dtype)
    worker = Worker(adapter, 2 * max(arguments.images), device, dtype)
    records = []
    if not arguments.json:
        print("images window    bare    lean  worker   worker/bare worker/lean")
    for images in arguments.images:
        for window in arguments.windows:
            frames, shape = request(adapter, images, 1 + window)
            calls: dict[str, Callable[[], object]] = {
                "worker": lambda frames=frames: answer(worker, frames),  # type: ignore[misc]
                **{f.__name__: f(adapter, images, 1 + window, *shape) for f in (bare, lean)},
            }
            with torch.inference_mode():
                took = best(calls, arguments.seconds, time.process_time if arguments.processor else time.perf_counter)
            records.append({"images": images, "window": window, **took})
            if arguments.json:
                continue
            ratios = [took["worker"] / took[name] for name in ("bare", "lean")]
            times = "".join(f"{took[name]:8.2f}" for name in ("bare", "lean", "worker"))
            print(f"{images:6} {window:6}{times} ms {ratios[0]:11.2f} {ratios[1]:11.2f}")
    if arguments.json:
        print(json.dumps(records))


if __name__ == "__main__":
    main()
