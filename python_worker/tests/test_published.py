"""Liquid and Lumina-mGPT 2.0, held to what their published code computes.

Liquid's transformer is transformers' Gemma there, and here. Lumina-mGPT 2.0's class is its own: it, and both picture
models, stand in published_reference.py.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import GemmaForCausalLM

from sjd2_worker.convert.vqgan import convert
from sjd2_worker.errors import StartupError
from sjd2_worker.loading import load
from sjd2_worker.protocol import Array
from sjd2_worker.worker import Worker

from . import published_reference as reference
from . import tiny_published as tiny
from .helpers import ask
from .library import Library
from .test_check import checked

# the same tests, of this file's fixtures
from .test_families import (  # noqa: F401
    OPTIONS,
    PROMPT,
    decode_by_library,
    decode_by_slots,
    embed,
    gumbel,
    prompts,
    sequence,
    test_a_chain,
    test_a_ragged_batch,
    test_a_tree,
    test_bf16,
    test_latents,
    test_the_codebook,
)
from .tiny_published import CODES, PUBLISHED

GRIDS = {"liquid": (32, 32), "lumina2": (4, 8)}
VQGAN = {"liquid": "vqgan", "lumina2": "movqgan"}


@dataclass(frozen=True)
class Lumina2:
    """The reference, with what `Library` offers."""

    weights: reference.Weights

    def logits(self, entries: Tensor, places: Tensor | None = None, visible: Tensor | None = None) -> Array:
        at = range(len(entries)) if places is None else places.tolist()
        seen = torch.ones(len(entries), len(entries), dtype=torch.bool).tril() if visible is None else visible
        hidden = reference.chameleon(self.weights, entries.float(), at, seen, tiny.HEADS)
        return (hidden @ self.weights["lm_head.weight"][tiny.LUMINA2_FIRST :].T).numpy()


def reference_of(family: str, folder: Path) -> Any:
    if family == "lumina2":
        return Lumina2(load_file(folder / "model.safetensors"))
    gemma = GemmaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = gemma.lm_head.weight[tiny.LIQUID_FIRST :].detach()
    return Library(gemma.model, lambda hidden: F.linear(hidden, rows))


def draw_by_the_published_loop(
    folder: Path, conditional: list[int], unconditional: list[int], guidance: float
) -> list[int]:
    """Liquid's: both branches in one batch with a cache, padded on the left; here the likeliest of the codes."""
    gemma: Any = GemmaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    longest = max(len(conditional), len(unconditional))
    branches = [[0] * (longest - len(ids)) + ids for ids in (conditional, unconditional)]
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in (conditional, unconditional)])
    feed, cache, found = torch.tensor(branches), None, list[int]()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the library is renaming `past_key_values`
        for _ in range(32 * 32):
            places = (mask.cumsum(1) - 1).clamp(min=0)[:, -feed.shape[1] :]
            said = gemma(feed, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True)
            cache, (with_text, without) = said.past_key_values, said.logits[:, -1]
            scores = without + (with_text - without) * guidance
            scores[: tiny.LIQUID_FIRST] = -torch.inf
            found.append(int(scores.argmax()))
            feed, mask = torch.tensor([found[-1:]] * 2), F.pad(mask, (0, 1), value=1)
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in PUBLISHED}
    for name, write in PUBLISHED.items():
        write(folders[name])
    return folders


@pytest.fixture(scope="module", params=PUBLISHED)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def worker(folders: dict[str, Path], family: str) -> Worker:
    return load(folders[family], None, "cpu", "f32", 3, OPTIONS[family])


@pytest.fixture(scope="module")
def library(folders: dict[str, Path], family: str) -> Any:
    return reference_of(family, folders[family])


@pytest.fixture
def copy(folders: dict[str, Path], family: str, tmp_path: Path) -> Path:
    """The folder again: its files may be replaced, not written to."""
    for path in folders[family].iterdir():
        (tmp_path / path.name).hardlink_to(path)
    return tmp_path


def test_ids_feed_the_embedding(folders: dict[str, Path], family: str, worker: Worker) -> None:
    """Gemma's is scaled by the root of the width."""
    rows = load_file(folders[family] / "model.safetensors")["model.embed_tokens.weight"]
    ids = sequence(worker)[0][-40:]
    scale = tiny.WIDTH**0.5 if family == "liquid" else 1.0
    torch.testing.assert_close(embed(worker, ids), rows[ids] * scale)


