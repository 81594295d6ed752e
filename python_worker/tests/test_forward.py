"""What comes out of the slots is what the plain causal forward over the whole sequence gives, in fp32 within 1e-5."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sjd2_worker.adapters.scenes import ScenesAdapter
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


def test_latents_with_levels(worker: Worker, adapter: ScenesAdapter) -> None:
    """A noisy entry is mean + deviation * latent + the timestep's embedding; clean entries stand between."""
    timesteps = [0.25, 1.0, 0.5]
    latents = RANDOM.standard_normal((3, 32)).astype(np.float32)
    entries = embed(adapter, SEQUENCE).clone()
    own = adapter.embeddings
    with torch.inference_mode():
        steps = adapter._timestep(torch.tensor(timesteps))
    assert steps.abs().min() > 0
    entries[[6, 8, 9]] = own.mean + own.deviation * torch.from_numpy(latents) + steps
    tokens = [-1 if place in (6, 8, 9) else token for place, token in enumerate(SEQUENCE)]
    found = logits_of(worker, chain(tokens, 0, latents=list(latents), timesteps=timesteps))
    close(found, reference(adapter, entries))
    assert np.abs(found[6] - reference(adapter, embed(adapter, SEQUENCE))[6]).max() > 0.1


def test_latents_may_come_as_f16(worker: Worker) -> None:
    latents = [RANDOM.integers(-8, 8, 32).astype(np.float32) / 4]  # exact in f16
    share = Share([(0, 0)], [-1], [-4], [0], latents=latents, timesteps=[0.5])
    head, tensors = forward(share)
    _, halved = ask(worker, head, {**tensors, "latents": tensors["latents"].astype(np.float16)})
    np.testing.assert_array_equal(halved["logits"], logits_of(worker, share))


@pytest.mark.parametrize("guidance", [0.0, 1.0, 3.5])
def test_guidance_over_two_branches(worker: Worker, adapter: ScenesAdapter, guidance: float) -> None:
    """l_u + g (l_c - l_u); a lane of one branch beside it stays as it is. The unconditional slot comes first."""
    logits_of(worker, chain(PROMPT, 5, 0, 3), chain(EMPTY, 4, 0, 3), chain(OTHER, 6, 0, 3))
    image = [FIRST + 2, -1, FIRST + 4]
    latent = RANDOM.standard_normal(32).astype(np.float32)
    share = Share([(5, 3), (4, 3)], [-2, *image], [-1, 0, 1, 2], [0, 2, 3], guidance, [latent], [0.75])
    found = logits_of(worker, share, Share([(6, 3)], [-2, FIRST], [-1, 0], [1]))

    def branch(prompt: list[int]) -> np.ndarray:
        entries = embed(adapter, [*prompt, FIRST + 2, 0, FIRST + 4]).clone()
        with torch.inference_mode():
            entries[5] = adapter.noisy(torch.from_numpy(latent)[None], torch.tensor([0.75]))[0]
        return reference(adapter, entries)[[3, 5, 6]]

    conditional, unconditional = branch(PROMPT), branch(EMPTY)
    other = reference(adapter, embed(adapter, [*OTHER, FIRST]))[4:]
    close(found, np.concatenate([unconditional + guidance * (conditional - unconditional), other]))


def _paths(parents: list[int]) -> list[list[int]]:
    """Of each node of a tree, the nodes from the root to it."""
    paths: list[list[int]] = []
    for node, parent in enumerate(parents):
        paths.append([*(paths[parent] if parent >= 0 else []), node])
    return paths


def test_a_tree_and_what_is_kept_of_it(worker: Worker, adapter: ScenesAdapter) -> None:
    """Each node sees its ancestors only; afterwards one path's cells are kept and decoding goes on behind them."""
    parents = [-1, 0, 0, 1, 1, 2, 2, 3, 5]
    paths = _paths(parents)
    codes = [FIRST + code for code in (1, 2, 3, 4, 5, 0, 1, 2, 3)]
    mask = np.zeros((9, 9), bool)
    for node, path in enumerate(paths):
        mask[node, path] = True
    prefix = SEQUENCE[:6]
    wanted = [reference(adapter, embed(adapter, [*prefix, *(codes[n] for n in path)]))[-1] for path in paths]

    logits_of(worker, chain(prefix, 0), chain(prefix, 3))
    depth = [6 + len(path) - 1 for path in paths]
    tree = Share([(0, 6), (3, 6)], codes, [POSITIONS[d] for d in depth], list(range(9)), 2.0, mask=mask)
    close(logits_of(worker, tree), np.array(wanted))  # both branches are alike: guidance changes nothing

    kept = paths[8]  # 0, 2, 5, 8
    after = Share([(0, 10), (3, 10)], [FIRST, FIRST + 1], POSITIONS[10:12], [0, 1], 2.0, keep=[6 + n for n in kept])
    whole = [*prefix, *(codes[n] for n in kept), FIRST, FIRST + 1]
    close(logits_of(worker, after), reference(adapter, embed(adapter, whole))[10:])


def test_logits_as_f16(worker: Worker) -> None:
    share = chain(SEQUENCE, 0)
    _, tensors = ask(worker, *forward(share, logits="f16"))
    np.testing.assert_array_equal(tensors["logits"], logits_of(worker, share).astype(np.float16))
