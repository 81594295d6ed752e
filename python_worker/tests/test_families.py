"""The adapters of transformers' families, held to the library's own forward, generation and picture decoding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import (
    ChameleonForConditionalGeneration,
    Emu3ForConditionalGeneration,
    JanusForConditionalGeneration,
    LogitsProcessorList,
)

from sjd2_worker.loading import load
from sjd2_worker.worker import Worker

from .helpers import ask
from .library import Library, Run, close, forward
from .tiny_families import CODES, WRITERS

OPTIONS = {"lumina": {"size": (8, 12)}, "anole": {}, "emu3": {"size": (6, 8)}, "janus": {}}
KINDS: dict[str, Any] = {
    "lumina": ChameleonForConditionalGeneration,
    "anole": ChameleonForConditionalGeneration,
    "emu3": Emu3ForConditionalGeneration,
    "janus": JanusForConditionalGeneration,
}
GRIDS = {"lumina": (4, 6), "anole": (4, 4), "emu3": (3, 4), "janus": (4, 4)}
PROMPT = "a red circle."


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in WRITERS}
    for name, write in WRITERS.items():
        write(folders[name])
    return folders


@pytest.fixture(scope="module", params=WRITERS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def worker(folders: dict[str, Path], family: str) -> Worker:
    return load(folders[family], None, "cpu", "f32", 3, OPTIONS[family])


@pytest.fixture(scope="module")
def whole(folders: dict[str, Path], family: str) -> Any:
    """The model as its library loads it."""
    return KINDS[family].from_pretrained(folders[family]).eval()


@pytest.fixture(scope="module")
def library(whole: Any, worker: Worker) -> Library:
    if hasattr(whole.model, "generation_head"):
        return Library(whole.model.language_model, whole.model.generation_head)
    image = worker._adapter.card["image"]
    decoder = whole.model.text_model if hasattr(whole.model, "text_model") else whole.model
    rows = whole.lm_head.weight[image["first"] : image["first"] + image["count"]].detach()
    return Library(decoder, lambda hidden: F.linear(hidden, rows))


def prompts(worker: Worker) -> tuple[list[int], list[int]]:
    """The ids of both branches' prompts."""
    reply, _ = ask(worker, {"op": "tokenize", "id": 1, "prompts": [PROMPT]})
    return reply["prompts"][0]["conditional"], reply["prompts"][0]["unconditional"]


def sequence(worker: Worker) -> tuple[list[int], int]:
    """A prompt and its image of any codes, with all that the layout forces; and the prompt's length."""
    card, (prompt, _) = worker._adapter.card, prompts(worker)
    free = np.random.default_rng(1).integers(card["image"]["count"], size=len(card["layout"])) + card["image"]["first"]
    image = [int(code) if forced < 0 else forced for forced, code in zip(card["layout"], free, strict=True)]
    return prompt + image, len(prompt)


def embed(worker: Worker, ids: list[int]) -> Tensor:
    with torch.inference_mode():
        return worker._adapter.embed(torch.tensor(ids))


def test_a_chain(worker: Worker, library: Library) -> None:
    """In one pass, and in three that end where they may."""
    ids, prompt = sequence(worker)
    wanted = library.logits(embed(worker, ids))
    close(forward(worker, Run(0, 0, ids, prompt))[0], wanted)
    for first, end in ((0, 3), (3, 4), (4, len(ids))):
        close(forward(worker, Run(2, first, ids[first:end], prompt))[0], wanted[first:end])


def test_a_ragged_batch(worker: Worker, library: Library) -> None:
    """Streams of unlike lengths at unlike places, the prompts unlike too; each continues what its slot holds."""
    ids, prompt = sequence(worker)
    other = prompts(worker)[1] + ids[prompt:][::-1]
    forward(worker, Run(0, 0, ids[:9], prompt), Run(1, 0, other[:2], 1))
    found = forward(worker, Run(0, 9, ids[9:], prompt), Run(1, 2, other[2:7], 1), Run(2, 0, ids[:4], prompt))
    for logits, run, first, end in zip(found, (ids, other, ids), (9, 2, 0), (len(ids), 7, 4), strict=True):
        close(logits, library.logits(embed(worker, run[:end]))[first:])


