"""Lanes over a real tokenised prompt of any family: what an orchestrator sends of it, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sjd2_worker.protocol import Array, Head
from sjd2_worker.worker import Worker

from .helpers import ask

ANCHOR = -2


@dataclass
class Prompt:
    """A tokenised prompt in slots of its own: the conditional branch's, then the unconditional's if it is guided."""

    ids: list[list[int]]  # of each branch
    text: str
    vectors: int  # how many: ids from the vocabulary's end on stand for them
    slots: list[int]
    guidance: float | None = None
    committed: list[int] = field(default_factory=list)  # ids of the image


@dataclass
class Draft:
    """A prompt's share of a forward: entries behind what is committed, the last committed one first."""

    prompt: Prompt
    ids: Sequence[int] = ()
    positions: Sequence[int] | None = None  # None: one after the other
    visible: NDArray[np.bool_] | None = None  # of the ids among themselves; None: a chain
    latents: Sequence[Array] = ()  # for ids of -1
    timestep: float = 1.0


def tokenized(worker: Worker, text: str, slots: list[int], guidance: float | None = None) -> Prompt:
    """The prompt, all but its last token written to its slots."""
    reply, _ = ask(worker, {"op": "tokenize", "id": 1, "prompts": [text]})
    assert reply["ok"], reply
    said = reply["prompts"][0]
    branches = [said["conditional"], said["unconditional"]][: len(slots)]
    prompt = Prompt(branches, text, said.get("vectors", 0), slots, guidance)
    for slot, ids in zip(slots, branches, strict=True):
        if len(ids) > 1:
            lane = {"branches": [_branch(slot, 0, ids)], "entries": len(ids) - 1, "rows": 0, "visibility": "chain"}
            _forward(worker, [lane], ids[:-1], range(-len(ids), -1), [], [prompt])
    return prompt


def logits_of(worker: Worker, *drafts: Draft) -> list[Array]:
    """For each draft the logits of all its entries, [1 + ids, count]."""
    vocabulary = worker._adapter.card["vocabulary"]
    lanes: list[Head] = []
    tokens: list[int] = []
    positions: list[int] = []
    rows: list[int] = []
    masks: list[Array] = []
    shift = 0  # of the ids that name vectors: a request's are numbered over all prompts
    for draft in drafts:
        prompt, done = draft.prompt, len(draft.prompt.committed)
        own = [prompt.committed[-1] if done else ANCHOR, *draft.ids]
        tokens += own
        positions += [done - 1, *(draft.positions or range(done, done + len(draft.ids)))]
        rows += range(len(own))
        lane: Head = {
            "branches": [
                _branch(slot, len(ids) - 1 + done, [*ids[:-1], ids[-1] + (shift if ids[-1] >= vocabulary else 0)])
                for slot, ids in zip(prompt.slots, prompt.ids, strict=True)
            ],
            "entries": len(own),
            "rows": len(own),
            "visibility": "chain" if draft.visible is None else "mask",
        }
        if prompt.guidance is not None:
            lane["guidance"] = prompt.guidance
        if draft.visible is not None:
            mask = np.pad(draft.visible, ((1, 0), (1, 0)), constant_values=False)
            mask[:, 0] = True  # all see the entry that is committed
            masks.append(np.packbits(mask, axis=1, bitorder="little").ravel())
        lanes.append(lane)
        shift += prompt.vectors
    prompts = [draft.prompt for draft in drafts]
    latents = [latent for draft in drafts for latent in draft.latents]
    timesteps = [draft.timestep for draft in drafts for _ in draft.latents]
    logits = _forward(worker, lanes, tokens, positions, rows, prompts, latents, timesteps, masks)
    return np.split(logits, np.cumsum([1 + len(draft.ids) for draft in drafts])[:-1])


def decoded(worker: Worker, prompt: Prompt, choose: Callable[[Array, int], int]) -> list[int]:
    """Image codes of a whole image, one pass for each: `choose(logits, position)`."""
    card = worker._adapter.card
    first = card["image"]["first"]
    for position in range(len(card["layout"])):
        prompt.committed.append(first + choose(logits_of(worker, Draft(prompt))[0][0], position))
    return [number - first for number in prompt.committed]


def _branch(slot: int, base: int, ids: Sequence[int]) -> Head:
    return {"slot": slot, "base": base, "prompt": len(ids), "anchor": ids[-1]}


def _forward(
    worker: Worker,
    lanes: list[Head],
    tokens: Sequence[int],
    positions: Sequence[int],
    rows: Sequence[int],
    prompts: Sequence[Prompt],
    latents: Sequence[Array] = (),
    timesteps: Sequence[float] = (),
    masks: Sequence[Array] = (),
) -> Array:
    tensors = {
        **{
            name: np.array(values, np.int32)
            for name, values in (("tokens", tokens), ("positions", positions), ("rows", rows))
        },
        "latents": np.array(latents, np.float32).reshape(-1, worker._adapter.card["width"]),
        "timesteps": np.array(timesteps, np.float32),
        **({"mask": np.concatenate(masks)} if masks else {}),
    }
    vectors = [{"prompt": prompt.text, "count": prompt.vectors} for prompt in prompts if prompt.vectors]
    head = {"op": "forward", "id": 1, "lanes": lanes, "vectors": vectors, "logits": "f32"}
    reply, answered = ask(worker, head, tensors)
    assert reply["ok"], reply
    return answered["logits"]
