"""Noisy entries that read the noise which decides: low-rank additions, and races inside the network.

Under Gumbel coupling the token of position j is `argmax_v log p_j(v) + g_j(v)`, and the noise g_j is known before the
model has run. A race is a layer that does this lookup exactly instead of learning it: an early head guesses log p_j
from the entry to the left (which predicts position j) and from the entry itself, the position's own noise is added,
and the mixture of code embeddings that wins is added to the entry. All later entries attend to it in the next block,
so a pass with R races can follow a change over R positions and more.

Everything here acts on noisy entries only. The frozen base computes clean entries as it always did, to the bit, and
noisy entries read its keys and values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.transformer import Block, ScenesTransformer, rms, rotate


@dataclass(frozen=True)
class Clean:
    """What the frozen base computed of the clean entries, one item per block."""

    keys: list[Tensor]  # [B, heads, head_width, T] each
    values: list[Tensor]  # [B, heads, T, head_width] each
    hidden: list[Tensor]  # [B, T, width]: the entries after the block
    logits: Tensor  # f32 [B, T, codes]


class Windows(NamedTuple):
    """Noisy entries: F windows of W entries beside each of B sequences. Window f stands behind clean entry `fronts`."""

    fronts: Tensor  # int64 [B, F]: position of the last clean entry that the window sees, -1: begin-of-image
    positions: Tensor  # int64 [B, F, W]: fronts + 1, fronts + 2, …
    noise: Tensor  # f32 [B, F, W, codes]: the Gumbel noise that decides the entry's own position


class Read(NamedTuple):
    """What noisy entries say."""

    logits: Tensor  # f32 [B, F, W, codes], of the position after the entry's own
    own: list[Tensor]  # f32 [B, F, W, codes] per race: early logits of the entry's own position, without its noise


def clean_pass(base: ScenesTransformer, ids: Tensor, positions: Tensor) -> Clean:
    """Ids and positions [B, T] by plain causal attention."""
    keys, values, hidden = [], [], []

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        keys.append(k.transpose(2, 3).contiguous())
        values.append(v.contiguous())
        return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)

    x = base.embedding(ids) + base.place(positions)
    rotary = base.rotary(positions, torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype)
    for layer, block in enumerate(base.blocks):
        x = block(x, layer, rotary, attend)
        hidden.append(x)
    return Clean(keys, values, hidden, base.head(rms(x)).float())


def early_heads(base: ScenesTransformer, clean: Clean) -> dict[int, Tensor]:
    """Heads [codes, width] by the number of blocks before them: what a linear map finds of the last block's entries in
    those of an earlier one (a tuned lens, arXiv 2303.08112, by least squares), then the model's own head.
    """
    known = [rms(hidden[:, base.config.prompt - 1 :].float()).flatten(0, 1) for hidden in clean.hidden]
    ridge = 0.1 * torch.eye(base.config.width)
    maps = [torch.linalg.solve(x.T @ x + ridge, x.T @ known[-1]) for x in known]
    return {depth: base.head.weight @ matrix.T for depth, matrix in enumerate(maps, 1)}


class LowRank(nn.Module):
    """`W x + B A x` for the noisy entries; W is the base's and stays. B starts as zero."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self._base = [base]  # in a list: not a module of this one, so that it is neither trained nor saved here
        self.a = nn.Parameter(torch.randn(rank, base.in_features) * base.in_features**-0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self._base[0].weight + self.b @ self.a)


class _Additions(nn.Module):
    """Those of one block."""

    def __init__(self, block: Block, rank: int) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o, self.up, self.down = (
            LowRank(linear, rank) for linear in (block.q, block.k, block.v, block.o, block.up, block.down)
        )


