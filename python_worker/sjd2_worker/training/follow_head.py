"""Follow heads: what a pass would say of a window once more, after its drafts have changed, without another pass.

A pass predicts every position from the codes that were fed. Where a draft changes, all predictions behind it are of a
past that no longer holds. A follow head reads what the pass left behind (the hidden states of its entries), the codes
that were fed and the codes that are held now, and corrects the last hidden states. The model's own head makes logits of
them, the position's own Gumbel noise makes a draft. Drafts may come from anywhere: verification stays the model's.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..models.transformer import Block, ScenesTransformer, rms


class Held(NamedTuple):
    """Entries of an image after a pass, one after the other: L of them, some committed, then the window.

    The entry at position j holds the code of j and predicts that of j + 1.
    """

    positions: Tensor  # int64 [B, L], -1: begin-of-image, less: there is no such entry
    fed: Tensor  # int64 [B, L]: the code that was fed last, -1: noise, or nothing yet
    now: Tensor  # int64 [B, L]: the code that is held now, -1: not known
    states: Tensor  # f32 [B, L, S, width]: of the last pass that fed the entry, 0 where none has
    guided: Tensor  # f32 [B, L, width]: its last states of both branches, mixed as guidance mixes logits


STATES = 4  # of an entry: after the last block and after a middle one, of both branches


class FollowHead(nn.Module):
    """What the codes that are held mean for the last states: blocks like the model's over the entries of a window."""

    def __init__(self, base: ScenesTransformer, depth: int = 1) -> None:
        super().__init__()
        config = base.config
        self.base = [base]  # in a list: not a module of this one, so that it is neither trained nor saved here
        self.now = nn.Linear(config.width, config.width, bias=False)
        self.change = nn.Linear(config.width, config.width, bias=False)
        self.read = nn.Linear(STATES * config.width, config.width, bias=False)
        self.unknown = nn.Parameter(torch.zeros(2, config.width))  # no code now; none was fed
        self.blocks = nn.ModuleList(Block(config) for _ in range(depth))
        for own, last in zip(self.blocks, base.blocks[-depth:], strict=True):
            own.load_state_dict(last.state_dict())
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.sharpness = nn.Parameter(torch.ones(()))  # of logits, where noise is added
        self.stay = nn.Parameter(torch.ones(()))  # what is added for the code that the pass has drawn
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():  # begins as the base's last blocks on the middle states
            self.read.weight.zero_()[:, 2 * config.width : 3 * config.width] = 3 * torch.eye(config.width)

    def forward(self, held: Held) -> Tensor:
        """[B, L, width]. Entries attend causally."""
        base = self.base[0]
        now, fed = self.codes(held.now), self.codes(held.fed)
        x = self.now(now) + self.change(now - fed) + self.read(held.states.flatten(2))
        missing = torch.stack((held.now < 0, held.fed < 0), -1).to(x.dtype)
        x = x + missing @ self.unknown + base.place(held.positions.clamp(min=-1))
        length = x.shape[1]
        hidden = torch.ones(length, length).triu(1).bool() | (held.positions < -1)[:, None, :]
        hidden = (hidden & ~torch.eye(length).bool())[:, None]
        rotary = base.rotary(held.positions, torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype)

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q, k, v = (y.transpose(1, 2) for y in (q, k, v))
            scores = ((q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)).masked_fill(hidden, float("-inf"))
            return (torch.softmax(scores, -1).to(v.dtype) @ v).transpose(1, 2)

        for layer, block in enumerate(self.blocks):
            x = block(x, layer, rotary, attend)
        return self.out(rms(x))

    def codes(self, codes: Tensor) -> Tensor:
        """Embeddings, 0 where there is no code."""
        base = self.base[0]
        return base.embedding(codes.clamp(min=0) + base.config.first_code) * (codes >= 0)[..., None]


def fed_says(head: FollowHead, held: Held) -> Tensor:
    """What the codes that were fed mean, [B, L, width]; 0 where nothing was fed, for there is nothing to take back."""
    fed = (held.states != 0).any(-1).any(-1)[..., None]
    return head(held._replace(now=held.fed)) * fed


def corrected(head: FollowHead, held: Held, before: Tensor) -> Tensor:
    """Logits f32 [B, L, codes] of the position after each entry: the pass's own where no code before has changed."""
    return head.base[0].head(held.guided + head(held) - before).float()


def race(head: FollowHead, logits: Tensor, noise: Tensor, drawn: Tensor) -> Tensor:
    """Scores [B, L, codes], the highest wins: for logits and noise of the same positions, and the codes int64 [B, L]
    that the pass has drawn there, -1 where none. Most of these are right: a head that is not sure should leave them.
    """
    stays = (head.stay * (drawn >= 0))[..., None]
    return (head.sharpness * logits + noise).scatter_add(2, drawn.clamp(min=0)[..., None], stays)


def follow(head: FollowHead, held: Held, noise: Tensor, sweeps: int, first: int) -> Tensor:
    """What the entries hold after so many sweeps, int64 [B, L]: each draws all drafts by what the last one drew.

    `noise` f32 [B, L, codes]: that decides the entries' own positions. `first`: the first entry that may change.
    """
    free = torch.arange(held.now.shape[1]) >= first
    before, by_pass = fed_says(head, held), held.now[:, 1:]
    for _ in range(sweeps):
        logits = corrected(head, held, before)
        drawn = race(head, logits[:, :-1], noise[:, 1:], by_pass).argmax(-1)
        drawn = torch.cat((held.now[:, :1], drawn), 1)
        now = torch.where(free, drawn, held.now)
        if torch.equal(now, held.now):
            break
        held = held._replace(now=now)
    return held.now
