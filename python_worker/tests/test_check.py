"""What `sjd2 check-model` finds: all that is missing at once, and nothing that is read or downloaded for it."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils._safetensors import SafetensorsFileMetadata, TensorInfo
from safetensors.torch import load_file, save_file

from sjd2_worker.check import check
from sjd2_worker.checkpoint import read_header
from sjd2_worker.loading import load
from sjd2_worker.plan import plan_arguments

from .tiny_llamagen import write_captions

Spoil = Callable[[Path], object]


def checked(model: Path | str, *words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    plan_arguments(parser)
    return check(parser.parse_args(["--model", str(model), "--device", "cpu", *words]))


@pytest.mark.parametrize("name", ["lumina", "anole", "emu3", "janus", "classes", "captions", "scenes"])
def test_what_loads(
    models: dict[str, Path], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What it says is what the loaded model's card says, and no contents are read."""
    folder = checkpoint if name == "scenes" else models.get(name, tmp_path / name)
    if name == "captions":
        write_captions(folder)
    words = ["--size", "8x8"] if name in ("lumina", "emu3") else []
    card = load(folder, None, "cpu", "f32", 2, {"size": (8, 8)} if words else {})._adapter.card

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("A weight was read.")

    for reads in ("safe_open", "load_file"):
        monkeypatch.setattr(f"sjd2_worker.checkpoint.{reads}", opened)
    found = checked(folder, *words)
    assert (found["faults"], found["loads"], found["family"]) == ([], True, card["family"])
    assert found["picture"]["size"] == [card["picture"]["height"], card["picture"]["width"]]
    assert found["picture"]["codes"] == {**card["grid"], "count": card["image"]["count"]}
    assert found["libraries"]["transformers"]


def _without(*names: str) -> Spoil:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def _shards(folder: Path) -> None:
    """Three shards in the index, of which one is there."""
    tensors = load_file(folder / "model.safetensors")
    names = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    index = {tensor: names[number % 3] for number, tensor in enumerate(tensors)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    save_file({name: tensor for name, tensor in tensors.items() if index[name] == names[1]}, folder / names[1])
    (folder / "model.safetensors").unlink()


def _tensors(folder: Path) -> None:
    path = folder / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(path).items() if "layers.1.mlp" not in name}
    save_file(kept, path, {"format": "pt"})


FAULTS: list[tuple[str, Spoil, list[str]]] = [
    ("lumina", _without("tokenizer.json", "vqgan.safetensors"), ["tokenizer.json", "sjd2_worker.convert.vqgan"]),
    ("emu3", _without("tokenizer.json", "preprocessor_config.json"), ["tokenizer.json", "preprocessor_config.json"]),
    ("janus", _without("model.safetensors", "tokenizer.json"), ["model.safetensors", "tokenizer.json"]),
    ("janus", _shards, ["model-00001-of-00003.safetensors, model-00003-of-00003.safetensors"]),
    ("janus", _tensors, ["layers.1.mlp.down_proj.weight is absent; ", "layers.1.mlp.up_proj.weight is absent"]),
    ("captions", _without("vq.safetensors", "t5/tokenizer.json"), ["vq.safetensors", "t5/tokenizer.json"]),
]


@pytest.mark.parametrize(("name", "spoil", "wanted"), FAULTS, ids=[f"{f[0]}: {f[2][0]}" for f in FAULTS])
def test_all_that_is_missing_is_named_at_once(
    models: dict[str, Path], tmp_path: Path, name: str, spoil: Spoil, wanted: list[str]
) -> None:
    folder = tmp_path / name
    if name == "captions":
        write_captions(folder)
    else:
        shutil.copytree(models[name], folder)
    spoil(folder)
    found = checked(folder)
    assert not found["loads"]
    told = [f"{fault['message']} {fault['remedy']}" for fault in found["faults"]]
    assert all(any(part in one for one in told) for part in wanted), told
    assert len(told) == len({fault["message"] for fault in found["faults"]})
    assert all(fault["remedy"] for fault in found["faults"])


@pytest.mark.parametrize(
    ("values", "words", "says"),
    [
        ({"model_type": "unheard-of"}, [], "is of family 'unheard-of'"),
        ({}, ["--size", "8x12"], "has no option --size"),
        ({}, ["--memory", "0.000001"], "not even one picture"),
    ],
)
def test_what_does_not_load(
    models: dict[str, Path], tmp_path: Path, values: dict[str, Any], words: list[str], says: str
) -> None:
    folder = shutil.copytree(models["janus"], tmp_path / "janus")
    said = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps(said))
    found = checked(folder, *words)
    assert (found["loads"], len(found["faults"])) == (False, 1)
    assert says in found["faults"][0]["message"]


def test_a_hubs_model_is_not_downloaded(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its small files are, and its weights' headers; a weight that lies in the cache already stays as it is."""
    source = models["emu3"]
    snapshot = tmp_path / "snapshot"
    shutil.copytree(source, snapshot, ignore=shutil.ignore_patterns("*.safetensors"))
    (snapshot / "model.safetensors").write_bytes(b"half of it")

    def download(name: str, **said: Any) -> str:
        if said.get("local_files_only"):
            raise LocalEntryNotFoundError("not whole")
        assert said["ignore_patterns"] == "*.safetensors"
        return str(snapshot)

    def read(_: object, name: str, file: str) -> SafetensorsFileMetadata:
        header = read_header(source / file)
        return SafetensorsFileMetadata(metadata={}, tensors={n: TensorInfo(**tensor) for n, tensor in header.items()})

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    files = [path.name for path in source.iterdir()]
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda *_: files)
    monkeypatch.setattr("huggingface_hub.HfApi.parse_safetensors_file_metadata", read)
    there = checked(source, "--size", "8x8")
    found = checked("some/emu3", "--size", "8x8")
    assert (found["loads"], found["plan"] | there["plan"]) == (True, there["plan"])
    assert found["plan"]["name"] == "emu3"
    assert (snapshot / "model.safetensors").read_bytes() == b"half of it"


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = checked("some/model")
    assert (found["loads"], found["faults"][0]["code"]) == (False, "missing-checkpoint")
    assert "hf download some/model" in found["faults"][0]["remedy"]
