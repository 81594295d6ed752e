"""LlamaGen over the worker's slots gives what its published arithmetic gives (tests/llamagen_reference.py)."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import T5EncoderModel

from sjd2_worker.adapters.captions import _cut
from sjd2_worker.adapters.llamagen import LlamaGenAdapter
from sjd2_worker.convert.llamagen import convert
from sjd2_worker.protocol import Array
from sjd2_worker.worker import Worker

from . import llamagen_reference as reference
from . import tiny_llamagen as tiny
from .helpers import ask, check_codebook
from .lanes import Draft, decoded, logits_of, tokenized

RANDOM = np.random.default_rng(5)
CODES = RANDOM.integers(0, tiny.CODES, (3, tiny.SIDE**2)).tolist()
CAPTION, OTHER = "a red circle", "a blue square a red square"  # 4 features; 7, cut to 6
GUIDANCE = 2.5


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("llamagen")
    tiny.write_classes(folder / "classes")
    tiny.write_captions(folder / "captions")
    return {name: folder / name for name in ("classes", "captions")}


def _worker(folder: Path, dtype: torch.dtype = torch.float32) -> Worker:
    return Worker(LlamaGenAdapter(folder, torch.device("cpu"), dtype), 6, torch.device("cpu"), dtype)


@pytest.fixture(scope="module")
def classes(folders: Mapping[str, Path]) -> Worker:
    return _worker(folders["classes"])


@pytest.fixture(scope="module")
def captions(folders: Mapping[str, Path]) -> Worker:
    return _worker(folders["captions"])


def _published(folder: Path, name: str = "gpt.pt") -> Mapping[str, Tensor]:
    weights: Mapping[str, Tensor] = torch.load(folder / name, weights_only=False)["model"]
    return weights


def _of_entries(weights: Mapping[str, Tensor], condition: Tensor, codes: list[int], shown: Tensor) -> Array:
    """Reference logits of an image's entries: of the last of the condition, then of each code."""
    entries = torch.cat((condition, weights["tok_embeddings.weight"][codes]))
    positions = list(range(-len(condition), len(codes)))
    visible = reference.causal(len(entries), shown)
    logits = reference.transformer(weights, entries, positions, visible, tiny.HEADS, tiny.SIDE)
    return logits[len(condition) - 1 :].numpy()


def of_class(folder: Path, label: int, codes: list[int]) -> Array:
    weights = _published(folder)
    condition = weights["cls_embedding.embedding_table.weight"][[label]]
    return _of_entries(weights, condition, codes, torch.ones(1, dtype=torch.bool))


def of_caption(folder: Path, text: str, codes: list[int]) -> tuple[Array, Array]:
    """Conditional and unconditional, both with the caption's padding hidden."""
    weights = _published(folder)
    conditional, empty, shown = reference.padded_caption(weights, _features(folder, text))
    first, second = (
        _of_entries(weights, reference.caption_entries(weights, rows), codes, shown) for rows in (conditional, empty)
    )
    return first, second


def _features(folder: Path, text: str) -> Tensor:
    """As published: padded to the full length on the right, the padding masked, and cut off again."""
    ids = [*([tiny.WORDS.index(word) for word in text.split()][: tiny.CAPTION - 1]), tiny.WORDS.index("</s>")]
    padded = torch.tensor([ids + [0] * (tiny.CAPTION - len(ids))])
    mask = torch.tensor([[1] * len(ids) + [0] * (tiny.CAPTION - len(ids))])
    with torch.inference_mode():
        encoder = T5EncoderModel.from_pretrained(folder / "t5")
        return encoder(input_ids=padded, attention_mask=mask).last_hidden_state[0, : len(ids)].clone()


