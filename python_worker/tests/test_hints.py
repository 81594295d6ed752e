"""Checkpoints and Pythons that cannot be used, each told what it is and what to fetch or run instead."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sjd2_worker import loading
from sjd2_worker.errors import PROJECT, StartupError
from sjd2_worker.loading import load, warnings_of

from .tiny_families import write_anole, write_lumina, write_mine


def refused(folder: Path, adapter: Path | None = None) -> StartupError:
    with pytest.raises(StartupError) as caught:
        load(folder, adapter, "cpu", "f32", 1)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "instead"),
    [("Emu3", "Emu3-community/Emu3-Gen-hf"), ("multi_modality", "deepseek-community/Janus-Pro-1B")],
)
def test_the_authors_own_layout(tmp_path: Path, kind: str, instead: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    error = refused(tmp_path)
    assert (error.code, instead in error.remedy) == ("wrong-family", True)


@pytest.mark.parametrize(
    "name",
    ["consolidated.pth", "7b/consolidated.00.pth", "models/7b/consolidated.pth", "tokenizer/text_tokenizer.json"],
)
def test_anole_as_its_authors_publish_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    error = refused(tmp_path)
    assert (error.code, name in error.message) == ("wrong-family", True)
    assert "leloy/Anole-7b-v0.1-hf" in error.remedy


def test_anole_by_its_own_model_type(tmp_path: Path) -> None:
    write_anole(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "model_type": "anole"}))
    assert load(tmp_path, None, "cpu", "f32", 1)._adapter.card["family"] == "chameleon"


def test_the_index_of_shards_is_lost(models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(models["janus"], tmp_path / "janus")
    names = sorted(load_file(folder / "model.safetensors"))
    tensors = load_file(folder / "model.safetensors")
    for number, own in enumerate((names[::2], names[1::2]), 1):
        save_file({name: tensors[name] for name in own}, folder / f"model-0000{number}-of-00002.safetensors")
    (folder / "model.safetensors").unlink()
    error = refused(folder)
    assert error.code == "missing-checkpoint"
    assert f"There is no {folder / 'model.safetensors.index.json'}" in error.message
    assert "2 shards" in error.message
    assert "model.safetensors.index.json" in error.remedy


def test_the_command_that_makes_a_picture_decoder_can_be_pasted(tmp_path: Path) -> None:
    """Whatever the folder is called, and with the Python that has the worker; and where its source is to be had."""
    folder = tmp_path / "my 512 models (1)"
    write_lumina(folder)
    (folder / "vqgan.safetensors").unlink()
    with pytest.raises(StartupError) as caught:
        load(folder, None, "cpu", "f32", 1, {"size": (8, 8)})
    words = shlex.split(caught.value.remedy.split("   (")[0].removeprefix("Make it: "))
    target = str(folder / "vqgan.safetensors")
    assert words == [sys.executable, "-m", "sjd2_worker.convert.vqgan", "vqgan.ckpt", target]
    assert "Alpha-VLLM/Chameleon_7B_mGPT" in caught.value.remedy


def test_an_old_transformers(
    models: dict[str, Path], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both versions are said, by the families and by adapters of one's own that import it; the bundled needs none."""
    monkeypatch.setattr("importlib.metadata.version", lambda _: "4.44.2")
    broken = tmp_path / "broken.py"
    broken.write_text("from transformers import Emu5Config\n")
    for error in (refused(models["janus"]), refused(models["janus"], broken)):
        assert error.code == "missing-library"
        assert f"{sys.executable} has transformers 4.44.2, which is too old" in error.message
        assert "5.20 or newer" in error.message
        assert "pip install" in error.remedy
    load(checkpoint, None, "cpu", "f32", 1)
    write_mine(tmp_path / "mine")
    example = Path(__file__).parents[2] / "examples" / "my_adapter.py"
    monkeypatch.setattr("importlib.metadata.version", lambda _: "5.20.0")
    load(tmp_path / "mine", example, "cpu", "f32", 1)


def test_doctors_probe_sees_it_too(tmp_path: Path) -> None:
    """And leaves out what only developers need."""
    for name in ("transformers-4.44.2", "pytest-1.0"):
        (tmp_path / f"{name}.dist-info").mkdir()
        package, version = name.split("-")
        (tmp_path / f"{name}.dist-info" / "METADATA").write_text(f"Name: {package}\nVersion: {version}\n")
    probe = PROJECT.parent / "setup" / "probe.py"
    said = subprocess.run(
        [sys.executable, probe], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, check=True
    )
    oldest = ".".join(map(str, loading.OLDEST_TRANSFORMERS))
    assert json.loads(said.stdout)["old"] == [f"transformers 4.44.2, and needs {oldest} or newer"]


def test_the_oldest_transformers_is_what_installing_demands() -> None:
    oldest = ".".join(map(str, loading.OLDEST_TRANSFORMERS))
    assert f'"transformers>={oldest},' in (PROJECT / "pyproject.toml").read_text("utf-8")


def test_a_macs_gpu_is_not_used(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = load(checkpoint, None, "cpu", "f32", 1)._adapter
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for there in (False, True):
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=there: there)
        assert warnings_of(adapter, "auto") == [loading.APPLE] * there
        assert warnings_of(adapter, "cpu") == []
