"""Key/value slots: all cells are allocated once and written in place; attention reads them where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .adapters.base import Attend, CacheShape
from .passes import Pass, Stream

WASTE = 1.25  # streams are attended to together while padding adds at most this factor


class Slots:
    """`slots` slots of `shape.cells` cells; keys and values are [layers, slots * cells, heads, head_width] each."""

    def __init__(self, shape: CacheShape, slots: int, device: torch.device, dtype: torch.dtype) -> None:
        self.shape, self.slots = shape, slots
        size = (shape.layers, slots * shape.cells, shape.heads, shape.head_width)
        # zeros: padding reads cells that were never written, and nothing times NaN is NaN
        self._keys = torch.zeros(size, device=device, dtype=dtype)
        self._values = torch.zeros(size, device=device, dtype=dtype)

    @property
    def bytes(self) -> int:
        return self._keys.nbytes + self._values.nbytes

    def keep(self, cells: Tensor, targets: Tensor) -> None:
        """Copies `cells` to `targets` (int64 [K], counted over all slots), in every layer."""
        for cache in (self._keys, self._values):
            cache[:, targets] = cache[:, cells]

    def attention(self, plan: Pass) -> Attend:
        """What the model calls in each layer of this pass."""
        device, dtype = self._keys.device, self._keys.dtype
        cells = self._cells(plan.streams).to(device)
        groups = [_Group.of(streams, self.shape.cells, device, dtype) for streams in _together(plan.streams)]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = self._keys[layer], self._values[layer]
            keys[cells], values[cells] = k[0], v[0]
            if len(groups) == 1:
                return groups[0](q[0], keys, values)[None]
            return torch.cat([group(q[0], keys, values) for group in groups])[None]

        return attend

    def _cells(self, streams: list[Stream]) -> Tensor:
        """Where the entries are written: int64 [N], counted over all slots."""
        starts = ((s.slot * self.shape.cells + s.base, s.count) for s in streams)
        return torch.from_numpy(np.concatenate([np.arange(start, start + count) for start, count in starts]))


def _together(streams: list[Stream]) -> Iterator[list[Stream]]:
    """Runs of neighbouring slots, cut where padding to the longest would waste too much."""
    group: list[Stream] = []
    longest = end = work = 0
    for stream in streams:
        here = stream.base + stream.count
        padded = (len(group) + 1) * max(longest, stream.count) * max(end, here)
        if group and (stream.slot != group[-1].slot + 1 or padded > WASTE * (work + stream.count * here)):
            yield group
            group, longest, end, work = [], 0, 0, 0
        group.append(stream)
        longest, end, work = max(longest, stream.count), max(end, here), work + stream.count * here
    yield group


@dataclass(frozen=True)
class _Group:
    """B streams in neighbouring slots, attended to as a batch: T entries each, C cells each, padded where shorter."""

    first: int  # entry of the pass
    count: int
    slots: slice
    cells: int  # of a slot
    end: int  # C
    places: Tensor | None  # int64 [B * T]: the group's entry at each padded place; None where nothing is padded
    mask: Tensor | None  # [B or 1, 1, T, C], added to the scores; None where every entry sees all C cells
    batch: int

    @staticmethod
    def of(streams: list[Stream], cells: int, device: torch.device, dtype: torch.dtype) -> _Group:
        longest, end = max(s.count for s in streams), max(s.base + s.count for s in streams)
        first, count = streams[0].first, sum(s.count for s in streams)
        places = None
        if count != longest * len(streams):
            rows = [np.minimum(np.arange(longest), s.count - 1) + s.first - first for s in streams]
            places = torch.from_numpy(np.concatenate(rows)).to(device)
        alike = all((s.base, s.count, s.visible) == (streams[0].base, longest, None) for s in streams)
        hidden = np.stack([_hidden(s, longest, end) for s in (streams[:1] if alike else streams)])[:, None]
        mask = None
        if hidden.any():
            mask = torch.zeros(hidden.shape, device=device, dtype=dtype)
            mask.masked_fill_(torch.from_numpy(hidden).to(device), -torch.inf)
        slots = slice(streams[0].slot, streams[-1].slot + 1)
        return _Group(first, count, slots, cells, end, places, mask, len(streams))

    def __call__(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """q [N, heads, head_width] of the whole pass, keys and values of a layer -> [count, heads, head_width]."""
        q = q[self.first : self.first + self.count]
        padded = q if self.places is None else q[self.places]
        k, v = (x.unflatten(0, (-1, self.cells))[self.slots, : self.end].transpose(1, 2) for x in (keys, values))
        out = scaled_dot_product_attention(
            padded.unflatten(0, (self.batch, -1)).transpose(1, 2), k, v, attn_mask=self.mask, enable_gqa=q.shape[1] != k.shape[1]
        )
        out = out.transpose(1, 2).flatten(0, 1)
        return out if self.places is None else torch.empty_like(q).index_copy_(0, self.places, out)


def _hidden(stream: Stream, longest: int, end: int) -> np.ndarray:
    """Which of the first `end` cells an entry does not see: bool [longest, end]."""
    hidden = np.arange(end) > stream.base + np.minimum(np.arange(longest), stream.count - 1)[:, None]
    if stream.visible is not None:
        own = slice(stream.base, stream.base + stream.count)
        hidden[: stream.count, own] = ~stream.visible
        hidden[:, own.stop :] = True
    return hidden
