"""What is wrong with a checkpoint of any family is said before a weight is read: which file, and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load

from .test_families import OPTIONS
from .tiny_families import WRITERS
from .tiny_llamagen import write_captions, write_classes
from .tiny_published import PUBLISHED

FAMILIES: Mapping[str, Callable[[Path], None]] = {
    **WRITERS,
    "classes": write_classes,
    "captions": write_captions,
    **PUBLISHED,
}
OTHERS = dict(zip(FAMILIES, [*list(FAMILIES)[1:], "lumina"], strict=True))  # of each family, the next
OTHERS["lumina"] = "emu3"  # Anole is Chameleon, too


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for name, write in FAMILIES.items():
        write(folder / name)
    return folder


@pytest.fixture(params=FAMILIES)
def copy(request: pytest.FixtureRequest, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may be spoiled. What loads weights, to wherever, fails its test."""

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("A weight was read.")

    for name in ("chameleon", "emu3", "janus", "captions", "liquid", "lumina2"):
        monkeypatch.setattr(f"sjd2_worker.adapters.{name}.load_model", opened)
    for name in ("safe_open", "load_file"):
        monkeypatch.setattr(f"sjd2_worker.checkpoint.{name}", opened)
    return shutil.copytree(originals / request.param, tmp_path / request.param)


def _pickles(folder: Path) -> list[Path]:
    return [*folder.glob("*.pt"), *folder.glob("*.ckpt")]


def refused(folder: Path) -> tuple[str, str, str]:
    with pytest.raises(StartupError) as caught:
        load(folder, None, "cpu", "f32", 1, OPTIONS.get(folder.name, {}))
    assert str(folder) in caught.value.message
    assert caught.value.remedy
    return caught.value.code, caught.value.message, caught.value.remedy


def test_unspoilt_it_would_be_read(copy: Path) -> None:
    with pytest.raises(AssertionError, match="A weight was read"):
        load(copy, None, "cpu", "f32", 1, OPTIONS.get(copy.name, {}))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file(copy: Path, name: str) -> None:
    for pickle in _pickles(copy):
        pickle.unlink()
    (copy / name).unlink()
    code, message, remedy = refused(copy)
    assert (code, str(copy / name) in message, name in remedy) == ("missing-checkpoint", True, True)


@pytest.mark.parametrize("size", [0, 300, -1])
def test_a_truncated_file(copy: Path, size: int) -> None:
    """Each of the files of weights."""
    for path in sorted(copy.rglob("*.safetensors")):
        whole = path.read_bytes()
        path.write_bytes(whole[:size])
        code, message, remedy = refused(copy)
        assert (code, str(path) in message, "restore the file" in remedy) == ("corrupt-checkpoint", True, True)
        path.write_bytes(whole)


def test_a_pickle(copy: Path) -> None:
    """By the name of what should be there, or by its own."""
    path = copy / "model.safetensors"
    torch.save({"a": torch.zeros(2)}, path)
    code, message, remedy = refused(copy)
    assert (code, f"{path} is a pickle" in message) == ("corrupt-checkpoint", True)
    for other in _pickles(copy):
        other.unlink()
    path.rename(copy / "pytorch_model.bin")
    code, _, remedy = refused(copy)
    assert (code, "pytorch_model.bin may run code" in remedy) == ("missing-checkpoint", True)


def test_another_familys_config(copy: Path, originals: Path) -> None:
    shutil.copy(originals / OTHERS[copy.name] / "config.json", copy)
    code, _, _ = refused(copy)
    assert code in ("wrong-config", "missing-checkpoint")
    (copy / "config.json").write_text('{"model_type": "llama"}')
    code, message, remedy = refused(copy)
    assert (code, "'llama'" in message, "--adapter" in remedy) == ("wrong-family", True, True)


def test_another_vocabulary(copy: Path) -> None:
    """Words beyond the model's, or as many codes as the weights do not have."""
    if copy.name == "classes":
        path = copy / "config.json"
        values = json.loads(path.read_text())
        path.write_text(json.dumps({**values, "codes": values["codes"] + 1}))
        says = "output.weight is [12, 32] and should be [13, 32]"
    else:
        path = next(copy.rglob("tokenizer.json"))
        tokenizer = json.loads(path.read_text())
        tokenizer["model"]["vocab"]["beyond"] = 999_999
        path.write_text(json.dumps(tokenizer))
        says = f"{path} has ids up to 999999, the model's vocabulary has"
    code, message, _ = refused(copy)
    assert (code, says in message) == ("wrong-config", True), message