class Race(nn.Module):
    """Decides the entries' own positions, and tells the entries.

    A sweep lets each entry see what the one to its left has become in the sweep before, without attention: so many
    positions one race can follow.
    """

    def __init__(self, head: Tensor, width: int, sweeps: int) -> None:
        """`head`: what the early head starts as, [codes, width]."""
        super().__init__()
        self.sweeps = sweeps
        self.left = nn.Parameter(head.detach().clone())
        self.own = nn.Parameter(torch.zeros_like(head))
        self.sharpness = nn.Parameter(torch.ones(()))
        self.back = nn.Parameter(torch.eye(width))
        self.across = nn.Parameter(torch.zeros(width, width))
        self.up = nn.Parameter(torch.randn(2 * width, width) * width**-0.5)
        self.down = nn.Parameter(torch.zeros(width, 2 * width))

    def forward(self, x: Tensor, front: Tensor, noise: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """Entries [B, F, W, width] and the clean ones before them [B, F, width], to entries and own logits."""
        own, state = F.linear(rms(x), self.own), x
        for _ in range(self.sweeps):
            left = rms(torch.cat((front[:, :, None], state[:, :, :-1]), 2))
            logits = (F.linear(left, self.left) + own).float()
            winner = torch.softmax(self.sharpness * (logits + noise), -1).to(table.dtype) @ table
            told = x + F.linear(winner, self.back) + F.linear(left, self.across)
            state = told + F.linear(F.relu(F.linear(rms(told), self.up)).square(), self.down)
        return state, logits


class NoisyStream(nn.Module):
    """Noisy entries through a frozen base, with additions of their own. At first it computes what the base does."""

    def __init__(
        self,
        base: ScenesTransformer,
        blank: Tensor,
        rank: int,
        sweeps: Mapping[int, int],
        heads: Mapping[int, Tensor] | None = None,
    ) -> None:
        """`blank` [width]: what an undecided entry holds to begin with. `sweeps`: of the races, by the number of blocks
        before them. `heads`: what the early heads start as, by the same number; as the model's own where there is none.
        """
        super().__init__()
        self._base = [base]
        config = base.config
        table = base.embedding.weight[config.first_code :].detach().float()
        self.register_buffer("table", table - table.mean(0), persistent=False)
        self.blank = nn.Parameter(blank.detach().clone())
        self.told = nn.Parameter(torch.zeros(config.width, config.width))
        self.blocks = nn.ModuleList(_Additions(block, rank) for block in _blocks(base))
        races = {
            str(depth): Race((heads or {}).get(depth, base.head.weight), config.width, count)
            for depth, count in sweeps.items()
        }
        self.races = nn.ModuleDict(races)

    table: Tensor

    def entries(self, drafts: Tensor) -> Tensor:
        """What entries hold that carry the drafts [B, F, W] of an earlier pass, -1 where there is none."""
        told = F.linear(self.table[drafts.clamp(min=0)], self.told)
        return self.blank + told * (drafts >= 0)[..., None]

    def forward(self, windows: Windows, clean: Clean, entries: Tensor | None = None) -> Read:
        """`entries` [B, F, W, width]: what the entries hold instead of the blank."""
        base = self._base[0]
        batch, fronts, width = windows.positions.shape
        flat = windows.positions.view(batch, -1)
        x = (self.blank if entries is None else entries) + base.place(flat).view(batch, fronts, width, -1)
        rotary = base.rotary(flat, torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype)
        last = windows.fronts + base.config.prompt  # of the clean entries that a window sees, by number
        beyond = torch.arange(clean.keys[0].shape[-1]) > last[:, :, None]  # [B, F, T]
        later = torch.ones(width, width).triu(1).bool()
        hidden = torch.cat(
            (beyond[:, :, None].expand(-1, -1, width, -1), later.expand(batch, fronts, -1, -1)), -1
        )  # [B, F, W, T + W]
        own: list[Tensor] = []
        for layer, (block, own_block) in enumerate(zip(_blocks(base), self.blocks, strict=True)):
            assert isinstance(own_block, _Additions)
            x = _through(x, own_block, block, rotary, clean.keys[layer], clean.values[layer], hidden)
            if str(layer + 1) in self.races:
                rows = last[:, :, None].expand(-1, -1, x.shape[-1])
                front = clean.hidden[layer].gather(1, rows)
                x, logits = self.races[str(layer + 1)](x, front, windows.noise, self.table)
                own.append(logits)
        return Read(base.head(rms(x)).float(), own)


def _blocks(base: ScenesTransformer) -> list[Block]:
    return [block for block in base.blocks if isinstance(block, Block)]


def _through(
    x: Tensor, linear: _Additions, base: Block, rotary: tuple[Tensor, ...], known: Tensor, held: Tensor, hidden: Tensor
) -> Tensor:
    """Noisy entries [B, F, W, width] through one block; `known` and `held`: the clean entries' keys and values."""
    h, heads = rms(x), base.heads
    batch, fronts, width, _ = x.shape
    shape = (batch, fronts * width, heads, -1)
    q = rotate(rms(linear.q(h).view(shape)) * base.sharpness.to(h.dtype), *rotary[:2])
    k = rotate(rms(linear.k(h).view(shape)), *rotary[2:])
    v = linear.v(h).view(shape)
    q = (q * q.shape[-1] ** -0.5).transpose(1, 2)  # [B, heads, F * W, head_width]
    k, v = (y.transpose(1, 2).unflatten(2, (fronts, width)) for y in (k, v))
    on_clean = (q @ known.to(q.dtype)).unflatten(2, (fronts, width))
    on_own = q.unflatten(2, (fronts, width)) @ k.transpose(-1, -2)
    scores = torch.cat((on_clean, on_own), -1).masked_fill(hidden[:, None], float("-inf"))
    weights = torch.softmax(scores, -1).to(v.dtype)
    seen = weights[..., : known.shape[-1]].flatten(2, 3) @ held.to(v.dtype)
    seen = (seen + (weights[..., known.shape[-1] :] @ v).flatten(2, 3)).transpose(1, 2)
    x = x + linear.o(seen.reshape(x.shape))
    return x + linear.down(F.relu(linear.up(rms(x))).square())
