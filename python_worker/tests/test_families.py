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
from torch.overrides import TorchFunctionMode
from transformers import (
    ChameleonForConditionalGeneration,
    Emu3ForConditionalGeneration,
    Emu3ImageProcessor,
    JanusForConditionalGeneration,
    JanusVQVAE,
    JanusVQVAEConfig,
    LogitsProcessorList,
)

from sjd2_worker.adapters.base import Adapter, Embeddings
from sjd2_worker.loading import load
from sjd2_worker.protocol import VERSION
from sjd2_worker.worker import Worker

from .helpers import ask, check_codebook
from .library import Library, Run, close, forward
from .lumina_reference import in_the_library
from .tiny_families import CODES, WRITERS

OPTIONS = {"lumina": {"size": (8, 12)}, "anole": {}, "emu3": {"size": (6, 8)}, "janus": {}}
OPTIONS |= {"liquid": {}, "lumina2": {"size": (8, 16)}}  # of test_published.py, which runs tests from here
KINDS: dict[str, Any] = {
    "anole": ChameleonForConditionalGeneration,
    "emu3": Emu3ForConditionalGeneration,
    "janus": JanusForConditionalGeneration,
}
GRIDS = {"lumina": (4, 6), "anole": (4, 4), "emu3": (3, 4), "janus": (4, 4)}
PROMPT = "a red circle."


def whole_model(family: str, folder: Path) -> Any:
    return in_the_library(folder) if family == "lumina" else KINDS[family].from_pretrained(folder).eval()


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
    return whole_model(family, folders[family])


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


def test_pictures(worker: Worker, whole: Any, folders: dict[str, Path], family: str) -> None:
    """To the last bit of every byte."""
    rows, columns = GRIDS[family]
    codes = np.random.default_rng(3).integers(CODES, size=(2, rows * columns), dtype=np.int32)
    _, found = ask(worker, {"op": "decode", "id": 1}, {"codes": codes})
    ids = torch.from_numpy(codes).long() + worker._adapter.card["image"]["first"]
    if family == "janus":
        wanted = janus_pictures(whole, torch.from_numpy(codes).long())
    elif family == "emu3":
        wanted = emu3_pictures(whole, ids.view(2, rows, columns), folders[family])
    else:
        mapping = whole.model.vocabulary_mapping.bpe2img
        wanted = chameleon_pictures(worker, torch.tensor([[mapping[id] for id in own] for own in ids.tolist()]))
    np.testing.assert_array_equal(found["pictures"], wanted)
    card = worker._adapter.card
    assert found["pictures"].shape == (2, card["picture"]["height"], card["picture"]["width"], 3)
    assert found["pictures"].std() > 20


def emu3_pictures(whole: Any, ids: Tensor, folder: Path) -> np.ndarray:
    """As transformers documents it: end-of-line ids, and three behind the image, which it cuts off."""
    lines = torch.nn.functional.pad(ids, (0, 1)).flatten(1)
    with torch.inference_mode():
        pictures = whole.model.decode_image_tokens(torch.nn.functional.pad(lines, (0, 3)), *ids.shape[1:])
    processor = Emu3ImageProcessor.from_pretrained(folder)
    return np.stack([np.asarray(picture) for picture in processor.postprocess(list(pictures))["pixel_values"]])


def janus_pictures(whole: Any, codes: Tensor) -> np.ndarray:
    """From -1 … 1 to whole numbers, cut off, as its image processor does."""
    with torch.inference_mode():
        pictures = whole.model.vqmodel.decode(codes).permute(0, 2, 3, 1).numpy()
    return ((pictures + 1) / 2 * 255).clip(0, 255).astype(np.uint8)


def chameleon_pictures(worker: Worker, codes: Tensor) -> np.ndarray:
    """transformers' Chameleon has no decoder. Its Janus has the same, but that it attends at the coarsest level (here
    made to add nothing), draws squares (here told otherwise) and shortens code vectors to 1 (here they are 1)."""
    adapter: Any = worker._adapter
    names = ("embed_dim", "latent_channels", "base_channels", "channel_multiplier", "num_res_blocks", "num_embeddings")
    vq = adapter._model.config.vq_config
    janus: Any = JanusVQVAE(JanusVQVAEConfig(**{name: getattr(vq, name) for name in names}))
    missing, unexpected = janus.load_state_dict(adapter.pictures.state_dict(), strict=False)
    assert not unexpected
    assert {name.split(".")[0] for name in missing} == {"encoder", "quant_conv", "decoder"}
    for block in janus.decoder.up[0].attn:
        torch.nn.init.zeros_(block.proj_out.weight)
        torch.nn.init.zeros_(block.proj_out.bias)
    janus.quantize.quant_state_dims = adapter._grid
    with torch.inference_mode():
        whole = janus.eval().decode(codes).permute(0, 2, 3, 1).numpy()
    return ((whole.clip(-1, 1) + 1) / 2 * 255).astype(np.uint8)


