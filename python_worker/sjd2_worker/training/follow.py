"""Trains a follow head on recorded passes: `python -m sjd2_worker.training.follow --passes DIR --out DIR`.

The base is frozen and is not run: its states are recorded. The head learns the distribution that the pass will give
once all that stands before a position is right, and which code wins there under the position's own noise; from the
true codes to the left, from those that a pass has drawn, and from those that the head itself makes of them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..adapters.scenes import ScenesAdapter
from ..models.transformer import ScenesTransformer
from .follow_head import FollowHead, Held, corrected, fed_says, follow, race
from .follow_passes import CONTEXT, Images, Recorded, decode, gumbel, load, view
from .loop import Plan, Schedule, run

DISTANCES = (0, 1, 2, 4, 8, 16, 32)
HELD_OUT = 2  # shards, the first ones
SWEEPS = (1, 2, 4)


class Batch(NamedTuple):
    """Images after passes. Entry l predicts the position after its own."""

    held: Held
    truth: Tensor  # int64 [B, L]: the code of the position after each entry
    target: Tensor  # f32 [B, L, codes]: log of the distribution that it is drawn from
    noise: Tensor  # f32 [B, L, codes]: that decides the entries' own positions
    learnt: Tensor  # bool [B, L]: whether the position after the entry is still to be decided

    def true_now(self) -> Tensor:
        """The codes that entries should hold."""
        free = torch.arange(self.truth.shape[1]) >= CONTEXT
        return torch.where(free, self.truth.roll(1, 1), self.held.now)


def batch_of(
    base: ScenesTransformer,
    recorded: Recorded,
    noise: Tensor,
    taken: Tensor,
    image: Tensor,
    window: int,
    guidance: float,
) -> Batch:
    """Images `image` after passes `taken`, int64 [B] both; `noise` f32 [images, tokens, codes]."""
    tokens = recorded.codes.shape[1]
    held = recorded.after(taken, image, window, guidance)
    codes = F.pad(recorded.codes, (1, 0), value=-1)[image]
    front = recorded.passes.front[taken, image][:, None]
    entries = front - CONTEXT + 1 + torch.arange(held.now.shape[1])
    with torch.no_grad():
        final = view(codes, codes, recorded.final[image], entries, guidance)
        target = base.head(final.guided).float().log_softmax(-1)
    truth = recorded.codes[image].gather(1, entries.clamp(0, tokens - 1))
    own = noise[image[:, None], (entries - 1).clamp(0, tokens - 1)]
    return Batch(held, truth, target, own, (entries >= front) & (entries < tokens))


def loss_of(head: FollowHead, batch: Batch, source: Tensor) -> tuple[Tensor, dict[str, float]]:
    """`source` int64 [B]: what is held is 0 the truth, 1 what the head makes of the drafts in a sweep, 2 the drafts."""
    held = batch.held
    now = torch.where((source == 0)[:, None], batch.true_now(), held.now)
    if (own := source == 1).any():
        with torch.no_grad():
            now[own] = follow(head, Held(*(part[own] for part in held)), batch.noise[own], 1, CONTEXT)
    logits = corrected(head, held._replace(now=now), fed_says(head, held))
    learnt = batch.learnt[:, :-1]
    scores = race(head, logits[:, :-1], batch.noise[:, 1:], held.now[:, 1:])[learnt]
    logits, target, truth = (x[:, :-1][learnt] for x in (logits, batch.target, batch.truth))
    divergence = F.kl_div(logits.log_softmax(-1), target, log_target=True, reduction="batchmean")
    won = F.cross_entropy(scores, truth)
    return divergence + won, {"divergence": divergence.item() / math.log(2), "race": won.item() / math.log(2)}


class Correction:
    """A follow head between the passes of `decode`. Positions that no pass has fed get drafts, too, not noise."""

    def __init__(self, head: FollowHead, window: int, sweeps: int) -> None:
        self._head, self._window, self._sweeps = head, window, sweeps

    def __call__(self, images: Images, noise: Tensor) -> Tensor:
        held = images.held(self._window)
        own = held.positions.clamp(0, noise.shape[1] - 1)[:, :, None].expand(-1, -1, noise.shape[2])
        now = follow(self._head, held, noise.gather(1, own), self._sweeps, CONTEXT)
        last = images.now.shape[1]
        places = images.front[:, None] - CONTEXT + 1 + torch.arange(now.shape[1])
        places = places.where((places > images.front[:, None]) & (places < last), last)
        return F.pad(images.now, (0, 1)).scatter(1, places, now)[:, :-1]


@torch.no_grad()
def measure(head: FollowHead, batches: Sequence[Batch]) -> str:
    """How many drafts are right, by distance from the front, and how many in a row from there; before and after."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    behind = torch.zeros(6)
    for batch in batches:
        held, learnt = batch.held, batch.learnt[:, CONTEXT - 1 : -1]
        true_left = corrected(head, held._replace(now=batch.true_now()), fed_says(head, held))
        says = {
            "held": held.now[:, 1:],
            "true left": race(head, true_left[:, :-1], batch.noise[:, 1:], held.now[:, 1:]).argmax(-1),
        }
        says |= {f"sweeps {k}": follow(head, held, batch.noise, k, CONTEXT)[:, 1:] for k in SWEEPS}
        for name, codes in says.items():
            found.setdefault(name, []).append(((codes == batch.truth[:, :-1])[:, CONTEXT - 1 :], learnt))
        changed = batch.learnt & (held.fed >= 0) & (held.fed != batch.true_now())
        truth, before = batch.truth[changed], head.base[0].head(held.guided).float()
        bits = [
            F.cross_entropy(logits[changed], truth, reduction="sum") / math.log(2)
            for logits in (before, true_left, batch.target)
        ]
        hits = [((says[n] == batch.truth[:, :-1]) & changed[:, :-1]).sum() for n in ("held", "true left")]
        behind += torch.stack([changed.sum(), *hits, *bits])
    text = [f"{'distance':>12}" + "".join(f"{d:7d}" for d in DISTANCES) + "    run"]
    for name, rows in found.items():
        right, learnt = (torch.cat(part) for part in zip(*rows, strict=True))
        shares = [float(right[learnt[:, d], d].float().mean()) for d in DISTANCES]
        run_of = float((right & learnt).long().cumprod(-1).sum(-1).float().mean())
        text.append(f"{name:>12}" + "".join(f"{share:7.3f}" for share in shares) + f"{run_of:7.2f}")
    count, *rest = behind.tolist()
    names = ("held right", "true left right", "held bits", "true left bits", "bits at best")
    numbers = ", ".join(f"{name} {value / count:.3f}" for name, value in zip(names, rest, strict=True))
    return "\n".join([*text, f"behind a left code that has changed ({count:.0f}): {numbers}"])


