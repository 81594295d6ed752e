"""Lumina-mGPT's published files, 7B-like and 34B-like, held to their arithmetic written a second time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load
from sjd2_worker.worker import Worker

from .library import Run, close, forward
from .lumina_reference import Reference
from .test_families import decode_by_slots, prompts, sequence
from .tiny_families import write_lumina, write_lumina_34b
from .tuning import Tune

SIZE = {"size": (8, 12)}
WRITE: dict[str, Callable[[Path], None]] = {"7B": write_lumina, "34B": write_lumina_34b}
GROUPS = {"7B": 1, "34B": 2}


@pytest.fixture(scope="module", params=WRITE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(kind)
    WRITE[kind](folder)
    return folder


@pytest.fixture(scope="module")
def worker(folder: Path) -> Worker:
    return load(folder, None, "cpu", "f32", 2, SIZE)


def codes(worker: Worker) -> range:
    image = worker._adapter.card["image"]
    return range(image["first"], image["first"] + image["count"])


def test_the_fixtures_have_the_published_shapes(folder: Path, kind: str) -> None:
    weights, config = load_file(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())
    for norm in ("q_norm.weight", "q_norm.bias", "k_norm.weight", "k_norm.bias"):
        assert weights[f"model.layers.1.self_attn.{norm}"].shape == (GROUPS[kind], 8)
    assert config.get("swin_norm", False) is (kind == "34B")


def test_logits(worker: Worker, folder: Path) -> None:
    ids, prompt = sequence(worker)
    wanted = Reference(folder).logits(ids)[:, codes(worker).start : codes(worker).stop]
    close(forward(worker, Run(0, 0, ids, prompt))[0], wanted.numpy())


def test_greedy_tokens(worker: Worker, folder: Path) -> None:
    """Through guidance, the layout and top-k, as the published inference code orders them."""
    layout = worker._adapter.card["layout"]
    found = decode_by_slots(worker, 3.0, None)
    assert found == Reference(folder).draw(*prompts(worker), layout, codes(worker), 5)
    assert len(set(found)) > 6


def test_a_row_to_each_head_is_read_as_well(folder: Path, worker: Worker, tmp_path: Path) -> None:
    """As transformers' own class writes it: the same rows, repeated, make the same model."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    heads = {"q_norm": config["num_attention_heads"], "k_norm": config["num_key_value_heads"]}
    for name, tensor in weights.items():
        if name.split(".")[-2] in heads:
            weights[name] = tensor.repeat_interleave(heads[name.split(".")[-2]] // len(tensor), 0)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    ids, prompt = sequence(worker)
    run = Run(0, 0, ids, prompt)
    close(forward(load(tmp_path, None, "cpu", "f32", 1, SIZE), run)[0], forward(worker, run)[0], 1e-6)


def test_rows_that_no_group_of_heads_has(tmp_path: Path) -> None:
    write_lumina(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights |= {name: torch.ones(3, 8) for name in weights if ".q_norm." in name}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(StartupError, match=r"layers.0.self_attn.q_norm.bias is \[3, 8\] and should be \[4, 8\]"):
        load(tmp_path, None, "cpu", "f32", 1, SIZE)


def test_fine_tuning_keeps_the_published_shapes(
    tune: Tune, folder: Path, kind: str, shards: Any, tmp_path: Path
) -> None:
    """What it wrote loads again, and is by the reference what it is here."""
    out = tmp_path / "out"
    code, said = tune(folder, shards(folder, SIZE), out, "--steps", "3", "--size", "8x12", "--learning-rate", "1e-2")
    assert code == 0, said
    before, after = (load_file(path / "model.safetensors") for path in (folder, out))
    for norm in ("q_norm", "k_norm"):
        name = f"model.layers.0.self_attn.{norm}.weight"
        assert after[name].shape == before[name].shape == (GROUPS[kind], 8)
        assert not torch.equal(after[name], before[name])
    tuned = load(out, None, "cpu", "f32", 1, SIZE)
    ids, prompt = sequence(tuned)
    wanted = Reference(out).logits(ids)[:, codes(tuned).start : codes(tuned).stop]
    close(forward(tuned, Run(0, 0, ids, prompt))[0], wanted.numpy())
