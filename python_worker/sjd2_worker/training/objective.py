"""Next-clean-token prediction (arXiv 2510.08994, section 3) for any adapter's model.

Noisy and wrongly drafted windows beside each clean sequence; the target is always the clean next token. Wrong drafts
are the model's own, as Gumbel coupling draws them, by noise under which the true tokens would have been drawn: from
what the model says of a window of pure noise, or once more from what it says of those drafts; now and then the token
above. Forced tokens of a layout are fed as they are, and nothing is learnt from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..adapters.base import Entries
from .examples import Examples, Prompt
from .subject import Subject
from .windows import COUNT, PackedAttention, draw_window

COPIED = 0.1  # share of the wrong drafts that are the token above
LEVELS = 4  # ranges of timesteps, by which the loss is reported

Losses = Mapping[str, float]  # in bits: clean, noised, drafted, and noised by the range of timesteps


def posterior_gumbel(log_p: Tensor, outcome: Tensor, generator: torch.Generator) -> Tensor:
    """Gumbel noise [..., V] as it is where `argmax log_p + noise` has turned out to be `outcome` [...].

    The maximum is Gumbel distributed, and all others are cut off below it (A* sampling, arXiv 1411.0030, section 2).
    """

    def gumbel(shape: torch.Size) -> Tensor:
        return -torch.empty(shape, device=log_p.device).exponential_(generator=generator).log()

    highest = gumbel(outcome.shape)[..., None]
    others = -torch.logaddexp(-highest, -(log_p + gumbel(log_p.shape)))
    return others.scatter(-1, outcome[..., None], highest) - log_p


class Objective:
    """The loss of a batch. Everything random in it is a function of the seed and the batch's number."""

    def __init__(self, subject: Subject, examples: Examples, seed: int, window: int, mixed: bool) -> None:
        """`mixed`: arithmetic in bf16, whatever the weights are."""
        card = subject.adapter.card
        self._subject, self._examples, self._seed, self._mixed = subject, examples, seed, mixed
        self._device, self._columns = subject.table.device, card["grid"]["columns"]
        self._layout = torch.tensor(card["layout"], device=self._device)
        self._free = self._layout == -1
        self._number = (self._free.cumsum(0) - 1).clamp(min=0)  # of the image token at each position of the layout
        self._length = min(window, len(self._layout))
        self._attend = PackedAttention(len(self._layout) - 1, self._length, COUNT, self._device)

    def __call__(self, number: int) -> tuple[Tensor, Losses]:
        rng = np.random.default_rng((self._seed, 2, number))
        generator = torch.Generator(self._device).manual_seed(self._seed * 1_000_003 + number)
        subject, layout, end = self._subject, self._layout, len(self._layout)
        subject.measure()
        prompts, codes = self._examples(number)
        codes = codes.to(self._device)
        windows = [draw_window(rng, end, self._length) for _ in range(COUNT)]
        starts = [window.start for window in windows]
        self._attend.see([len(prompt) for prompt in prompts], starts)
        reached = torch.cat([torch.arange(start, start + self._length) for start in starts]).to(self._device)
        places = reached.clamp(max=end - 1)
        free, numbers = self._free[places], self._number[places]
        timesteps, wrong = (
            torch.from_numpy(np.concatenate([getattr(window, name) for window in windows])).to(self._device) * free
            for name in ("timesteps", "wrong")
        )
        shape = (len(codes), len(places), subject.adapter.card["width"])
        noise = torch.randn(shape, generator=generator, device=self._device)
        truth = codes[:, numbers]

        def logits(held: Tensor, levels: Tensor) -> Tensor:
            """Of a window that holds these codes [B, K], at these levels [K]: [B, R, count]."""
            ids = torch.where(free, held + subject.first, layout[places])
            return self._logits(prompts, codes, subject.noisy(ids, noise, levels), places)

        def predictions(output: Tensor) -> Tensor:
            """Of the windows' own places [B, K, count]: the entry at position j predicts j + 1."""
            inside = output[:, end:].unflatten(1, (COUNT, self._length))[:, :, :-1]
            return torch.cat((output[:, starts, None], inside), 2).flatten(1, 2)

        with torch.no_grad():
            blind = logits(truth, free.float()).log_softmax(-1)
            race = posterior_gumbel(blind[:, :end][:, places], truth, generator)
            drafts = (predictions(blind) + race).argmax(-1)
            twice = bool(rng.integers(0, 2))
            if twice or subject.shared:  # processes that share weights must run the model equally often
                refined = logits(drafts, torch.zeros_like(timesteps)).log_softmax(-1)
                drafts = (predictions(refined) + race).argmax(-1) if twice else drafts
            above = codes[:, (numbers - self._columns).clamp(min=0)]
            copied = torch.rand(drafts.shape, generator=generator, device=self._device) < COPIED
            replaced = torch.rand(drafts.shape, generator=generator, device=self._device) < wrong
            held = torch.where(replaced, torch.where(copied, above, drafts), truth)
        output = logits(held, timesteps)
        on_clean = F.cross_entropy(output[:, :end][:, self._free].flatten(0, 1), codes.flatten())
        following = (places + 1).clamp(max=end - 1)
        learnt = (reached + 1 < end) & self._free[following]
        targets = codes[:, self._number[following]]
        each = F.cross_entropy(output[:, end:].transpose(1, 2), targets, reduction="none")
        shares = {"noised": learnt & (timesteps > 0), "drafted": learnt & (timesteps == 0)}
        for level in range(LEVELS):
            within = (timesteps > level / LEVELS) & (timesteps <= (level + 1) / LEVELS)
            shares[f"noised {level / LEVELS:g}-{(level + 1) / LEVELS:g}"] = learnt & within
        losses = {"clean": on_clean.item() / math.log(2)}
        losses |= {n: each[:, s].mean().item() / math.log(2) for n, s in shares.items() if s.any()}
        return on_clean + each[:, learnt].sum() / codes.numel(), losses

    def _logits(self, prompts: list[Prompt], codes: Tensor, window: Tensor, places: Tensor) -> Tensor:
        """Rows of prompt, clean image and `window` [B, K, width]: logits of the entries that predict the image, then of
        the windows' entries, [B, R, count].
        """
        adapter, end = self._subject.adapter, len(self._layout)
        ids = torch.where(self._free, codes[:, self._number] + self._subject.first, self._layout)[:, :-1]
        lengths = [len(prompt) + end - 1 for prompt in prompts]
        known = torch.cat([part for prompt, row in zip(prompts, ids, strict=True) for part in (prompt.ids, row)])
        clean = adapter.embed(known).split(lengths)
        image = torch.arange(end - 1, device=self._device)
        entries, positions, shifts, rows, first = [], [], [], [], 0
        for prompt, own, beside in zip(prompts, clean, window, strict=True):
            size = len(prompt)
            entries += [prompt.vectors, own[size:], beside] if prompt.vectors is not None else [own, beside]
            positions += [torch.arange(-size, 0, device=self._device), image, places]
            shifts.append(size)
            beyond = first + size + end - 1 + len(places)
            rows.append(torch.arange(first + size - 1, beyond, device=self._device))
            first = beyond
        packed, at = torch.cat(entries), torch.cat(positions)
        counts = torch.tensor([length + len(places) for length in lengths], device=self._device)
        prompt_of = torch.tensor(shifts, device=self._device).repeat_interleave(counts, output_size=len(at))
        with self._arithmetic():
            output = adapter.forward(Entries(packed, at, at + prompt_of, torch.cat(rows)), self._attend)
        return output.float().unflatten(0, (len(prompts), -1))

    def _arithmetic(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device.type, torch.bfloat16) if self._mixed else nullcontext()
