"""What is planned is what is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sjd2_worker.loading import load, open_adapter
from sjd2_worker.plan import plan, verdict

from .helpers import ask
from .test_families import storages
from .tiny_families import WRITERS, write_lumina_34b
from .tiny_llamagen import write_captions, write_classes
from .tiny_published import PUBLISHED


@pytest.mark.parametrize(
    "name", ["scenes", "lumina", "lumina-34b", "anole", "emu3", "janus", "classes", "captions", *PUBLISHED]
)
@pytest.mark.parametrize(("dtype", "kind"), [("f32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_plan(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str, kind: torch.dtype
) -> None:
    """To the byte, and with no weight read."""
    writers = {
        **WRITERS,
        **PUBLISHED,
        "lumina-34b": write_lumina_34b,
        "classes": write_classes,
        "captions": write_captions,
    }
    folder = checkpoint if name == "scenes" else tmp_path
    if name in writers:
        writers[name](folder)
    options: dict[str, Any] = {"size": (8, 8)} if name in ("lumina", "lumina-34b", "emu3", "lumina2") else {}
    worker = load(folder, None, "cpu", dtype, 6, options)
    adapter: Any = worker._adapter

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("A weight was read.")

    for reads in ("safe_open", "load_file"):
        monkeypatch.setattr(f"sjd2_worker.checkpoint.{reads}", opened)
    planned = plan(open_adapter(folder, None, torch.device("meta"), kind, options), kind, 10, 3)
    assert planned["weights"] == sum(storages(*vars(adapter).values()).values())
    assert planned["cache"] == ask(worker, {"op": "stats", "id": 1})[0]["cacheBytes"]
    card = adapter.card
    assert planned["logits"] == 3 * 2 * 11 * card["image"]["count"] * 4
    assert planned["latents"] == 3 * 10 * card["width"] * 4


def test_the_verdict() -> None:
    taken = {"weights": 1000, "cache": 800, "logits": 40, "latents": 160}  # 250 for each of 4 images
    assert verdict(taken, 4, 2000) is None
    assert str(verdict(taken, 4, 1999)).startswith("3 images at once would fit")
    assert str(verdict(taken, 4, 1250)).startswith("1 images at once would fit")
    assert "smaller --dtype" in str(verdict(taken, 4, 1249))
