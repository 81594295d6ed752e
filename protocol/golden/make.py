"""Writes the golden messages: `python protocol/golden/make.py [DIR]`. Both sides' tests decode every one of them.

A file holds a message's head as it means, its frames as they are sent (base64: the msgpack head, then the tensors),
and each tensor's values, flat.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from sjd2_worker.protocol import DTYPES, encode

Tensors = dict[str, tuple[str, list[int], list[float]]]  # name: dtype, shape, values

CARD = {
    "family": "scenes",
    "name": "golden",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "vocabulary": 11,
    "image": {"first": 7, "count": 4},
    "grid": {"rows": 2, "columns": 2},
    "picture": {"height": 8, "width": 8},
    "width": 3,
    "layout": [-1, -1, -1, -1, 10],
    "denoising": {"schedule": "cosine"},
    "sampling": {"guidance": 3.5, "temperature": 1.0, "topK": 0, "topP": 1.0},
}

PREFILL = {
    "branches": [{"slot": 0, "base": 0, "prompt": 4, "anchor": 1}],
    "entries": 3,
    "rows": 0,
    "visibility": "chain",
}
GUIDED = {
    "branches": [{"slot": 0, "base": 3, "prompt": 4, "anchor": 1}, {"slot": 1, "base": 3, "prompt": 4, "anchor": 0}],
    "guidance": 3.5,
    "entries": 4,
    "rows": 3,
    "visibility": "chain",
}
TREE = {
    "branches": [{"slot": 2, "base": 6, "prompt": 4, "anchor": 1}],
    "entries": 3,
    "rows": 3,
    "visibility": "mask",
    "keep": [4, 6],
}

ROWS = {
    "branches": [{"slot": 3, "base": 9, "prompt": 4, "anchor": 1}],
    "entries": 2,
    "rows": 2,
    "visibility": "mask",
    "before": 7,
}

CLOCK = {"received": 64.0, "began": 64.25, "ended": 64.2578125}

MESSAGES: dict[str, tuple[str, dict[str, Any], Tensors]] = {
    "hello-request": ("The first request.", {"op": "hello", "id": 1, "protocol": 6, "slots": 8, "memory": True}, {}),
    "hello-reply": (
        "What the worker is. The layout forces id 10 after the four free codes.",
        {
            "op": "hello",
            "id": 1,
            "ok": True,
            "protocol": 6,
            "worker": "0.1.0",
            "torch": "2.13.0+cpu",
            "device": "cpu",
            "dtype": "f32",
            "slots": 8,
            "memory": {"path": "/proc/4321/fd/7", "mark": "0f8fad5bd9cb469fa16570867728950e"},
            "cells": 277,
            "promptCells": 16,
            "longestPrompt": 43,
            "maxEntries": 16384,
            "model": CARD,
        },
        {},
    ),
    "tokenize-request": (
        "Five prompts, one of them beyond ASCII.",
        {"op": "tokenize", "id": 2, "prompts": ["red circle", "blå 円", "red circle, red circle", "features", "***"]},
        {},
    ),
    "tokenize-reply": (
        "The second prompt has words that the model does not know, the third more than it has room for; the fourth has"
        " two entries that are no token, the fifth the model cannot be given.",
        {
            "op": "tokenize",
            "id": 2,
            "ok": True,
            "prompts": [
                {"conditional": [2, 5, 0, 1], "unconditional": [0, 0, 0, 1], "unknown": []},
                {"conditional": [0, 0, 0, 1], "unconditional": [0, 0, 0, 1], "unknown": ["blå", "円"]},
                {"conditional": [2, 5, 2, 1], "unconditional": [0, 0, 0, 1], "unknown": [], "cut": ["circle"]},
                {"conditional": [11, 12, 1], "unconditional": [0, 1], "unknown": [], "vectors": 2},
                {
                    "refused": {
                        "message": "The prompt has 50 tokens, and may have 43.",
                        "remedy": "Say it in fewer words.",
                    }
                },
            ],
        },
        {},
    ),
    "reserve-request": ("Room for a prompt of 40 tokens.", {"op": "reserve", "id": 9, "promptCells": 40}, {}),
    "reserve-reply": (
        "All slots have it now.",
        {"op": "reserve", "id": 9, "ok": True, "cells": 304, "promptCells": 43},
        {},
    ),
    "embeddings-request": ("Of the model.", {"op": "embeddings", "id": 3}, {}),
    "embeddings-reply": (
        "Four image codes of width 3.",
        {"op": "embeddings", "id": 3, "ok": True},
        {
            "table": ("f32", [4, 3], [0.5, -1, 2, 1.5, 0, -2, -0.5, 1, 0, 2.5, 4, 8]),
            "mean": ("f32", [3], [1, 1, 2]),
            "deviation": ("f32", [3], [1.25, 2, 3.5]),
        },
    ),
    "codebook-request": ("The picture tokenizer's.", {"op": "embeddings", "id": 3, "of": "codebook"}, {}),
    "codebook-reply": (
        "Four image codes, whose vectors have two dimensions.",
        {"op": "embeddings", "id": 3, "ok": True},
        {"codebook": ("f32", [4, 2], [0.5, -1, 2, 1.5, 0, -2, -0.5, 1])},
    ),
    "forward-prefill-request": (
        "A prompt of four ids: all but its last, one of them a vector, are written to slot 0; no logits are wanted.",
        {
            "op": "forward",
            "id": 4,
            "lanes": [PREFILL],
            "vectors": [{"prompt": "features", "count": 2}],
            "logits": "f32",
        },
        {
            "tokens": ("i32", [3], [2, 11, 0]),
            "positions": ("i32", [3], [-4, -3, -2]),
            "rows": ("i32", [0], []),
            "latents": ("f32", [0, 3], []),
            "timesteps": ("f32", [0], []),
        },
    ),
    "forward-prefill-reply": (
        "No rows, so the one frame is empty.",
        {"op": "forward", "id": 4, "ok": True, "seconds": 0.001953125},
        {"logits": ("f32", [0, 4], [])},
    ),
    "forward-request": (
        "A guided lane (the anchor, a clean draft, two latents) and a tree of three (an entry and two children of it, "
        "which do not see one another) after keeping two cells of the tree before.",
        {"op": "forward", "id": 5, "lanes": [GUIDED, TREE], "logits": "f16"},
        {
            "tokens": ("i32", [7], [-2, 8, -1, -1, 9, 7, 10]),
            "positions": ("i32", [7], [-1, 0, 1, 2, 2, 3, 3]),
            "rows": ("i32", [6], [0, 1, 3, 0, 1, 2]),
            "latents": ("f16", [2, 3], [0.5, -1.5, 0.25, 2, -0.125, 1]),
            "timesteps": ("f32", [2], [0.25, 1]),
            "mask": ("u8", [3], [0b001, 0b011, 0b101]),
        },
    ),
    "forward-hidden-request": (
        "Two entries, of positions 2 and 5: the first sees the first seven cells, not the two behind these, nor the"
        " other entry; the second sees all but one.",
        {"op": "forward", "id": 10, "lanes": [ROWS], "logits": "f32"},
        {
            "tokens": ("i32", [2], [7, 9]),
            "positions": ("i32", [2], [2, 5]),
            "rows": ("i32", [2], [0, 1]),
            "latents": ("f32", [0, 3], []),
            "timesteps": ("f32", [0], []),
            "mask": ("u8", [4], [0b10011111, 0b0, 0b10111111, 0b1]),
        },
    ),
    "forward-reply": (
        "Six rows of logits over four codes, the first three guided.",
        {"op": "forward", "id": 5, "ok": True, "seconds": 0.0078125, "clock": CLOCK},
        {"logits": ("f16", [6, 4], [i / 4 - 3 for i in range(24)])},
    ),
    "decode-request": (
        "The codes of two pictures.",
        {"op": "decode", "id": 6},
        {"codes": ("i32", [2, 4], [0, 1, 2, 3, 3, 2, 1, 0])},
    ),
    "decode-reply": (
        "Two pictures of 8 by 8, RGB.",
        {"op": "decode", "id": 6, "ok": True},
        {"pictures": ("u8", [2, 8, 8, 3], [i % 256 for i in range(384)])},
    ),
    "stats-request": ("No arguments.", {"op": "stats", "id": 7}, {}),
    "stats-reply": (
        "A count beyond 32 bits.",
        {
            "op": "stats",
            "id": 7,
            "ok": True,
            "forwards": 2,
            "entries": 14,
            "forwardSeconds": 0.009765625,
            "cacheBytes": 557056,
            "peakBytes": 8589934592,
            "slots": 16,
            "leased": 8,
        },
        {},
    ),
    "shutdown-request": ("The last request.", {"op": "shutdown", "id": 8}, {}),
    "shutdown-reply": ("Sent before the worker ends.", {"op": "shutdown", "id": 8, "ok": True}, {}),
    "error-reply": (
        "A refused request; the worker goes on.",
        {
            "op": "error",
            "id": 9,
            "ok": False,
            "code": "bad-slot",
            "message": "There is no slot 8; there are 8, counted from 0.",
            "remedy": "Use fewer images at once, or start the worker with more --slots.",
        },
        {},
    ),
}


def golden(description: str, head: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
    """What a golden file holds."""
    arrays = {name: np.array(values, DTYPES[dtype]).reshape(shape) for name, (dtype, shape, values) in tensors.items()}
    frames = encode(head, arrays)
    return {
        "description": description,
        "head": msgpack.unpackb(frames[0]),
        "frames": [base64.b64encode(frame).decode() for frame in frames],
        "values": {name: values for name, (_, _, values) in tensors.items()},
    }


def main(folder: Path) -> None:
    for name, message in MESSAGES.items():
        lines = [f" {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in golden(*message).items()]
        (folder / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