def _close(found: Array, wanted: Array) -> None:
    """Within 1e-4 of the largest logit."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * float(np.abs(wanted).max()))


def _guided(conditional: Array, unconditional: Array) -> Array:
    return unconditional + GUIDANCE * (conditional - unconditional)


def test_the_codebook(classes: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    check_codebook(classes, monkeypatch)


def test_a_class_in_pieces(classes: Worker, folders: Mapping[str, Path]) -> None:
    prompt = tokenized(classes, "3", [0])
    found = []
    for count in (1, 4, 8, 3):
        done = len(prompt.committed)
        found.append(logits_of(classes, Draft(prompt, CODES[0][done : done + count - 1]))[0])
        prompt.committed += CODES[0][done : done + count]
    wanted = of_class(folders["classes"], 3, CODES[0][:15])
    _close(np.concatenate(found), wanted)
    assert np.abs(wanted - of_class(folders["classes"], 2, CODES[0][:15])).max() > 0.1


def test_classes_in_a_ragged_guided_batch(classes: Worker, folders: Mapping[str, Path]) -> None:
    prompts = [
        tokenized(classes, "0", [4, 1], GUIDANCE),
        tokenized(classes, "4", [2]),
        tokenized(classes, "1", [5, 0], 7.0),
    ]
    for prompt, codes, count in zip(prompts, CODES, (9, 2, 0), strict=True):
        logits_of(classes, Draft(prompt, codes[:count]))
        prompt.committed += codes[:count]
    prompts[2].guidance = GUIDANCE
    shares = [Draft(p, c[len(p.committed) : end]) for p, c, end in zip(prompts, CODES, (11, 14, 6), strict=True)]
    found = logits_of(classes, *shares)
    for logits, label, codes, (first, end) in zip(found, (0, 4, 1), CODES, ((9, 11), (2, 14), (0, 6)), strict=True):
        conditional = of_class(folders["classes"], label, codes[:end])[first:]
        unconditional = of_class(folders["classes"], tiny.CLASSES, codes[:end])[first:]
        _close(logits, conditional if label == 4 else _guided(conditional, unconditional))


@pytest.mark.parametrize("text", [CAPTION, OTHER])
def test_a_caption(captions: Worker, folders: Mapping[str, Path], text: str) -> None:
    prompt = tokenized(captions, text, [0, 1], GUIDANCE)
    assert [len(ids) for ids in prompt.ids] == [min(len(text.split()) + 1, tiny.CAPTION)] * 2
    found = logits_of(captions, Draft(prompt, CODES[0][:15]))[0]
    _close(found, _guided(*of_caption(folders["captions"], text, CODES[0][:15])))


def test_captions_together(captions: Worker, folders: Mapping[str, Path]) -> None:
    prompts = [tokenized(captions, CAPTION, [3, 0], GUIDANCE), tokenized(captions, OTHER, [1, 2], GUIDANCE)]
    found = logits_of(captions, *(Draft(prompt, codes[:5]) for prompt, codes in zip(prompts, CODES, strict=False)))
    for logits, text, codes in zip(found, (CAPTION, OTHER), CODES, strict=False):
        _close(logits, _guided(*of_caption(folders["captions"], text, codes[:5])))


def test_a_tree(captions: Worker, folders: Mapping[str, Path]) -> None:
    """Each node's logits are those of the sequence from the root to it."""
    parents = [-1, 0, 0, 1, 1, 2]
    paths: list[list[int]] = []
    for node, parent in enumerate(parents):
        paths.append([*(paths[parent] if parent >= 0 else []), node])
    visible = np.zeros((6, 6), bool)
    for node, path in enumerate(paths):
        visible[node, path] = True
    prompt = tokenized(captions, CAPTION, [0, 1], GUIDANCE)
    logits_of(captions, Draft(prompt, CODES[0][:5]))
    prompt.committed += CODES[0][:5]
    nodes = CODES[1][:6]
    draft = Draft(prompt, nodes, [4 + len(path) for path in paths], visible)
    found = logits_of(captions, draft)[0]
    for node, path in enumerate(paths):
        sequence = CODES[0][:5] + [nodes[n] for n in path]
        _close(found[1 + node], _guided(*of_caption(folders["captions"], CAPTION, sequence))[-1])


