"""All that an adapter computes stays on its device. torch's meta device, of shapes without values, stands for a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sjd2_worker import worker as module
from sjd2_worker.adapters.base import Adapter
from sjd2_worker.lanes import read_lanes
from sjd2_worker.loading import open_adapter
from sjd2_worker.passes import pack
from sjd2_worker.worker import Worker

from .helpers import Share, forward
from .tiny_llamagen import write_captions

META = torch.device("meta")
MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
FAMILIES = ["bundled", "lumina", "anole", "emu3", "janus", "classes", "captions", "liquid", "lumina2"]


class OneDevice(TorchDispatchMode):
    """Refuses a tensor of the host beside one of the device, even a scalar: not all of a GPU's operations take it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        devices = {x.device.type for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        if len(devices) > 1 and func not in MOVES:
            raise AssertionError(f"{func} is given tensors of {sorted(devices)}.")
        return func(*args, **(kwargs or {}))


@pytest.fixture(params=FAMILIES)
def opened(request: pytest.FixtureRequest, checkpoint: Path, models: dict[str, Path], tmp_path: Path) -> Adapter:
    name: str = request.param
    if name == "captions":
        write_captions(tmp_path)
    folder = {"bundled": checkpoint, "captions": tmp_path, **models}[name]
    options = {"size": (8, 8)} if name in ("lumina", "emu3", "lumina2") else {}
    return open_adapter(folder, None, META, torch.bfloat16, options)


def test_a_pass_and_pictures(opened: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guided tree with latents, a vector and cells that are kept; then decoding."""
    monkeypatch.setattr(module, "fitting_slots", lambda wanted, *_: wanted)
    worker, first, width = Worker(opened, 2, META, torch.bfloat16), opened.card["image"]["first"], opened.card["width"]
    tokens = [-2, -1, *(first + code for code in range(4)), opened.card["vocabulary"]]
    share = Share([(0, 4), (1, 3)], tokens, list(range(-1, 6)), [0, 3, 6], 3.0, keep=[1, 3])
    share.latents, share.timesteps, share.mask = [np.zeros(width, np.float32)], [0.5], np.eye(7, dtype=bool)
    head, tensors = forward(share, width=width)
    plan = pack(read_lanes({**head, "vectors": [{"prompt": "", "count": 1}]}, tensors, worker._limits))
    grid = opened.card["grid"]
    with torch.inference_mode(), OneDevice():  # type: ignore[no-untyped-call]
        logits = worker._logits(plan, torch.zeros(len(plan.given), width, device=META))
        pictures = opened.decode(torch.zeros(2, grid["rows"] * grid["columns"], dtype=torch.int64, device=META))
    assert logits.shape == (3, opened.card["image"]["count"])
    assert logits.device == pictures.device == META


def test_codes_of_pictures(opened: Adapter, request: pytest.FixtureRequest) -> None:
    if "[lumina]" in request.node.name:
        pytest.skip("Its published file holds no encoder.")
    picture, grid = opened.card["picture"], opened.card["grid"]
    with torch.inference_mode(), OneDevice():  # type: ignore[no-untyped-call]
        codes = opened.encoder()(torch.zeros(2, picture["height"], picture["width"], 3, dtype=torch.uint8, device=META))
    assert codes.shape == (2, grid["rows"] * grid["columns"])
    assert codes.device == META