@pytest.mark.parametrize("seeded", [False, True], ids=["greedy", "seeded"])
def test_sequential_decoding(folders: dict[str, Path], worker: Worker, library: Any, family: str, seeded: bool) -> None:
    """With the published guidance, token for token."""
    if family == "liquid" and seeded:
        pytest.skip("its published loop takes seconds, and says the same")

    def noise() -> Callable[[], Tensor] | None:
        return gumbel(CODES) if seeded else None

    guidance = worker._adapter.card["sampling"]["guidance"]
    found = decode_by_slots(worker, guidance, noise())
    if family == "liquid":
        assert found == draw_by_the_published_loop(folders[family], *prompts(worker), guidance)
    else:
        assert found == decode_by_library(worker, library, guidance, noise())
    assert len(set(found)) > 4


def test_pictures_and_back(folders: dict[str, Path], worker: Worker, family: str) -> None:
    """Within a rounding of each byte; and pictures give the reference's codes."""
    weights = load_file(folders[family] / f"{VQGAN[family]}.safetensors")
    codes = np.random.default_rng(3).integers(CODES, size=(2, np.prod(GRIDS[family])), dtype=np.int32)
    _, found = ask(worker, {"op": "decode", "id": 1}, {"codes": codes})
    for pixels, own in zip(found["pictures"], codes, strict=True):
        wanted = reference.picture(weights, torch.from_numpy(own).long().view(GRIDS[family])).permute(1, 2, 0)
        if family == "liquid":
            levels = (wanted.clamp(-1, 1) + 1) / 2 * 255 - 0.5  # it cuts off
        else:
            levels = ((wanted + 1) * 127.5).clamp(0, 255)  # it rounds
        assert (np.abs(pixels - levels.numpy()) <= 0.5 + 1e-3).all()
        assert pixels.std() > 20
    pictures = torch.from_numpy(found["pictures"].copy())
    again = worker._adapter.encoder()(pictures)
    for own, picture in zip(again, pictures, strict=True):
        wanted = reference.encoded(weights, picture.permute(2, 0, 1) / 127.5 - 1)
        assert own.tolist() == wanted.flatten().tolist()
    assert len(set(again.flatten().tolist())) > 4


def test_the_card_and_the_prompts(worker: Worker, family: str) -> None:
    card, tokenizer = worker._adapter.card, worker._adapter._tokenizer  # type: ignore[attr-defined]
    free = [-1] * GRIDS[family][1]
    lines = [151_672, 151_673, *[*free, 151_670] * 4, 151_666]
    texts = {
        "liquid": (f"<bos>{PROMPT} Generate an image based on this description.<boi>", "<bos><unconditional><boi>"),
        "lumina2": (
            f"<|endoftext|>Generate an image of 16x8 according to the following prompt:\n{PROMPT}"
            "<reserved08706><racm3:break>",
            "<racm3:break>",
        ),
    }
    assert card["family"] == family
    assert card["layout"] == {"liquid": free * 32, "lumina2": lines}[family]
    assert card["image"] == {"first": {"liquid": 256_000, "lumina2": 155_000}[family], "count": CODES}
    assert (
        list(card["sampling"].values()) == {"liquid": [7.0, 0.99, 4096, 0.96], "lumina2": [4.0, 1.0, 4096, 1.0]}[family]
    )
    assert list(prompts(worker)) == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts[family]]
    assert 100 not in prompts(worker)[0]  # no word was unknown


def _change(path: Path, **values: object) -> None:
    said = json.loads(path.read_text()) | values
    path.unlink()
    path.write_text(json.dumps(said))


def _replace(path: Path, tensors: dict[str, Tensor]) -> None:
    path.unlink()
    save_file(tensors, path)


def _without_pictures(folder: Path) -> None:
    for path in folder.glob("*vqgan.*"):
        path.unlink()


def _with_other_pictures(folder: Path) -> None:
    for path in folder.glob("*vqgan.safetensors"):
        _replace(path, {name: t for name, t in load_file(path).items() if name != "decoder.conv_in.bias"})


UNUSABLE: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("liquid", _without_pictures, "missing-checkpoint", "convert.vqgan vqgan.ckpt"),
    ("lumina2", _without_pictures, "missing-checkpoint", "convert.vqgan movqgan_270M.ckpt"),
    ("liquid", _with_other_pictures, "wrong-config", "decoder.conv_in.bias is absent"),
    ("lumina2", _with_other_pictures, "wrong-config", "decoder.conv_in.bias is absent"),
    (
        "liquid",
        lambda folder: _replace(folder / "vqgan.safetensors", {"decoder.up.0.x": torch.zeros(1)}),
        "wrong-config",
        "holds no VQ-GAN: 'quantize.embedding.weight'",
    ),
    (
        "lumina2",
        lambda folder: _replace(folder / "movqgan.safetensors", {"quantize.embedding.weight": torch.zeros(12, 4)}),
        "wrong-config",
        "holds no VQ-GAN: 'decoder.up.0.block.0.conv1.weight'",
    ),
    ("liquid", lambda folder: _change(folder / "config.json", vocab_size=256_000), "wrong-config", "should be"),
    ("lumina2", lambda folder: _change(folder / "config.json", vocab_size=155_011), "wrong-config", "need 155012"),
    (
        "lumina2",
        lambda folder: _change(folder / "tokenizer_config.json", eos_token=None),
        "wrong-config",
        "neither a bos_token nor an eos_token",
    ),
    ("lumina2", lambda folder: (folder / "tokenizer_config.json").unlink(), "missing-checkpoint", "tokenizer_config"),
]


