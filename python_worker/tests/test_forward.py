"""What comes out of the slots is what the plain causal forward over the whole sequence gives, in fp32 within 1e-5."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sjd2_worker import slots
from sjd2_worker.adapters.scenes import ScenesAdapter
from sjd2_worker.loading import load
from sjd2_worker.protocol import VERSION, Array
from sjd2_worker.worker import Worker

from .helpers import (
    EMPTY,
    FIRST,
    OTHER,
    POSITIONS,
    PROMPT,
    Share,
    ask,
    chain,
    close,
    embed,
    forward,
    logits_of,
    reference,
)

SEQUENCE = [*PROMPT, *(FIRST + code for code in (3, 1, 4, 1, 5, 0, 2, 5, 3, 5, 0, 1, 2))]
RANDOM = np.random.default_rng(1)


def test_a_chain_in_pieces(worker: Worker, adapter: ScenesAdapter) -> None:
    wanted = reference(adapter, embed(adapter, SEQUENCE))
    found = [logits_of(worker, chain(SEQUENCE, 2, first, count)) for first, count in ((0, 3), (3, 1), (4, 6), (10, 7))]
    close(np.concatenate(found), wanted)


def test_the_anchor_is_the_branches_own_token(worker: Worker, adapter: ScenesAdapter) -> None:
    logits_of(worker, chain(SEQUENCE, 0, 0, 3))
    found = logits_of(worker, Share([(0, 3)], [-2, SEQUENCE[4]], [-1, 0], [0, 1]))
    close(found, reference(adapter, embed(adapter, SEQUENCE))[3:5])


def test_a_smaller_base_forgets_what_was_behind(worker: Worker, adapter: ScenesAdapter) -> None:
    logits_of(worker, chain(SEQUENCE, 0))
    changed = [*SEQUENCE[:9], FIRST, FIRST + 5, *SEQUENCE[11:]]
    found = logits_of(worker, chain(changed, 0, 9))
    close(found, reference(adapter, embed(adapter, changed))[9:])


def test_only_the_wanted_rows_in_their_order(worker: Worker, adapter: ScenesAdapter) -> None:
    share = chain(SEQUENCE, 0)
    share.rows = [14, 2, 7]
    close(logits_of(worker, share), reference(adapter, embed(adapter, SEQUENCE))[[14, 2, 7]])


def test_a_ragged_batch_of_lanes(worker: Worker, adapter: ScenesAdapter) -> None:
    """Lanes of other lengths and bases, slots with a gap, not in order; one lane is a prompt without rows."""
    sequences = {slot: RANDOM.integers(FIRST, FIRST + 6, len(POSITIONS)).tolist() for slot in (6, 0, 1, 2)}
    bases = {6: 12, 0: 3, 1: 9, 2: 10}
    logits_of(worker, *(chain(ids, slot, 0, bases[slot]) for slot, ids in sequences.items()))
    counts = {6: 1, 0: 13, 1: 7, 2: 6}
    shares = [chain(ids, slot, bases[slot], counts[slot]) for slot, ids in sequences.items()]
    shares.insert(1, Share([(3, 0)], PROMPT[:3], POSITIONS[:3]))
    found = logits_of(worker, *shares)
    wanted = [
        reference(adapter, embed(adapter, ids[: bases[slot] + counts[slot]]))[bases[slot] :]
        for slot, ids in sequences.items()
    ]
    close(found, np.concatenate(wanted))


def test_lanes_do_not_influence_one_another(worker: Worker) -> None:
    """A lane's rows alone and in a full batch differ by rounding at most."""
    ids = [RANDOM.integers(FIRST, FIRST + 6, 20).tolist() for _ in range(8)]
    together = logits_of(worker, *(chain(ids[slot], slot, 0, 20 - slot) for slot in range(8)))
    first = 0
    for slot in range(8):
        close(together[first : first + 20 - slot], logits_of(worker, chain(ids[slot], 0, 0, 20 - slot)))
        first += 20 - slot


