"""Windowed decoding of a batch, coupled by Gumbel noise, as `sjd2` does it (src/policies/sjd2.ts): for a follow head to
learn from, and to count the passes that it saves. Each image has a front of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ..adapters.scenes import ScenesAdapter
from ..models.transformer import PADDING, ScenesTransformer, rms
from .follow_head import Held

CONTEXT = 26  # committed entries that a follow head sees before the window: a row and two
FIRST_SEED = 1000  # of a shard's noise, and its name

Correct = Callable[["Images", Tensor], Tensor]


class Images:
    """What is known of B images. Entry e stands at position e - 1: entry 0 is begin-of-image."""

    def __init__(self, count: int, tokens: int, width: int, guidance: float) -> None:
        self.guidance = guidance
        self.front = torch.zeros(count, dtype=torch.int64)  # tokens that are committed, and the last entry of them
        self.now = torch.full((count, tokens + 1), -1)
        self.fed = torch.full((count, tokens + 1), -1)
        self.states = torch.zeros(count, tokens + 1, 4, width)  # last of both branches, middle of both

    def held(self, window: int) -> Held:
        places = self.front[:, None] - CONTEXT + 1 + torch.arange(CONTEXT + window)
        return view(self.now, self.fed, self.states, places, self.guidance)


def view(now: Tensor, fed: Tensor, states: Tensor, places: Tensor, guidance: float) -> Held:
    """The entries at `places` [B, L], which may reach beyond the image on either side."""
    last = now.shape[1] - 1
    inside = places.clamp(0, last)
    seen = (places >= 0) & (places <= last)
    codes = [torch.where(seen, x.gather(1, inside), -1) for x in (now, fed)]
    rows = inside[:, :, None, None].expand(-1, -1, *states.shape[2:])
    found = states.gather(1, rows).float() * seen[:, :, None, None]
    guided = (1 - guidance) * found[:, :, 1] + guidance * found[:, :, 0]
    positions = torch.where(places <= last, places - 1, last - 1)
    return Held(positions, codes[1], codes[0], found, guided)


class Taken(NamedTuple):
    """One pass, as it is recorded. E: entries of a pass."""

    entries: Tensor  # int64 [B, E]: which were fed
    fed: Tensor  # int64 [B, E]
    states: Tensor  # f16 [B, E, 4, width]
    drawn: Tensor  # int64 [B, E]: the code of the position after each
    front: Tensor  # int64 [B]: after the pass


def held_after(now: Tensor, before: Tensor, after: Tensor, drawn: Tensor) -> Tensor:
    """Codes that all entries hold once a pass has moved the fronts [B] and drawn the codes behind its entries [B, E].

    The last one lies beyond the window: it is kept where it is committed.
    """
    targets = before[:, None] + torch.arange(1, drawn.shape[1] + 1)
    kept = (targets <= torch.maximum(after, before + drawn.shape[1] - 1)[:, None]) & (targets < now.shape[1])
    return F.pad(now, (0, 1)).scatter(1, targets.where(kept, now.shape[1]), drawn)[:, :-1]


def gumbel(seed: int, count: int, tokens: int, codes: int) -> Tensor:
    """Noise f32 [count, tokens, codes]."""
    generator = torch.Generator().manual_seed(seed)
    return -torch.empty(count, tokens, codes).exponential_(generator=generator).log()


@torch.no_grad()
def decode(
    adapter: ScenesAdapter,
    prompts: Tensor,
    noise: Tensor,
    window: int,
    guidance: float,
    correct: Correct | None = None,
    record: Callable[[Taken], None] | None = None,
) -> tuple[Images, Tensor]:
    """Prompts int64 [B, prompt] to images, and how many passes each took, int64 [B].

    `correct` gives what all entries hold after a pass, [B, tokens + 1], for drafts that are to be fed next.
    """
    base = adapter.trained["transformer."]
    assert isinstance(base, ScenesTransformer)
    config = base.config
    count, tokens, before = len(prompts), config.image_tokens, config.prompt - 1
    images = Images(count, tokens, config.width, guidance)
    passes = torch.zeros(count, dtype=torch.int64)
    blank = prompts.clone()
    blank[:, : config.caption] = PADDING
    ids = torch.cat((prompts, blank))
    generator = torch.Generator().manual_seed(17)
    shape = (config.layers, 2 * count, config.heads, config.prompt + tokens, config.width // config.heads)
    keys, values = torch.zeros(shape), torch.zeros(shape)
    rows = torch.arange(2 * count)[:, None]

    def forward(embedded: Tensor, positions: Tensor) -> list[Tensor]:
        slots = positions + config.prompt
        length = int(slots.max()) + 1
        seen = (torch.arange(length) <= slots[:, :, None])[:, None]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys[layer][rows, :, slots] = k
            values[layer][rows, :, slots] = v
            known = keys[layer][:, :, :length], values[layer][:, :, :length]
            return F.scaled_dot_product_attention(q.transpose(1, 2), *known, seen).transpose(1, 2)

        x, found = embedded + base.place(positions), []
        rotary = base.rotary(positions, x.dtype)
        for layer, block in enumerate(base.blocks):
            x = block(x, layer, rotary, attend)
            if layer + 1 in (config.layers // 2, config.layers):
                found.append(rms(x))
        return found

    forward(base.embedding(ids[:, :before]), (torch.arange(before) - config.prompt).expand(2 * count, -1))
    while (images.front < tokens).any():
        entries = (images.front[:, None] + torch.arange(window + 1)).clamp(max=tokens)
        fed = images.now.gather(1, entries)
        latents = torch.randn(count, window + 1, config.width, generator=generator)
        embedded = adapter.noisy(latents.flatten(0, 1), torch.ones(latents[..., 0].numel())).view(latents.shape)
        code = base.embedding(fed.clamp(min=0) + config.first_code)
        embedded = torch.where((fed >= 0)[..., None], code, embedded)
        embedded = torch.where((entries == 0)[..., None], base.embedding(ids[:count, -1:]), embedded)
        middle, last = forward(embedded.repeat(2, 1, 1), (entries - 1).repeat(2, 1))
        states = torch.stack((*last.chunk(2), *middle.chunk(2)), 2)
        logits = base.head((1 - guidance) * states[:, :, 1] + guidance * states[:, :, 0])
        of_next = noise.gather(1, entries.clamp(max=tokens - 1)[:, :, None].expand(-1, -1, config.codes))
        drawn = (logits + of_next).argmax(-1)
        right = (drawn[:, :-1] == fed[:, 1:]).long().cumprod(-1).sum(-1)
        busy = images.front < tokens
        passes += busy
        front = torch.where(busy, (images.front + right + 1).clamp(max=tokens), images.front)
        images.fed.scatter_(1, entries, fed)
        images.states.scatter_(1, entries[:, :, None, None].expand(states.shape), states)
        images.now = held_after(images.now, images.front, front, drawn)
        images.front = front
        if record:
            record(Taken(entries, fed, states.half(), drawn, front))
        if correct:
            images.now = correct(images, noise)
    return images, passes


class Recorded(NamedTuple):
    """Decoded images with their passes, or some. P: those of the slowest image; the others stand still at the end."""

    seed: int  # of the noise
    prompts: Tensor  # int64 [B, prompt]
    codes: Tensor  # int64 [B, tokens]
    final: Tensor  # f16 [B, tokens + 1, 4, width]: states of entries with all that is right before them
    passes: Taken  # [P, B, ...]

    def after(self, taken: Tensor, image: Tensor, window: int, guidance: float) -> Held:
        """Entries as they are after passes `taken` of images `image`, int64 [N] both."""
        codes = F.pad(self.codes, (1, 0), value=-1)[image]
        places = torch.arange(codes.shape[1])
        entries, front = self.passes.entries[taken, image], self.passes.front[taken, image][:, None]
        fed = torch.where(places < entries[:, :1], codes, -1)
        fed.scatter_(1, entries, self.passes.fed[taken, image])
        states = self.final[image] * (places < entries[:, :1])[:, :, None, None]
        known = self.passes.states[taken, image]
        states.scatter_(1, entries[:, :, None, None].expand(known.shape), known)
        now = held_after(torch.full_like(codes, -1), entries[:, 0], front[:, 0], self.passes.drawn[taken, image])
        now = torch.where(places <= front, codes, now)
        return view(now, fed, states, front - CONTEXT + 1 + torch.arange(CONTEXT + window), guidance)


def record(
    adapter: ScenesAdapter, prompts: Tensor, seed: int, window: int, guidance: float, every: int = 1
) -> Recorded:
    """Decodes, and keeps every so many passes."""
    base = adapter.trained["transformer."]
    assert isinstance(base, ScenesTransformer)
    config = base.config
    noise = gumbel(seed, len(prompts), config.image_tokens, config.codes)
    passes: list[Taken] = []
    images, _ = decode(adapter, prompts, noise, window, guidance, record=passes.append)
    stacked = Taken(*(torch.stack(part) for part in zip(*passes[::every], strict=True)))
    return Recorded(seed, prompts, images.now[:, 1:], images.states.half(), stacked)


def load(folder: Path) -> list[Recorded]:
    """The shards of a folder, in order."""
    found = []
    for file in sorted(folder.glob("*.safetensors")):
        stored = load_file(file)
        passes = Taken(*(stored[name] for name in Taken._fields))
        found.append(Recorded(int(file.stem), stored["prompts"], stored["codes"], stored["final"], passes))
    return found


def main() -> None:
    """Records shards of decoded images, which `sjd2_worker.training.follow` reads."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    add = parser.add_argument
    add("--model", type=Path, required=True)
    add("--data", type=Path, required=True, help="what sjd2_worker.training.data wrote: prompts are taken from it")
    add("--out", type=Path, required=True, help="folder for shards; those that are there stay")
    add("--shards", type=int, default=20)
    add("--images", type=int, default=16, help="of a shard")
    add("--window", type=int, default=48)
    add("--guidance", type=float, default=3.0)
    add("--every", type=int, default=3, help="keep one of so many passes")
    arguments = parser.parse_args()
    adapter = ScenesAdapter(arguments.model, torch.device("cpu"), torch.float32)
    prompts = torch.from_numpy(np.load(arguments.data)["prompts"]).split(arguments.images)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for shard in range(arguments.shards):
        file = arguments.out / f"{shard + FIRST_SEED}.safetensors"
        if file.exists():
            continue
        made = record(
            adapter, prompts[shard], shard + FIRST_SEED, arguments.window, arguments.guidance, arguments.every
        )
        tensors = {"prompts": made.prompts, "codes": made.codes, "final": made.final, **made.passes._asdict()}
        part = file.with_suffix(".part")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part)
        part.replace(file)
        print(f"{file.name}: {len(prompts[shard])} images", flush=True)


if __name__ == "__main__":
    main()