def storages(*things: Any) -> dict[int, int]:
    """Bytes of all memory that tensors within the things lie in, by address: shared memory counts once."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    queue = list(things)
    while queue:
        thing = queue.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, Tensor):
            storage = thing.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
        elif isinstance(thing, dict):
            queue += thing.values()
        elif isinstance(thing, torch.nn.Module | Adapter | Embeddings):
            queue += vars(thing).values()
    return found


class Multiplied(TorchFunctionMode):
    """Notes the addresses of the matrices that entries are multiplied with."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.linear:
            self.addresses.add(args[1].untyped_storage().data_ptr())
        return func(*args, **(kwargs or {}))


def test_the_codebook(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are what the picture decoder looks up for the codes, in the order of the ids."""
    check_codebook(worker, monkeypatch)


def test_no_weight_is_copied(worker: Worker, whole: Any, family: str) -> None:
    """The adapter holds the weights that drawing needs, once, and little else; a pass multiplies with these."""
    adapter: Any = worker._adapter
    held = storages(adapter)
    weights = storages(adapter._model, adapter.pictures)
    own = sum(bytes for address, bytes in held.items() if address not in weights)
    normalisation = 2 * 4 * adapter.card["width"]
    aligned = 4 * CODES * adapter.card["width"] if family == "janus" else 0  # its embeddings are computed
    assert own <= normalisation + aligned + 8 * CODES + 24
    assert sum(weights.values()) <= sum(storages(whole).values()) + sum(storages(adapter.pictures).values())
    with Multiplied() as multiplied:
        ids, prompt = sequence(worker)
        forward(worker, Run(0, 0, ids, prompt))
    assert multiplied.addresses
    assert multiplied.addresses <= weights.keys()


def test_the_slots_memory(worker: Worker, whole: Any) -> None:
    """Keys and values of every cell in every layer, for the heads that keys have: to the byte."""
    config = whole.config.get_text_config()
    cells = ask(worker, {"op": "hello", "id": 1, "protocol": VERSION})[0]["cells"]
    each = config.hidden_size // config.num_attention_heads * config.num_key_value_heads
    assert ask(worker, {"op": "stats", "id": 1})[0]["cacheBytes"] == 2 * config.num_hidden_layers * 3 * cells * each * 4
    length = len(worker._adapter.card["layout"])
    assert length + 256 + 256 <= cells < length + 256 + 256 + 16


def test_the_card(worker: Worker, family: str) -> None:
    card = worker._adapter.card
    rows, columns = GRIDS[family]
    assert card["grid"] == {"rows": rows, "columns": columns}
    assert card["image"]["count"] == CODES
    assert card["sampling"]["guidance"] == (5.0 if family == "janus" else 3.0)
    assert card["denoising"] is None
    ids: Any = worker._adapter
    ids = ids._tokenizer.token_to_id
    free = [-1] * columns
    layouts: dict[str, list[Any]] = {
        "lumina": ["<reserved08802>", "<reserved08803>", *[*free, "<reserved08799>"] * 4, "<eoss>"],
        "anole": [*free * 4, "<eoss>"],
        "emu3": [*[*free, "<|extra_200|>"] * 3, "<|extra_201|>", "<|image end|>"],
        "janus": free * 4,
    }
    assert card["layout"] == [ids(token) if isinstance(token, str) else token for token in layouts[family]]


def test_the_prompts(worker: Worker, family: str) -> None:
    """As the published code of each family puts them."""
    texts = {
        "lumina": (
            "<s>Generate an image of 12x8 according to the following prompt:\n"
            "a red circle.<reserved08706><racm3:break>",
            "<racm3:break>",
        ),
        "anole": ("<s>a red circle.<reserved08706><racm3:break>", "<s><racm3:break>"),
        "emu3": (
            "<|extra_203|>a red circle. masterpiece, film grained, best quality.<|image start|>3*4<|image token|>",
            "<|extra_203|>lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, "
            "cropped, worst quality, low quality, normal quality, jpeg artifacts, signature, watermark, username, "
            "blurry.<|image start|>3*4<|image token|>",
        ),
    }
    if family not in texts:
        pytest.skip("test_janus.py has its own")
    adapter: Any = worker._adapter
    encoded = [adapter._tokenizer.encode(text, add_special_tokens=False).ids for text in texts[family]]
    assert list(prompts(worker)) == encoded
    assert adapter.card["prompt"]["template"].replace("{prompt}", PROMPT) == texts[family][0]