def test_a_lane_goes_on_where_one_before_it_ends(worker: Worker, adapter: ScenesAdapter) -> None:
    """Prompts of two branches, and the first pass behind them, in one request; lanes of other slots stand between."""
    prompts = {4: SEQUENCE[:9], 3: [EMPTY[0], *SEQUENCE[1:4]]}
    prefills = [chain(ids, slot, 0, len(ids) - 1) for slot, ids in prompts.items()]
    for prefill in prefills:
        prefill.rows = []
    drafts = SEQUENCE[9:14]
    first = Share([(4, 8), (3, 3)], [SEQUENCE[8], *drafts], [4, 5, 6, 7, 8, 9], [0, 2, 5], guidance=3.0)
    other = chain(SEQUENCE, 5, 0, 6)
    together = logits_of(worker, other, *prefills, chain(SEQUENCE, 1), first)
    logits_of(worker, *prefills)
    close(together[-3:], logits_of(worker, first))
    close(together[:6], reference(adapter, embed(adapter, SEQUENCE[:6])))


def test_latents_with_levels(worker: Worker, adapter: ScenesAdapter) -> None:
    """A noisy entry is mean + deviation * latent + the timestep's embedding; clean entries stand between."""
    timesteps = [0.25, 1.0, 0.5]
    latents = RANDOM.standard_normal((3, 32)).astype(np.float32)
    entries = embed(adapter, SEQUENCE).clone()
    own = adapter.embeddings
    with torch.inference_mode():
        steps = adapter.timestep(torch.tensor(timesteps))
    assert steps.abs().min() > 0
    entries[[6, 8, 9]] = own.mean + own.deviation * torch.from_numpy(latents) + steps
    tokens = [-1 if place in (6, 8, 9) else token for place, token in enumerate(SEQUENCE)]
    found = logits_of(worker, chain(tokens, 0, latents=list(latents), timesteps=timesteps))
    close(found, reference(adapter, entries))
    assert np.abs(found[6] - reference(adapter, embed(adapter, SEQUENCE))[6]).max() > 0.1