@pytest.mark.parametrize(
    ("family", "spoil", "code", "says"), UNUSABLE, indirect=["family"], ids=[f"{u[0]}: {u[3]}" for u in UNUSABLE]
)
def test_a_folder_that_cannot_be_used(
    copy: Path, family: str, spoil: Callable[[Path], object], code: str, says: str
) -> None:
    spoil(copy)
    with pytest.raises(StartupError) as raised:
        load(copy, None, "cpu", "auto", 2, OPTIONS[family])
    found = f"{raised.value.message} {raised.value.remedy}"
    assert (raised.value.code, says in found) == (code, True), found
    assert str(copy) in found


def test_all_that_is_missing_is_named_at_once(copy: Path, family: str) -> None:
    """By `sjd2 check-model`: the picture decoder's file as well as the tokenizer."""
    picture = f"{VQGAN[family]}.safetensors"
    for name in (picture, "tokenizer.json"):
        (copy / name).unlink()
    found = checked(copy)
    assert not found["loads"]
    told = " ".join(fault["message"] for fault in found["faults"])
    assert picture in told
    assert "tokenizer.json" in told


def test_check_model_says_the_trained_size(folders: dict[str, Path], family: str) -> None:
    words = ["--size", "8x16"] if family == "lumina2" else []
    picture = checked(folders[family], *words)["picture"]
    assert picture["trained"] == ([768, 768] if family == "lumina2" else picture["size"])


def test_a_plain_gemma_is_no_liquid(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["liquid"].iterdir():
        (tmp_path / path.name).hardlink_to(path)
    said = json.loads((tmp_path / "tokenizer.json").read_text().replace("<boi>", "<unused0>"))
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.json").write_text(json.dumps(said))
    with pytest.raises(StartupError, match="does not know <boi> as a token"):
        load(tmp_path, None, "cpu", "auto", 2)


@pytest.mark.parametrize("size", [(12, 8), (8, 4)])
def test_sizes_between_size_tokens(folders: dict[str, Path], size: tuple[int, int]) -> None:
    with pytest.raises(StartupError, match="multiples of 8 pixels"):
        load(folders["lumina2"], None, "cpu", "auto", 2, {"size": size})


def test_a_size_without_a_token(folders: dict[str, Path]) -> None:
    with pytest.raises(StartupError, match="no token for a side of 80 pixels"):
        load(folders["lumina2"], None, "cpu", "auto", 2, {"size": (8, 80)})


def test_sizes_that_were_not_trained(folders: dict[str, Path]) -> None:
    (warning,) = load(folders["lumina2"], None, "cpu", "auto", 2, {"size": (8, 16)})._warnings
    assert "was trained at 768 pixels" in warning
    assert "8x16 may be poor" in warning


def test_eos_and_bos_in_tokenizer_config(folders: dict[str, Path], tmp_path: Path) -> None:
    """A first token comes before a last one; either may be a map."""
    for path in folders["lumina2"].iterdir():
        (tmp_path / path.name).hardlink_to(path)
    _change(tmp_path / "tokenizer_config.json", bos_token={"content": "<eoss>", "special": True})
    worker = load(tmp_path, None, "cpu", "f32", 2, OPTIONS["lumina2"])
    assert prompts(worker)[0][0] == 151_666


def test_the_converter_keeps_what_pictures_need(folders: dict[str, Path], family: str, tmp_path: Path) -> None:
    """Of a bare .ckpt and of one with training's state around it."""
    source = folders[family] / f"{VQGAN[family]}.ckpt"
    published, converted = torch.load(source, weights_only=True), load_file(source.with_suffix(".safetensors"))
    assert converted.keys() == published.keys() - {"loss.logvar"}
    assert all(torch.equal(converted[name], published[name]) for name in converted)
    torch.save({"state_dict": published, "global_step": 3}, tmp_path / "wrapped.ckpt")
    convert(tmp_path / "wrapped.ckpt", tmp_path / "wrapped.safetensors")
    assert load_file(tmp_path / "wrapped.safetensors").keys() == converted.keys()
