"""A model of a hub, by its id: from the cache, from a download that goes on, from one that begins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from sjd2_worker.errors import StartupError
from sjd2_worker.hub import found
from sjd2_worker.loading import load


@pytest.fixture
def emu3(models: dict[str, Path]) -> Path:
    """Not to be changed."""
    return models["emu3"]


@pytest.fixture
def cached(emu3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of some/emu3 in a cache as the hub's own library lays it out."""
    cache = tmp_path / "cache" / "models--some--emu3"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("0" * 40)
    shutil.copytree(emu3, cache / "snapshots" / ("0" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return cache


@pytest.mark.usefixtures("cached")
def test_a_hubs_id_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load(Path("some/emu3"), None, "cpu", "f32", 1, {"size": (4, 4)})._adapter.card["family"] == "emu3"
    with pytest.raises(StartupError, match="no whole model of that id in the cache") as caught:
        load(Path("some/other"), None, "cpu", "f32", 1)
    assert (caught.value.code, "hf download some/other" in caught.value.remedy) == ("missing-checkpoint", True)


def test_an_interrupted_download_goes_on_and_a_whole_one_asks_nobody(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library keeps a list of what the hub has; of that, files that are never fetched need not be there."""
    asked = []

    def unreachable(*_: object, **__: object) -> None:
        asked.append(1)
        raise OfflineModeIsEnabled("no network")

    monkeypatch.setattr("huggingface_hub.HfApi.repo_info", unreachable)
    snapshot = cached / "snapshots" / ("0" * 40)
    names = [path.name for path in snapshot.iterdir()] + ["README.md", "pytorch_model.bin"]
    files = {name: {"size": 1, "blob_id": "0" * 40} for name in names}
    (cached / "trees").mkdir()
    (cached / "trees" / f"{'0' * 40}.json").write_text(json.dumps({"format_version": 1, "files": files}))
    assert found(Path("some/emu3")) == snapshot
    assert not asked

    weights = next(snapshot.glob("*.safetensors"))
    weights.unlink()
    with pytest.raises(StartupError, match=f"1 file.* missing .{weights.name}") as caught:
        found(Path("some/emu3"))
    assert asked
    assert caught.value.remedy.endswith("go on with the download: hf download some/emu3")


@pytest.mark.parametrize("gone", [["model.safetensors"], ["model-2.safetensors"]])
def test_single_files_that_other_programs_fetched_are_not_all(
    cached: Path, gone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tokenizer that was fetched alone leaves a snapshot of which nothing says that it is not whole."""
    snapshot = cached / "snapshots" / ("0" * 40)
    whole = snapshot / "model.safetensors"
    if gone == ["model-2.safetensors"]:
        names = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
        (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
        shutil.copy(whole, snapshot / "model-1.safetensors")
    weights = whole.read_bytes()
    whole.unlink()
    asked = []

    def download(*_: object, local_files_only: bool = False, **__: object) -> str:
        asked.append(local_files_only)
        if not local_files_only:
            for name in gone:
                (snapshot / name).write_bytes(weights)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert found(Path("some/emu3")) == snapshot
    assert asked == [True, False]
    assert found(Path("some/emu3")) == snapshot
    assert asked == [True, False, True]


@pytest.mark.usefixtures("cached")
def test_a_hubs_model_without_safetensors(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cached / "snapshots" / ("0" * 40) / "model.safetensors").unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(StartupError, match="holds no safetensors file") as caught:
        found(Path("some/emu3"))
    assert caught.value.remedy.endswith("hf download some/emu3")


def test_a_hubs_id_that_is_downloaded(emu3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and nothing that could run code."""
    asked = []

    def download(name: str, *, local_files_only: bool = False, allow_patterns: Sequence[str] = ()) -> str:
        asked.append(local_files_only)
        if local_files_only:
            raise LocalEntryNotFoundError("nothing here")
        unwanted = ("pytorch_model.bin", "modeling_own.py", "model.pt")
        assert not [file for file in unwanted for pattern in allow_patterns if fnmatch(file, pattern)]
        assert all(any(fnmatch(file.name, pattern) for pattern in allow_patterns) for file in emu3.iterdir())
        return str(emu3)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert load(Path("some/emu3"), None, "cpu", "f32", 1, {"size": (4, 4)})._adapter.card["family"] == "emu3"
    assert asked == [True, False]