def test_the_codebook_is_the_picture_tokenizers(worker: Worker, adapter: ScenesAdapter) -> None:
    """A picture is decoded from its codes' vectors; without `of`, the reply holds the model's embeddings."""
    _, tensors = ask(worker, {"op": "embeddings", "id": 1, "of": "codebook"})
    assert set(tensors) == {"codebook"}
    assert len(np.unique(tensors["codebook"], axis=0)) == adapter.card["image"]["count"]
    rows, columns = adapter.card["grid"]["rows"], adapter.card["grid"]["columns"]
    codes = RANDOM.integers(adapter.card["image"]["count"], size=(1, rows * columns)).astype(np.int32)
    _, pictures = ask(worker, {"op": "decode", "id": 2}, {"codes": codes})
    with torch.inference_mode():
        vectors = torch.from_numpy(tensors["codebook"][codes].reshape(1, rows, columns, -1)).permute(0, 3, 1, 2)
        drawn = ((adapter._tokenizer.decoder(vectors) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    np.testing.assert_array_equal(pictures["pictures"], drawn.permute(0, 2, 3, 1).numpy())
    assert set(ask(worker, {"op": "embeddings", "id": 3})[1]) == {"table", "mean", "deviation"}


def test_latents_may_come_as_f16(worker: Worker) -> None:
    latents = [RANDOM.integers(-8, 8, 32).astype(np.float32) / 4]  # exact in f16
    share = Share([(0, 0)], [-1], [-4], [0], latents=latents, timesteps=[0.5])
    head, tensors = forward(share)
    _, halved = ask(worker, head, {**tensors, "latents": tensors["latents"].astype(np.float16)})
    np.testing.assert_array_equal(halved["logits"], logits_of(worker, share))


def test_vectors_in_place_of_tokens(worker: Worker, adapter: ScenesAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids from the vocabulary's end on name vectors of the request's prompts, as tokens and as anchors."""
    vocabulary = adapter.card["vocabulary"]
    entries = embed(adapter, SEQUENCE).clone()
    entries[[1, 3, 5]] = torch.from_numpy(RANDOM.standard_normal((3, 32)).astype(np.float32))
    tokens = list(SEQUENCE)
    tokens[1], tokens[3], tokens[5] = vocabulary + 2, -2, vocabulary
    head, tensors = forward(chain(tokens, 0))
    head["lanes"][0]["branches"][0]["anchor"] = vocabulary + 1
    rows = {"one": entries[[5]], "two": entries[[3, 1]]}
    monkeypatch.setattr(adapter, "vectors", lambda prompt: rows[prompt])
    head["vectors"] = [{"prompt": "one", "count": 1}, {"prompt": "two", "count": 2}]
    _, found = ask(worker, head, tensors)
    close(found["logits"], reference(adapter, entries))


@pytest.mark.parametrize("guidance", [0.0, 1.0, 3.5])
def test_guidance_over_two_branches(worker: Worker, adapter: ScenesAdapter, guidance: float) -> None:
    """l_u + g (l_c - l_u); a lane of one branch beside it stays as it is. The unconditional slot comes first."""
    logits_of(worker, chain(PROMPT, 5, 0, 3), chain(EMPTY, 4, 0, 3), chain(OTHER, 6, 0, 3))
    image = [FIRST + 2, -1, FIRST + 4]
    latent = RANDOM.standard_normal(32).astype(np.float32)
    share = Share([(5, 3), (4, 3)], [-2, *image], [-1, 0, 1, 2], [0, 2, 3], guidance, [latent], [0.75])
    found = logits_of(worker, Share([(6, 3)], [-2, FIRST], [-1, 0], [1]), share)

    def branch(prompt: list[int]) -> Array:
        entries = embed(adapter, [*prompt, FIRST + 2, 0, FIRST + 4]).clone()
        with torch.inference_mode():
            entries[5] = adapter.noisy(torch.from_numpy(latent)[None], torch.tensor([0.75]))[0]
        return reference(adapter, entries)[[3, 5, 6]]

    conditional, unconditional = branch(PROMPT), branch(EMPTY)
    other = reference(adapter, embed(adapter, [*OTHER, FIRST]))[4:]
    close(found, np.concatenate([other, unconditional + guidance * (conditional - unconditional)]))


def _paths(parents: list[int]) -> list[list[int]]:
    """Of each node of a tree, the nodes from the root to it."""
    paths: list[list[int]] = []
    for node, parent in enumerate(parents):
        paths.append([*(paths[parent] if parent >= 0 else []), node])
    return paths


def test_a_tree_and_what_is_kept_of_it(worker: Worker, adapter: ScenesAdapter) -> None:
    """Each node sees its ancestors only; afterwards one path's cells are kept and decoding goes on behind them.

    The second branch lacks the first token, so that its cells lie elsewhere."""
    paths = _paths([-1, 0, 0, 1, 1, 2, 2, 3, 5])
    codes = [FIRST + code for code in (1, 2, 3, 4, 5, 0, 1, 2, 3)]
    mask = np.zeros((9, 9), bool)
    for node, path in enumerate(paths):
        mask[node, path[:-1]] = True  # that it sees itself goes without saying
    prefix = SEQUENCE[:6]

    def guided(ids: list[int]) -> Array:
        conditional, unconditional = (reference(adapter, embed(adapter, ids[n:]), n)[6 - n :] for n in (0, 1))
        return unconditional + 2 * (conditional - unconditional)

    logits_of(worker, chain(prefix, 0), Share([(3, 0)], prefix[1:], POSITIONS[1:6]))
    places = [POSITIONS[5 + len(path)] for path in paths]
    tree = Share([(0, 6), (3, 5)], codes, places, list(range(9)), 2.0, mask=mask)
    wanted = [guided([*prefix, *(codes[n] for n in path)])[-1] for path in paths]
    close(logits_of(worker, tree), np.array(wanted))

    kept = paths[8]  # 0, 2, 5, 8
    keep = [6 + node for node in kept]
    after = Share([(0, 10), (3, 9)], [FIRST, FIRST + 1], POSITIONS[10:12], [0, 1], 2.0, keep=keep)
    whole = [*prefix, *(codes[n] for n in kept), FIRST, FIRST + 1]
    close(logits_of(worker, after), guided(whole)[4:])


def test_entries_out_of_their_order_keep_their_keys(worker: Worker, adapter: ScenesAdapter) -> None:
    """Each sees, of the cells before its own, those of lower positions, whichever pass wrote them: one pass over all
    gives the same. The second branch lacks the first token; a chain lies in the slot between."""
    order = [0, 1, 2, 5, 3, 6, 4, 7, 8]  # positions, as they are fed behind the prompt
    ids = [FIRST + code for code in (1, 2, 3, 4, 5, 0, 1, 2, 3)]
    places = [*POSITIONS[:4], *order]
    seen = np.tri(13, dtype=bool) & np.greater_equal.outer(places, places)
    entries = embed(adapter, [*PROMPT, *ids])

    def branch(first: int) -> Array:
        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q, k, v = (x.transpose(1, 2) for x in (q, k, v))
            mask = torch.from_numpy(seen[first:, first:])
            return scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)

        with torch.inference_mode():
            return adapter._transformer(entries[None, first:], torch.tensor(places)[None, first:], attend)[0].numpy()

    conditional, unconditional = branch(0)[4:], branch(1)[3:]
    wanted = unconditional + 2 * (conditional - unconditional)
    beside = chain(SEQUENCE, 4)
    alone = logits_of(worker, beside)
    for cuts in ([0, 9], [0, 4, 9], [0, 3, 4, 6, 7, 9], range(10)):
        logits_of(worker, chain(PROMPT, 3), Share([(5, 0)], PROMPT[1:], POSITIONS[1:4]))
        found: list[Array] = []
        for start, end in pairwise(cuts):
            mask = seen[4 + start : 4 + end, min(5, 4 + start) : 4 + end]  # all see the first cells
            rows = list(range(end - start))
            share = Share([(3, 4 + start), (5, 3 + start)], ids[start:end], order[start:end], rows, 2.0, mask=mask)
            together = logits_of(worker, share, beside)
            found.append(together[: end - start])
            close(together[end - start :], alone)
        close(np.concatenate(found), wanted)


def test_neighbouring_slots_are_attended_to_at_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever order the lanes come, and where the cells lie."""
    calls: list[Tensor] = []

    def spy(q: Tensor, k: Tensor, v: Tensor, **more: Any) -> Tensor:
        calls.append(k)
        return scaled_dot_product_attention(q, k, v, **more)

    monkeypatch.setattr(slots, "scaled_dot_product_attention", spy)
    logits_of(worker, *(chain(SEQUENCE, slot) for slot in (2, 5, 3, 4)))
    assert [len(k) for k in calls] == [4, 4]  # one call in each layer
    assert all(k.untyped_storage().data_ptr() == worker._slots._keys.untyped_storage().data_ptr() for k in calls)


def test_logits_as_f16(worker: Worker) -> None:
    share = chain(SEQUENCE, 0)
    _, tensors = ask(worker, *forward(share, logits="f16"))
    np.testing.assert_array_equal(tensors["logits"], logits_of(worker, share).astype(np.float16))


def test_in_half_precision(checkpoint: Path, worker: Worker) -> None:
    """bf16, the default on CUDA, keeps 8 bits: the logits stay within 5 % of the largest."""
    bf16 = load(checkpoint, None, "cpu", "bf16", 2)
    assert ask(bf16, {"op": "hello", "id": 1, "protocol": VERSION})[0]["dtype"] == "bf16"
    latents, timesteps = [np.ones(32, np.float32)], [0.5]
    share = chain([*SEQUENCE[:-1], -1], 0, latents=latents, timesteps=timesteps)
    wanted = logits_of(worker, share)
    np.testing.assert_allclose(logits_of(bf16, share), wanted, atol=0.05 * np.abs(wanted).max())


def test_a_stored_normalisation_wins(checkpoint: Path, adapter: ScenesAdapter, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "copy")
    stored = {"denoising.mean": torch.full((32,), 2.0), "denoising.deviation": torch.full((32,), 0.5)}
    save_file(load_file(folder / "model.safetensors") | stored, folder / "model.safetensors")
    with torch.inference_mode():
        found = ScenesAdapter(folder, torch.device("cpu"), torch.float32).noisy(torch.ones(1, 32), torch.tensor([0.5]))
        close(found.numpy(), (2.5 + adapter.timestep(torch.tensor([0.5]))).numpy())
