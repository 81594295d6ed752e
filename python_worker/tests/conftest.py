"""A tiny random checkpoint and a worker over it, for all tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.models.transformer import ScenesConfig
from sjd2_worker.training.shard_files import Shard, kind_of, write_shard
from sjd2_worker.training.tiny import WORDS, write
from sjd2_worker.worker import Worker

from .tiny_families import WRITERS
from .tiny_llamagen import write_classes
from .tiny_published import PUBLISHED
from .tuning import Tune, adapter_of, codes_of, run_command

SLOTS = 8


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 by 4 codes out of 6, denoising, prompts of 4 tokens. Never changed: tests that spoil it work on a copy."""
    folder = tmp_path_factory.mktemp("tiny")
    write(folder, ScenesConfig(WORDS, 6, 4, 4, 3, layers=2, width=32, heads=2, hidden=64), seed=0, scale=3)
    return folder


@pytest.fixture(scope="session")
def adapter(checkpoint: Path) -> ScenesAdapter:
    return ScenesAdapter(checkpoint, torch.device("cpu"), torch.float32)


@pytest.fixture
def worker(adapter: ScenesAdapter) -> Worker:
    """With empty slots."""
    return Worker(adapter, SLOTS, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> dict[str, Path]:
    """Tiny checkpoints that know no noise."""
    folder = tmp_path_factory.mktemp("models")
    for name, write_family in {**WRITERS, **PUBLISHED, "classes": write_classes}.items():
        write_family(folder / name)
    scenes = folder / "scenes"
    scenes.mkdir()
    values = json.loads((checkpoint / "config.json").read_text())
    del values["denoising"]
    (scenes / "config.json").write_text(json.dumps(values))
    own = load_file(checkpoint / "model.safetensors")
    save_file({n: t for n, t in own.items() if n.startswith("transformer.")}, scenes / "model.safetensors")
    (scenes / "tokenizer.safetensors").write_bytes((checkpoint / "tokenizer.safetensors").read_bytes())
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, dict[str, Any]], Path]:
    """Random codes for a model, with captions that it reads."""

    def make(model: Path, options: dict[str, Any]) -> Path:
        adapter = adapter_of(model, **options)
        captions = ["1", "2"] if model.name == "classes" else ["a red circle.", "red square"]
        folder = tmp_path_factory.mktemp("shards")
        shard = Shard(codes_of(adapter, 8), captions * 4, kind_of(adapter))
        write_shard(folder / "shard-00000.safetensors", shard)
        return folder

    return make


@pytest.fixture
def tune(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tune:
    def run(model: Path, data: Path, out: Path, *more: str) -> tuple[int, dict[str, Any]]:
        code = run_command(monkeypatch, model, data, out, *more)
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return run
