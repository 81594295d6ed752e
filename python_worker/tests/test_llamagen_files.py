"""Converting LlamaGen's published files, and folders that cannot be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sjd2_worker.convert.llamagen import convert, main
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load

from . import tiny_llamagen as tiny
from .test_startup import _Trap


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llamagen")
    tiny.write_classes(folder / "classes")
    tiny.write_captions(folder / "captions")
    return folder


@pytest.fixture
def copy(folders: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folders, tmp_path / "copy")


def _refused(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(StartupError) as raised:
        act()
    assert raised.value.remedy
    return raised.value.code, f"{raised.value.message} {raised.value.remedy}"


def test_names_and_values_are_kept(folders: Path) -> None:
    for source, target, left_out in (
        ("gpt.pt", "model.safetensors", "freqs_cis"),
        ("vq.pt", "vq.safetensors", "quantize.codebook_used"),
    ):
        published = torch.load(folders / "classes" / source, weights_only=False)["model"]
        converted = load_file(folders / "classes" / target)
        assert converted.keys() == published.keys() - {left_out}
        assert all(torch.equal(converted[name], published[name]) for name in converted)


def test_surplus_tensors_are_left_out_and_named(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """As the published code does, which loads with strict=False."""
    stray = {
        "gpt.pt": [f"layers.0.stray.{n}" for n in range(10)],
        "vq.pt": ["loss.discriminator.weight", "encoder.conv_blocks.0.res.0.extra"],
    }
    for file, names in stray.items():
        published = torch.load(folders / "classes" / file, weights_only=False)
        published["model"] |= {name: torch.zeros(3) for name in names}
        torch.save(published, tmp_path / file)
    words = ["--gpt", str(tmp_path / "gpt.pt"), "--vq", str(tmp_path / "vq.pt"), "--size", "8", "--heads", "2"]
    monkeypatch.setattr("sys.argv", ["convert", *words, "--out", str(tmp_path / "out")])
    assert main() == 0
    said = capsys.readouterr().out
    assert all(name in said for name in [*stray["gpt.pt"][:8], "and 2 more", *stray["vq.pt"]])
    assert "freqs_cis" not in said  # which every file has
    for file in ("model.safetensors", "vq.safetensors", "config.json"):
        assert (tmp_path / "out" / file).read_bytes() == (folders / "classes" / file).read_bytes()


def test_half_precision_and_other_wrappings(folders: Path, tmp_path: Path) -> None:
    """Of FSDP: no wrapping at all; of the hub: safetensors."""
    gpt = torch.load(folders / "classes/gpt.pt", weights_only=False)["model"]
    torch.save({name: tensor.bfloat16() for name, tensor in gpt.items()}, tmp_path / "gpt.pt")
    convert(tmp_path / "gpt.pt", folders / "classes/vq.safetensors", tiny.PIXELS, tmp_path / "out", tiny.HEADS)
    assert load_file(tmp_path / "out/model.safetensors")["norm.weight"].dtype == torch.bfloat16
    config = [json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "out", folders / "classes")]
    assert config[0] == config[1]


def test_the_command(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    own = folders / "captions"
    words = ["--gpt", str(own / "gpt.pt"), "--vq", str(own / "vq.pt"), "--size", "8", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["convert", *words, "--heads", "2", "--t5", str(own / "t5")])
    assert main() == 0
    assert json.loads((tmp_path / "out/config.json").read_text())["t5"] == str((own / "t5").resolve())
    assert load(tmp_path / "out", None, "cpu", "auto", 2)
    monkeypatch.setattr("sys.argv", ["convert", *words])
    assert main() == 1
    assert "Say how many --heads" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["args", "model"])
def test_a_pickle_of_more_than_tensors_never_runs(folders: Path, tmp_path: Path, place: str) -> None:
    published = torch.load(folders / "classes/gpt.pt", weights_only=False)
    torch.save({**published, place: _Trap(tmp_path / "trap")}, tmp_path / "gpt.pt")
    code, says = _refused(lambda: convert(tmp_path / "gpt.pt", folders / "classes/vq.pt", 8, tmp_path / "out", 2))
    assert (code, "was not unpickled" in says) == ("corrupt-checkpoint", True)
    assert not (tmp_path / "trap").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [0, 100, 40_000, -1])
def test_a_truncated_file(copy: Path, size: int) -> None:
    path = copy / "classes/gpt.pt"
    path.write_bytes(path.read_bytes()[:size])
    code, says = _refused(lambda: convert(path, copy / "classes/vq.pt", 8, copy / "out", 2))
    assert (code, "download it again" in says) == ("corrupt-checkpoint", True)


@pytest.mark.parametrize(
    ("gpt", "vq", "size", "heads", "code", "says"),
    [
        ("vq.pt", "gpt.pt", 8, 2, "wrong-family", "gpt.pt has no tensor encoder.conv_in.weight"),
        ("vq.pt", "vq.pt", 8, 2, "wrong-family", "vq.pt has no tensor tok_embeddings.weight"),
        ("gpt.pt", "vq.pt", 9, 2, "wrong-config", "9 pixels are no multiple of 2"),
        ("gpt.pt", "vq.pt", 8, None, "wrong-config", "2 layers of width 32, which is none of LlamaGen's published"),
        ("gpt.pt", "vq.pt", 8, 3, "wrong-config", "a multiple of 4 times heads, which is 3"),
        ("none.pt", "vq.pt", 8, 2, "missing-checkpoint", "none.pt"),
    ],
)
def test_what_cannot_be_converted(
    folders: Path, tmp_path: Path, gpt: str, vq: str, size: int, heads: int | None, code: str, says: str
) -> None:
    own = folders / "classes"
    found = _refused(lambda: convert(own / gpt, own / vq, size, tmp_path / "out", heads))
    assert (found[0], says in found[1]) == (code, True), found
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit_one_another(folders: Path, tmp_path: Path) -> None:
    published = torch.load(folders / "classes/gpt.pt", weights_only=False)
    del published["model"]["layers.1.attention.wo.weight"]
    torch.save(published, tmp_path / "gpt.pt")
    code, says = _refused(lambda: convert(tmp_path / "gpt.pt", folders / "classes/vq.pt", 8, tmp_path / "out", 2))
    assert (code, "layers.1.attention.wo.weight is absent" in says) == ("wrong-config", True)
    assert not (tmp_path / "out").exists()


def _change(name: str, **values: object) -> Callable[[Path], None]:
    """Changes what a JSON file says; None removes it."""

    def change(folder: Path) -> None:
        said = json.loads((folder / name).read_text()) | values
        (folder / name).write_text(json.dumps({key: value for key, value in said.items() if value is not None}))

    return change


def _cut(name: str, size: int) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def _give(rows: int, width: int) -> Callable[[Path], None]:
    return lambda folder: save_file({"a cat": torch.zeros(rows, width)}, folder / "features.safetensors")


UNUSABLE: list[tuple[str, Callable[[Path], object], str, str]] = [
    (
        "classes",
        lambda folder: (folder / "vq.safetensors").unlink(),
        "missing-checkpoint",
        "may run code when it is loaded",
    ),
    ("classes", _cut("model.safetensors", -1), "corrupt-checkpoint", "model.safetensors"),
    ("classes", _cut("vq.safetensors", 500), "corrupt-checkpoint", "vq.safetensors"),
    (
        "classes",
        lambda folder: shutil.copy(folder / "gpt.pt", folder / "model.safetensors"),
        "corrupt-checkpoint",
        "is a pickle, which is never read",
    ),
    ("classes", _change("config.json", codes=13), "wrong-config", "output.weight is [12, 32] and should be [13, 32]"),
    ("classes", _change("config.json", layers=3), "wrong-config", "layers.2.attention.wo.weight is absent"),
    ("classes", _change("config.json", classes=4), "wrong-config", "is [6, 32] and should be [5, 32]"),
    ("classes", _change("config.json", side="4"), "wrong-config", "side is '4' and should be whole"),
    ("classes", _change("config.json", side=None), "wrong-config", "missing 1 required positional argument: 'side'"),
    ("classes", _change("config.json", vq=None), "wrong-config", "vq is None"),
    ("classes", _change("config.json", vq={"latent": 1}), "wrong-config", "missing 3 required positional arguments"),
    ("classes", _change("config.json", caption=6, features=20), "wrong-config", "either classes, or caption"),
    ("captions", _change("config.json", t5=None), "missing-checkpoint", "has neither it nor features.safetensors"),
    ("captions", _change("config.json", t5=["t5"]), "wrong-config", "t5 is ['t5'] and should be the folder"),
    ("captions", _change("config.json", t5="none"), "missing-checkpoint", "none/config.json"),
    ("captions", _change("t5/config.json", d_model=24), "wrong-config", "d_model is 24 and should be 20"),
    ("captions", _change("t5/config.json", vocab_size=6), "wrong-config", "should be"),
    ("captions", lambda folder: (folder / "t5/tokenizer.json").unlink(), "missing-checkpoint", "tokenizer.json"),
    ("captions", _cut("t5/model.safetensors", -1), "corrupt-checkpoint", "t5/model.safetensors"),
    ("captions", _give(7, 20), "wrong-config", "'a cat' are [7, 20] and should be [1 … 6, 20]"),
    ("captions", _give(2, 19), "wrong-config", "'a cat' are [2, 19]"),
]


@pytest.mark.parametrize(("kind", "spoil", "code", "says"), UNUSABLE, ids=[f"{u[0]}: {u[3]}" for u in UNUSABLE])
def test_a_folder_that_cannot_be_used(
    copy: Path, kind: str, spoil: Callable[[Path], object], code: str, says: str
) -> None:
    spoil(copy / kind)
    found = _refused(lambda: load(copy / kind, None, "cpu", "auto", 2))
    assert (found[0], says in found[1]) == (code, True), found
    assert str(copy) in found[1]
