"""The size that a checkpoint of Lumina-mGPT was trained at: taken from its name, else said; and sizes unlike it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from sjd2_worker import plan
from sjd2_worker.adapters.lumina_sizes import TRAINED, named_side, size_warnings, was_trained
from sjd2_worker.checkpoint import names_of
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load, open_adapter
from sjd2_worker.protocol import VERSION

from .helpers import ask
from .tiny_families import write_lumina

UNIT = 32


@pytest.mark.parametrize(
    ("path", "name", "side"),
    [
        ("Lumina-mGPT-7B-768-Omni", "Lumina-mGPT-7B-768-Omni", 768),
        ("lumina_1024", "lumina_1024", 1024),
        ("models--Alpha-VLLM--Lumina-mGPT-34B-512/snapshots/a1024b", "Lumina-mGPT-34B-512", 512),
        ("models--me--lumina--7B-768/snapshots/0", "lumina--7B-768", 768),
        ("mine", "mine", None),
        ("from-512-to-768", "from-512-to-768", None),
        ("run-15120", "run-15120", None),
    ],
)
def test_names(tmp_path: Path, path: str, name: str, side: int | None) -> None:
    (tmp_path / path).mkdir(parents=True)
    names = names_of(tmp_path / path)
    assert (names[0], named_side(names)) == (name, side)


def test_the_name_of_a_link_counts(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "lumina-1024").symlink_to(tmp_path / "weights")
    assert named_side(names_of(tmp_path / "lumina-1024")) == 1024


def cut_to(side: int) -> set[tuple[int, int]]:
    """Heights and widths, by walking along the edge of what fits, as training's own list of sizes is made."""
    sizes, wide, high, most = set(), (side // UNIT) ** 2, 1, (side // UNIT) ** 2
    while wide > 0:
        if max(wide, high) <= 4 * min(wide, high):
            sizes.add((high * UNIT, wide * UNIT))
        if (high + 1) * wide <= most:
            high += 1
        else:
            wide -= 1
    return sizes


@pytest.mark.parametrize("side", TRAINED)
def test_the_proportions_that_training_saw(side: int) -> None:
    most = 2 * side // UNIT + 3
    found = {
        (rows * UNIT, columns * UNIT)
        for rows in range(1, most)
        for columns in range(1, most)
        if was_trained(rows * UNIT, columns * UNIT, side, UNIT)
    }
    assert found == cut_to(side)
    assert {(side, side), (side // 2, side * 2)} <= found


@pytest.mark.parametrize(
    ("named", "asked", "says"),
    [
        (768, None, None),
        (768, (768, 768), None),
        (768, (512, 1152), None),
        (768, (512, 512), "x, by its name, was trained at 768 pixels"),
        (None, None, "768x768 are drawn. If it was another one (512, 1024), say so by --size"),
        (None, (1024, 1024), None),
        (None, (256, 256), "Every checkpoint of Lumina-mGPT was trained at 512 or 768 or 1024 pixels"),
    ],
)
def test_warnings(named: int | None, asked: tuple[int, int] | None, says: str | None) -> None:
    found = size_warnings("x", named, asked, UNIT)
    assert len(found) == (says is not None)
    assert all(says is not None and says in warning for warning in found)


@pytest.fixture
def lumina(tmp_path: Path) -> Path:
    write_lumina(tmp_path / "Lumina-mGPT-7B-512")
    return tmp_path / "Lumina-mGPT-7B-512"


def test_the_name_decides_without_a_size(lumina: Path) -> None:
    """Of the tiny checkpoint neither can be drawn: the size is at fault, not the tokenizer's file."""
    other = shutil.copytree(lumina, lumina.with_name("mine"))
    for folder, side in ((lumina, 512), (other, 768)):
        with pytest.raises(StartupError, match=f"no token for a side of {side} pixels") as caught:
            load(folder, None, "cpu", "f32", 1)
        assert (caught.value.code, "--size" in caught.value.remedy) == ("wrong-config", True)


def test_the_user_is_told(lumina: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With the worker's greeting, and by `plan`."""
    worker = load(lumina, None, "cpu", "f32", 1, {"size": (8, 8)})
    (warning,) = ask(worker, {"op": "hello", "id": 1, "protocol": VERSION})[0]["warnings"]
    assert "Lumina-mGPT-7B-512, by its name, was trained at 512 pixels" in warning
    words = ["plan", "--model", str(lumina), "--size", "8", "--device", "cpu"]
    monkeypatch.setattr("sys.argv", words)
    assert plan.main() == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == [warning]


def test_other_families_say_nothing(models: dict[str, Path]) -> None:
    worker = load(models["janus"], None, "cpu", "f32", 1)
    assert "warnings" not in ask(worker, {"op": "hello", "id": 1, "protocol": VERSION})[0]


def test_a_hubs_id_names_the_model(models: dict[str, Path], tmp_path: Path) -> None:
    """Not the commit of its snapshot."""
    snapshot = tmp_path / "models--deepseek-community--Janus-Pro-1B" / "snapshots" / ("0" * 40)
    shutil.copytree(models["janus"], snapshot)
    adapter = open_adapter(snapshot, None, torch.device("meta"), torch.float32, {})
    assert adapter.card["name"] == "Janus-Pro-1B"
