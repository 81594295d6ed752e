"""Weights as published checkpoints have them: shards whose index is wrong, and weights that were rounded already."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load
from sjd2_worker.worker import Worker

from .tiny_families import write_emu3

Shards = dict[str, dict[str, Tensor]]  # tensors by file
Index = dict[str, str]  # files by tensor
NAME = "text_model.model.layers.0.mlp.down_proj.weight"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emu3")
    write_emu3(folder)
    return folder


@pytest.fixture
def emu3(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "emu3")


def loaded(folder: Path) -> Worker:
    return load(folder, None, "cpu", "f32", 1, {"size": (4, 4)})


def refused(folder: Path) -> str:
    """Why there is no worker: code and message."""
    with pytest.raises(StartupError) as caught:
        loaded(folder)
    assert caught.value.remedy
    return f"{caught.value.code}: {caught.value.message}"


def shard(folder: Path, change: Callable[[Shards, Index], None], under: str = "") -> Path:
    """Writes the folder's weights as two files and their index, changed."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shards: Shards = {f"{under}model-1.safetensors": {}, f"{under}model-2.safetensors": {}}
    index: Index = {}
    for name, tensor in sorted(tensors.items()):
        file = f"{under}model-{1 + len(index) % 2}.safetensors"
        shards[file][name] = tensor
        index[name] = file
    change(shards, index)
    for file, own in shards.items():
        (folder / file).parent.mkdir(exist_ok=True)
        save_file(own, folder / file, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return folder


def other(shards: Shards, file: str) -> str:
    return next(name for name in shards if name != file)


def test_shards_in_a_folder_of_their_own(emu3: Path) -> None:
    assert loaded(shard(emu3, lambda shards, index: None, under="shards/"))._adapter.card["family"] == "emu3"


def test_a_tensor_in_another_shard_than_the_index_says(emu3: Path) -> None:
    def swap(shards: Shards, index: Index) -> None:
        index[NAME] = other(shards, index[NAME])

    assert loaded(shard(emu3, swap))._adapter.card["family"] == "emu3"


def test_a_tensor_that_is_in_no_shard(emu3: Path) -> None:
    def lose(shards: Shards, index: Index) -> None:
        del shards[index[NAME]][NAME]

    said = refused(shard(emu3, lose))
    assert said.startswith("corrupt-checkpoint")
    assert f"{NAME} is in model-" in said


def test_a_tensor_that_is_in_two_shards(emu3: Path) -> None:
    """Which was taken used to depend on the files' names."""

    def double(shards: Shards, index: Index) -> None:
        shards[other(shards, index[NAME])][NAME] = torch.full_like(shards[index[NAME]][NAME], 9)

    said = refused(shard(emu3, double))
    assert said.startswith(f"corrupt-checkpoint: {NAME} is in two of the files")


def test_an_index_of_nothing(emu3: Path) -> None:
    assert "names no tensor" in refused(shard(emu3, lambda shards, index: index.clear()))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8, torch.uint8])
def test_weights_of_8_bits_are_not_taken_for_plain_ones(emu3: Path, dtype: torch.dtype) -> None:
    tensors = load_file(emu3 / "model.safetensors")
    tensors[NAME] = tensors[NAME].to(dtype)
    tensors[f"{NAME}_scale_inv"] = torch.ones(1)
    save_file(tensors, emu3 / "model.safetensors", {"format": "pt"})
    said = refused(emu3)
    assert said.startswith("wrong-config")
    assert f"quantized already ({NAME} is " in said


@pytest.mark.parametrize("part", [None, "text_config"])
@pytest.mark.parametrize("method", ["fp8", "bitsandbytes", "gptq"])
def test_a_config_of_quantized_weights(emu3: Path, method: str, part: str | None) -> None:
    config: dict[str, Any] = json.loads((emu3 / "config.json").read_text())
    (config[part] if part else config)["quantization_config"] = {"quant_method": method, "load_in_4bit": True}
    (emu3 / "config.json").write_text(json.dumps(config))
    assert refused(emu3).endswith(f"the weights are quantized already ({method}).")