def test_a_tree(worker: Worker, library: Library) -> None:
    """Two branches behind what the slot holds: siblings stand at one place and do not see each other."""
    ids, prompt = sequence(worker)
    first = worker._adapter.card["image"]["first"]
    base, tree = prompt + 2, [first, first + 1, first + 2, first + 3, first + 4]
    parents = [-1, -1, 0, 1, 2]
    visible = np.eye(5, dtype=bool)
    for entry, parent in enumerate(parents):
        if parent >= 0:
            visible[entry] |= visible[parent]
    places = [base + int(row.sum()) - 1 for row in visible]
    forward(worker, Run(1, 0, ids[:base], prompt))
    found = forward(worker, Run(1, base, tree, prompt, places=places, visible=visible))[0]

    whole = torch.ones(base + 5, base + 5, dtype=torch.bool).tril()
    whole[base:, base:] = torch.from_numpy(visible)
    wanted = library.logits(embed(worker, ids[:base] + tree), torch.tensor([*range(base), *places]), whole)
    close(found, wanted[base:])


def test_latents(worker: Worker, library: Library) -> None:
    """A latent is fed as mean + deviation * latent of the image rows of the embedding table."""
    ids, prompt = sequence(worker)
    image, count = worker._adapter.card["image"], len(ids) - prompt
    latents = np.random.default_rng(2).standard_normal((2, worker._adapter.card["width"])).astype(np.float32)
    table = embed(worker, [image["first"] + code for code in range(image["count"])])
    entries = torch.cat((embed(worker, ids[:-2]), table.mean(0) + table.std(0) * torch.from_numpy(latents)))
    found = forward(worker, Run(0, 0, [*ids[:-2], -1, -1], prompt, latents=list(latents)))[0]
    assert count > 2
    close(found, library.logits(entries))


def test_bf16(folders: dict[str, Path], family: str, worker: Worker, library: Library) -> None:
    """Within 4 % of the largest logit: two roundings to 8 bits in each of a few dozen steps."""
    ids, prompt = sequence(worker)
    half = load(folders[family], None, "cpu", "bf16", 1, OPTIONS[family])
    assert half._adapter.embed(torch.tensor([0])).dtype == torch.bfloat16
    close(forward(half, Run(0, 0, ids, prompt))[0], library.logits(embed(worker, ids)), 0.04)


def gumbel(count: int) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(5)
    return lambda: -torch.log(-torch.log(torch.rand(count, generator=generator)))


def decode_by_slots(worker: Worker, guidance: float, noise: Callable[[], Tensor] | None) -> list[int]:
    """The layout's ids, one pass a code: the likeliest, or the likeliest under the noise of a seed."""
    card, (conditional, unconditional) = worker._adapter.card, prompts(worker)
    first = card["image"]["first"]
    for slot, prompt in enumerate((conditional, unconditional)):
        if len(prompt) > 1:
            forward(worker, Run(slot, 0, prompt[:-1], len(prompt)))
    ids: list[int] = []
    pending, done = [-2], [len(conditional) - 1, len(unconditional) - 1]
    for position, forced in enumerate(card["layout"]):
        if forced >= 0:
            ids.append(forced)
            pending.append(forced)
            continue
        branches = [
            {"slot": slot, "base": done[slot], "prompt": len(prompt), "anchor": prompt[-1]}
            for slot, prompt in enumerate((conditional, unconditional))
        ]
        lane = {"branches": branches, "guidance": guidance, "entries": len(pending), "rows": 1, "visibility": "chain"}
        tensors = {
            "tokens": np.array(pending, np.int32),
            "positions": np.arange(position - len(pending), position, dtype=np.int32),
            "rows": np.array([len(pending) - 1], np.int32),
            "latents": np.empty((0, card["width"]), np.float32),
            "timesteps": np.empty(0, np.float32),
        }
        reply, found = ask(worker, {"op": "forward", "id": 1, "lanes": [lane], "logits": "f32"}, tensors)
        assert reply["ok"], reply
        scores = torch.from_numpy(found["logits"][0].copy()).log_softmax(0)
        ids.append(first + int((scores + noise() if noise else scores).argmax()))
        done, pending = [cells + len(pending) for cells in done], ids[-1:]
    return ids