def optimisers(head: FollowHead, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for the rest, which `rate` is of."""
    matrices = [module.weight for module in head.modules() if isinstance(module, torch.nn.Linear)]
    rest = [p for p in head.parameters() if not any(p is matrix for matrix in matrices)]
    return [
        torch.optim.Muon(matrices, lr=rate * 20 / 3, momentum=0.95, weight_decay=0.02),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.97), weight_decay=0.0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, required=True, help="the checkpoint that stays what it is")
    add("--passes", type=Path, required=True, help="what sjd2_worker.training.follow_passes wrote")
    add("--out", type=Path, required=True, help="folder for the state, the record, the tables")
    add("--depth", type=int, default=1, help="blocks of the head")
    add("--window", type=int, default=48)
    add("--guidance", type=float, default=3.0, help="that the passes were recorded with")
    add("--steps", type=int, default=1000)
    add("--batch", type=int, default=16)
    add("--rate", type=float, default=1e-3)
    add("--decay", type=float, default=0.7)
    add("--measure", type=int, default=100, help="steps between two tables, and two states")
    add("--count", type=int, nargs="*", default=[], help="at the end, passes of held-out images at so many sweeps")
    arguments = parser.parse_args()
    torch.manual_seed(7)
    adapter = ScenesAdapter(arguments.model, torch.device("cpu"), torch.float32)
    base = adapter.trained["transformer."]
    assert isinstance(base, ScenesTransformer)
    base.requires_grad_(False)
    head = FollowHead(base, arguments.depth)
    shards, config = load(arguments.passes), base.config
    noises = [gumbel(shard.seed, len(shard.codes), config.image_tokens, config.codes) for shard in shards]

    def draw(number: int, own: range) -> Batch:
        generator = torch.Generator().manual_seed(number)
        shard = own[int(torch.randint(len(own), (), generator=generator))]
        going = (shards[shard].passes.front < config.image_tokens).nonzero()
        taken, image = going[torch.randint(len(going), (arguments.batch,), generator=generator)].T
        return batch_of(base, shards[shard], noises[shard], taken, image, arguments.window, arguments.guidance)

    checks = [draw(10**6 + number, range(HELD_OUT)) for number in range(20)]

    def loss(number: int) -> tuple[Tensor, dict[str, float]]:
        source = torch.arange(arguments.batch) * 4 // arguments.batch - 1  # half of them the truth
        with torch.autocast("cpu", torch.bfloat16):
            return loss_of(head, draw(number, range(HELD_OUT, len(shards))), source.clamp(min=0))

    def saved(step: int) -> dict[str, float]:
        table = measure(head, checks)
        print(f"step {step}\n{table}", flush=True)
        (arguments.out / f"table-{step}.txt").write_text(table + "\n")
        return {}

    arguments.out.mkdir(parents=True, exist_ok=True)
    said = {name: getattr(arguments, name) for name in ("depth", "window", "guidance", "batch", "rate")}
    schedule = Schedule(arguments.steps, arguments.decay)
    plan = Plan("follow", schedule, arguments.out / "state.safetensors", arguments.measure, settings=said)
    run(plan, dict(head.named_parameters()), optimisers(head, arguments.rate), loss, saved)
    for sweeps in arguments.count:
        correct = Correction(head, arguments.window, sweeps) if sweeps else None
        prompts = shards[0].prompts
        _, passes = decode(adapter, prompts, noises[0], arguments.window, arguments.guidance, correct)
        print(f"{sweeps} sweeps: {passes.float().mean():.2f} passes", flush=True)


if __name__ == "__main__":
    main()