@pytest.mark.parametrize("noisy", [False, True], ids=["greedy", "seeded"])
def test_a_whole_picture_token_for_token(captions: Worker, folders: Mapping[str, Path], noisy: bool) -> None:
    """The most likely code, or the one drawn by noise that both sides share (Gumbel's), position by position."""
    noise = np.random.default_rng(7).gumbel(size=(tiny.SIDE**2, tiny.CODES)) * noisy
    prompt = tokenized(captions, CAPTION, [0, 1], GUIDANCE)
    found = decoded(captions, prompt, lambda logits, position: int((logits + noise[position]).argmax()))
    wanted: list[int] = []
    for row in noise:
        logits = _guided(*of_caption(folders["captions"], CAPTION, wanted))[-1]
        wanted.append(int((logits + row).argmax()))
    assert found == wanted
    assert len(set(wanted)) > 3


def test_in_half_precision(folders: Mapping[str, Path]) -> None:
    """bf16 keeps 8 bits: the logits stay within 5 % of the largest."""
    worker = _worker(folders["captions"], torch.bfloat16)
    found = logits_of(worker, Draft(tokenized(worker, CAPTION, [0, 1], GUIDANCE), CODES[0][:15]))[0]
    wanted = _guided(*of_caption(folders["captions"], CAPTION, CODES[0][:15]))
    np.testing.assert_allclose(found, wanted, atol=0.05 * np.abs(wanted).max())


def test_latents(captions: Worker, folders: Mapping[str, Path]) -> None:
    """What fine-tuning stored says what a noisy entry feeds: mean + deviation * latent + the timestep's embedding."""
    stored = load_file(folders["captions"] / "denoising.safetensors")
    latents, timestep = RANDOM.standard_normal((2, tiny.WIDTH)).astype(np.float32), 0.75
    prompt = tokenized(captions, CAPTION, [0])
    found = logits_of(captions, Draft(prompt, [CODES[0][0], -1, -1], latents=list(latents), timestep=timestep))[0]

    angles = 1000 * timestep * 10_000 ** (-torch.arange(32) / 32)
    first, second = (
        (stored[f"timestep.{name}.weight"], stored[f"timestep.{name}.bias"]) for name in ("first", "second")
    )
    hidden = torch.nn.functional.silu(first[0] @ torch.cat((angles.cos(), angles.sin())) + first[1])
    noisy = stored["mean"] + stored["deviation"] * torch.from_numpy(latents) + second[0] @ hidden + second[1]
    weights = _published(folders["captions"])
    condition = reference.caption_entries(weights, _features(folders["captions"], CAPTION))
    entries = torch.cat((condition, weights["tok_embeddings.weight"][CODES[0][:1]], noisy))
    visible = torch.ones(len(entries), len(entries), dtype=torch.bool).tril()
    positions = list(range(-len(condition), 3))
    wanted = reference.transformer(weights, entries, positions, visible, tiny.HEADS, tiny.SIDE)[-4:].numpy()
    _close(found, wanted)


def test_pictures(classes: Worker, folders: Mapping[str, Path]) -> None:
    """As the published script saves them: cut to [-1, 1] and rounded."""
    weights = _published(folders["classes"], "vq.pt")
    _, found = ask(classes, {"op": "decode", "id": 1}, {"codes": np.array(CODES, np.int32)})
    for pixels, codes in zip(found["pictures"], CODES, strict=True):
        wanted = reference.picture(weights, torch.tensor(codes).view(tiny.SIDE, tiny.SIDE))
        levels = (wanted.permute(1, 2, 0).clamp(-1, 1) + 1) / 2 * 255
        assert (np.abs(pixels - levels.numpy()) <= 0.5 + 1e-3).all()
        assert pixels.std() > 10


def test_features_that_are_given(folders: Mapping[str, Path], tmp_path: Path) -> None:
    """Without an encoder: the same features from a file give the same logits, and other captions are refused."""
    gpt, vq = folders["captions"] / "gpt.pt", folders["captions"] / "vq.pt"
    convert(gpt, vq, tiny.PIXELS, tmp_path, tiny.HEADS)
    save_file({"My circle!": _features(folders["captions"], CAPTION)}, tmp_path / "features.safetensors")
    worker = _worker(tmp_path)
    found = logits_of(worker, Draft(tokenized(worker, "My circle!", [0, 1], GUIDANCE), CODES[0]))[0]
    _close(found, _guided(*of_caption(folders["captions"], CAPTION, CODES[0])))
    reply, _ = ask(worker, {"op": "tokenize", "id": 1, "prompts": ["a circle", "My circle!"]})
    assert "no features of the caption 'a circle'" in reply["prompts"][0]["refused"]["message"]
    assert reply["prompts"][1]["vectors"] == 4