def decode_by_library(worker: Worker, library: Library, guidance: float, noise: Any) -> list[int]:
    """The same by the library's whole forward for each code: transformers' Chameleon does not generate images."""
    card, (conditional, unconditional) = worker._adapter.card, prompts(worker)
    ids: list[int] = []
    for forced in card["layout"]:
        if forced >= 0:
            ids.append(forced)
            continue
        with_text, without = (library.logits(embed(worker, p + ids))[-1] for p in (conditional, unconditional))
        scores = torch.from_numpy(without + guidance * (with_text - without)).log_softmax(0)
        ids.append(card["image"]["first"] + int((scores + noise() if noise else scores).argmax()))
    return ids


def generate_by_library(worker: Worker, whole: Any, guidance: float, noise: Any) -> list[int]:
    """By transformers' own `generate`, guided and constrained as its documentation of Emu3 has it."""
    card, (conditional, unconditional) = worker._adapter.card, prompts(worker)
    layout, image = card["layout"], range(card["image"]["first"], card["image"]["first"] + card["image"]["count"])

    def allowed(_: int, ids: Tensor) -> list[int]:
        forced = layout[len(ids) - len(conditional)]
        return list(image) if forced < 0 else [forced]

    def noisy(ids: Tensor, scores: Tensor) -> Tensor:
        if noise and layout[ids.shape[1] - len(conditional)] < 0:
            scores[:, image.start : image.stop] += noise()
        return scores

    prompt, negative = torch.tensor([conditional]), torch.tensor([unconditional])
    found = whole.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=len(layout),
        guidance_scale=guidance,
        negative_prompt_ids=negative,
        negative_prompt_attention_mask=torch.ones_like(negative),
        prefix_allowed_tokens_fn=allowed,
        logits_processor=[noisy],
    )
    return found[0, len(conditional) :].tolist()


def generate_by_janus(worker: Worker, whole: Any, guidance: float, noise: Any) -> list[int]:
    """By Janus' own `generate`, which makes the unconditional prompt itself."""
    prompt = torch.tensor([prompts(worker)[0]])
    found = whole.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        generation_mode="image",
        do_sample=False,
        guidance_scale=guidance,
        # it comes before guidance: the same noise on both branches remains what it is
        logits_processor=LogitsProcessorList([lambda _, scores: scores + noise()] if noise else []),
    )
    return (found[0] + worker._adapter.card["image"]["first"]).tolist()


@pytest.mark.parametrize("seeded", [False, True], ids=["greedy", "seeded"])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_sequential_decoding(
    worker: Worker, library: Library, whole: Any, family: str, guidance: float, seeded: bool
) -> None:
    """Token for token; seeded by Gumbel noise, which makes the likeliest a sample."""

    def noise() -> Callable[[], Tensor] | None:
        return gumbel(CODES) if seeded else None

    found = decode_by_slots(worker, guidance, noise())
    if family == "emu3":
        assert found == generate_by_library(worker, whole, guidance, noise())
    elif family == "janus" and guidance > 1:  # it knows no other
        assert found == generate_by_janus(worker, whole, guidance, noise())
    else:
        assert found == decode_by_library(worker, library, guidance, noise())
    assert len(set(found)) > 4
