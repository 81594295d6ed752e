"""Picture decoders compute in f32 whatever --dtype, and what is no number never becomes a picture: every family."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load
from sjd2_worker.protocol import Array, Head
from sjd2_worker.worker import Worker

from .helpers import ask
from .library import Run, forward
from .test_adapter import SOURCE
from .test_families import OPTIONS
from .tiny_families import WRITERS
from .tiny_llamagen import write_captions

# where each family's file holds the last convolution of its decoder
LAST = {
    "scenes": ("tokenizer.safetensors", "decoder.3.bias"),
    "lumina": ("vqgan.safetensors", "decoder.conv_out.bias"),
    "anole": ("model.safetensors", "model.vqmodel.decoder.conv_out.bias"),
    "emu3": ("model.safetensors", "vqmodel.decoder.conv_out.bias"),
    "janus": ("model.safetensors", "model.vqmodel.decoder.conv_out.bias"),
    "classes": ("vq.safetensors", "decoder.conv_out.bias"),
}


def decode(worker: Worker, seed: int = 0) -> tuple[Head, dict[str, Array]]:
    card = worker._adapter.card
    tokens = card["grid"]["rows"] * card["grid"]["columns"]
    codes = np.random.default_rng(seed).integers(card["image"]["count"], size=(2, tokens), dtype=np.int32)
    return ask(worker, {"op": "decode", "id": 1}, {"codes": codes})


@pytest.fixture(params=LAST)
def folder(request: pytest.FixtureRequest, models: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(models[request.param], tmp_path / request.param)


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_the_dtype_changes_no_pixel(folder: Path, dtype: str) -> None:
    options = OPTIONS.get(folder.name, {})
    whole, half = (load(folder, None, "cpu", kind, 1, options) for kind in ("f32", dtype))
    np.testing.assert_array_equal(decode(half)[1]["pictures"], decode(whole)[1]["pictures"])
    floats = {tensor.dtype for tensor in half._adapter.pictures.state_dict().values() if tensor.is_floating_point()}
    assert floats == {torch.float32}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(folder: Path, value: float) -> None:
    """Cast to bytes, NaN would be black, and nobody would be told."""
    file, name = LAST[folder.name]
    tensors = load_file(folder / file)
    tensors[name][0] = value
    save_file(tensors, folder / file, {"format": "pt"})
    reply, _ = decode(load(folder, None, "cpu", "f32", 1, OPTIONS.get(folder.name, {})))
    assert reply["code"] == "not-finite"
    assert "NaN or infinite pixels in 2 of 2 pictures" in reply["message"]


@pytest.mark.parametrize(
    ("drawn", "code", "says"),
    [
        ("pixels.to(torch.uint8)", "internal", "gave uint8 [2, 2, 2, 3] and should give float32"),
        ("pixels.to(torch.bfloat16)", "internal", "gave bfloat16 [2, 2, 2, 3] and should give float32"),
        ("pixels[:, :1]", "internal", "gave float32 [2, 1, 2, 3] and should give float32 [2, 2, 2, 3]"),
        ("torch.where(codes.view(-1, 2, 2, 1) == codes[0, 0], torch.nan, pixels)", "not-finite", "NaN or infinite"),
    ],
)
def test_an_adapter_of_ones_own_cannot_hide_it(tmp_path: Path, drawn: str, code: str, says: str) -> None:
    body = f"pixels = codes.view(-1, 2, 2, 1).repeat(1, 1, 1, 3).float()\n        return {drawn}"
    source = SOURCE.replace("return codes.view(-1, 2, 2, 1).repeat(1, 1, 1, 3).float()", body)
    (tmp_path / "mine.py").write_text(source)
    reply, _ = decode(load(tmp_path, tmp_path / "mine.py", "cpu", "f32", 1))
    assert reply["code"] == code
    assert says in reply["message"]


def test_the_decoder_of_an_adapter_of_ones_own_is_made_f32(tmp_path: Path) -> None:
    """An adapter names it, and need not know of dtypes."""
    source = SOURCE.replace(
        "self.cache =", "self.pictures = torch.nn.Linear(1, 3).to(device, dtype)\n        self.cache ="
    ).replace(".repeat(1, 1, 1, 3).float()", ".float() @ self.pictures.weight.T.abs()")
    (tmp_path / "mine.py").write_text(source)
    worker = load(tmp_path, tmp_path / "mine.py", "cpu", "f16", 1)
    assert worker._adapter.embeddings.table.dtype == torch.float16
    assert worker._adapter.pictures.weight.dtype == torch.float32
    assert decode(worker)[0]["ok"]


def test_pixels_beyond_the_range_are_moved_to_its_ends(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE.replace("3).float()", "3).float() * 300 - 299.5"))
    worker = load(tmp_path, tmp_path / "mine.py", "cpu", "f32", 1)
    _, found = ask(worker, {"op": "decode", "id": 1}, {"codes": np.array([[0, 1, 2, 3]], np.int32)})
    assert found["pictures"][0, :, :, 0].tolist() == [[0, 0], [255, 255]]


# what drawing never uses, by the files' names
SPARE: Mapping[str, tuple[str, ...]] = {
    "anole": ("model.vqmodel.encoder.", "model.vqmodel.quant_conv."),
    "emu3": ("vqmodel.encoder.", "vqmodel.quant_conv."),
    "janus": (
        "lm_head.",
        "model.vision_model.",
        "model.aligner.",
        "model.vqmodel.encoder.",
        "model.vqmodel.quant_conv.",
    ),
}


@pytest.mark.parametrize("family", SPARE)
def test_a_checkpoint_of_what_drawing_needs(models: dict[str, Path], tmp_path: Path, family: str) -> None:
    """It draws the same; only fine-tuning, which reads pictures, says what is missing."""
    folder, options = shutil.copytree(models[family], tmp_path / family), OPTIONS[family]
    whole = load(folder, None, "cpu", "f32", 1, options)
    tensors = load_file(folder / "model.safetensors")
    slim = {name: tensor for name, tensor in tensors.items() if not name.startswith(SPARE[family])}
    assert len(slim) < len(tensors)
    save_file(slim, folder / "model.safetensors", {"format": "pt"})
    worker = load(folder, None, "cpu", "f32", 1, options)
    run = Run(0, 0, [1, 2, worker._adapter.card["image"]["first"]], 2)
    np.testing.assert_array_equal(forward(worker, run)[0], forward(whole, run)[0])
    np.testing.assert_array_equal(decode(worker)[1]["pictures"], decode(whole)[1]["pictures"])
    with pytest.raises(StartupError, match="holds no encoder of pictures") as caught:
        worker._adapter.encoder()
    assert caught.value.code == "missing-checkpoint"


@pytest.mark.parametrize("family", [*WRITERS, "captions"])
def test_what_a_tokenizer_was_saved_with_is_switched_off(models: dict[str, Path], tmp_path: Path, family: str) -> None:
    """Truncation and padding belong to whoever saved the file: prompts are read whole, and get no padding."""
    folder = tmp_path / family
    if family == "captions":
        write_captions(folder)
    else:
        shutil.copytree(models[family], folder)
    options: dict[str, Any] = OPTIONS.get(family, {})
    prompt = "a red circle a blue square" if family != "captions" else "a red circle"
    read: Callable[[], Any] = lambda: load(folder, None, "cpu", "f32", 1, options)._adapter.tokenize(prompt)  # noqa: E731
    before = read()
    path = next(folder.rglob("tokenizer.json"))
    saved = json.loads(path.read_text())
    saved["truncation"] = {"max_length": 2, "direction": "Right", "strategy": "LongestFirst", "stride": 0}
    saved["padding"] = {
        "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>",
    }  # fmt: skip
    path.write_text(json.dumps(saved))
    after = read()
    assert (after.conditional, after.unconditional) == (before.conditional, before.unconditional)