@pytest.mark.parametrize("text", ["5", "-1", "1.5", "a red circle", "²", "9" * 5000, ""])
def test_a_prompt_that_is_no_class(classes: Worker, text: str) -> None:
    """The others are read all the same."""
    reply, _ = ask(classes, {"op": "tokenize", "id": 1, "prompts": [text, "1"]})
    refused, read = reply["prompts"]
    assert "a number from 0 to 4" in refused["refused"]["remedy"]
    assert read["conditional"] == classes._adapter.tokenize("1").conditional


def test_features_are_made_for_the_forward_that_feeds_them(captions: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many captions are read, no encoder runs for it; and what a forward made of its own, it leaves."""
    made: list[tuple[str, weakref.ref[Tensor]]] = []
    vectors = captions._adapter.vectors

    def watched(prompt: str) -> Tensor:
        found = vectors(prompt)
        made.append((prompt, weakref.ref(found)))
        return found

    monkeypatch.setattr(captions._adapter, "vectors", watched)
    ask(captions, {"op": "tokenize", "id": 1, "prompts": [CAPTION, OTHER] * 50})
    assert not made
    prompts = [tokenized(captions, text, slots, GUIDANCE) for text, slots in ((CAPTION, [3, 0]), (OTHER, [1, 2]))]
    logits_of(captions, *(Draft(prompt) for prompt in prompts))
    assert {prompt for prompt, _ in made} == {CAPTION, OTHER}
    assert [found() for _, found in made] == [None] * len(made)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a red circle a blue", []),
        ("a red circle a blue square", ["square"]),
        ("A red circle a blue, 'square' a #circle", [",", "'square'", "a", "circle"]),  # as it was cleaned
    ],
)
def test_what_is_cut_off_a_caption_is_said(captions: Worker, text: str, cut: list[str]) -> None:
    """5 of the 6 features are left for words."""
    reply, _ = ask(captions, {"op": "tokenize", "id": 1, "prompts": [text]})
    assert reply["prompts"][0]["cut"] == cut


def test_a_word_across_the_limit_is_named_whole() -> None:
    tokenizer = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate("abcdefg ")}, unk_token=" "))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.enable_truncation(5)
    text = "abc defg abc"
    assert _cut(text, tokenizer.encode(text)) == ["defg", "abc"]


@pytest.mark.parametrize("text", ["", "***", "()", "#12"])
def test_a_caption_of_which_nothing_is_left_is_the_empty_one(captions: Worker, text: str) -> None:
    """Equal branches: whoever asks is told that the model can read no word of it."""
    reply, _ = ask(captions, {"op": "tokenize", "id": 1, "prompts": ["a circle", text]})
    said = reply["prompts"][1]
    assert said["conditional"] == said["unconditional"]
    assert "vectors" not in said


def test_the_weights_are_not_copied(folders: Mapping[str, Path], classes: Worker) -> None:
    """Beside the weights there are the slots, and next to nothing."""
    adapter = classes._adapter
    assert isinstance(adapter, LlamaGenAdapter)
    weights = adapter._transformer.state_dict()
    assert adapter.embeddings.table.data_ptr() == weights["tok_embeddings.weight"].data_ptr()
    assert adapter._conditions.data_ptr() == weights["cls_embedding.embedding_table.weight"].data_ptr()
    stored = load_file(folders["classes"] / "model.safetensors")
    assert stored.keys() == weights.keys()
    cells = 6 * 288  # of 6 slots: the condition, 16 of the image, 256 for a tree; a multiple of 16
    assert classes._slots.bytes == 2 * tiny.LAYERS * cells * tiny.WIDTH * 4
