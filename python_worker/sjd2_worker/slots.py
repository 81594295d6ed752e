"""Key/value slots: all cells are allocated once and written in place; attention reads them where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .adapters.base import Attend, CacheShape
from .passes import Copies, Stream

WASTE = 1.25  # streams are attended to together while padding adds at most this factor


class Slots:
    """Keys and values of all cells, [layers, slots, heads, cells, head_width] each."""

    def __init__(self, shape: CacheShape, slots: int, device: torch.device, dtype: torch.dtype) -> None:
        size = (shape.layers, slots, shape.heads, shape.cells, shape.head_width)
        # zeros: padding reads cells that were never written, and nothing times NaN is NaN
        self._keys = torch.zeros(size, device=device, dtype=dtype)
        self._values = torch.zeros(size, device=device, dtype=dtype)

    @property
    def bytes(self) -> int:
        return self._keys.nbytes + self._values.nbytes

    def copy(self, copies: Copies) -> None:
        """In every layer; all sources are read before a target is written."""
        slots, sources, targets = (self._index(x) for x in (copies.slots, copies.sources, copies.targets))
        for cache in (self._keys, self._values):
            cache[:, slots, :, targets] = cache[:, slots, :, sources]

    def attention(self, streams: list[Stream]) -> Attend:
        """What the model calls in each layer of a pass."""
        slots = self._index(np.repeat([s.slot for s in streams], [s.count for s in streams]))
        cells = self._index(np.concatenate([np.arange(s.base, s.end) for s in streams]))
        batches = [_Batch.of(group, self._keys.device, self._keys.dtype) for group in _together(streams)]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = self._keys[layer], self._values[layer]
            keys[slots, :, cells], values[slots, :, cells] = k[0], v[0]
            outputs = [batch.attend(q[0], keys, values) for batch in batches]
            return (outputs[0] if len(outputs) == 1 else torch.cat(outputs))[None]

        return attend

    def _index(self, array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(self._keys.device)


def _together(streams: list[Stream]) -> Iterator[list[Stream]]:
    """Runs of neighbouring slots, cut where padding to the longest would waste too much."""
    group: list[Stream] = []
    for stream in streams:
        joined = [*group, stream]
        padded = len(joined) * max(s.count for s in joined) * max(s.end for s in joined)
        if group and (stream.slot != group[-1].slot + 1 or padded > WASTE * sum(s.count * s.end for s in joined)):
            yield group
            joined = [stream]
        group = joined
    yield group


@dataclass(frozen=True)
class _Batch:
    """B streams in neighbouring slots, attended to at once: T entries and C cells each, padded where shorter."""

    size: int  # B
    entries: slice  # of the pass
    slots: slice
    cells: int  # C
    padding: Tensor | None  # int64 [B * T]: the batch's entry at each padded place; None where nothing is padded
    mask: Tensor | None  # [B or 1, 1, T, C], added to the scores; None where every entry sees all C cells

    @staticmethod
    def of(streams: list[Stream], device: torch.device, dtype: torch.dtype) -> _Batch:
        first, last = streams[0], streams[-1]
        longest, cells = max(s.count for s in streams), max(s.end for s in streams)
        padding = None
        if any(s.count < longest for s in streams):
            rows = [s.first - first.first + np.minimum(np.arange(longest), s.count - 1) for s in streams]
            padding = torch.from_numpy(np.concatenate(rows)).to(device)
        alike = all(s.base == first.base and s.count == first.count and s.visible is first.visible for s in streams)
        hidden = np.stack([_hidden(s, longest, cells) for s in (streams[:1] if alike else streams)])
        mask = None
        if hidden.any():
            mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(torch.from_numpy(hidden), -torch.inf)
            mask = mask[:, None].to(device)
        entries, slots = slice(first.first, last.first + last.count), slice(first.slot, last.slot + 1)
        return _Batch(len(streams), entries, slots, cells, padding, mask)

    def attend(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """q [N, heads, head_width] of the whole pass; keys, values of a layer -> [entries, heads, head_width]."""
        q = q[self.entries]
        padded = q if self.padding is None else q[self.padding]
        out = scaled_dot_product_attention(
            padded.view(self.size, -1, *q.shape[1:]).transpose(1, 2),
            keys[self.slots, :, : self.cells],
            values[self.slots, :, : self.cells],
            attn_mask=self.mask,
            enable_gqa=q.shape[1] != keys.shape[1],
        )
        out = out.transpose(1, 2).flatten(0, 1)
        # where a stream is padded, its last entry is computed more than once: any of the equal results may win
        return out if self.padding is None else torch.empty_like(q).index_copy_(0, self.padding, out)


def _hidden(stream: Stream, longest: int, cells: int) -> NDArray[np.bool_]:
    """Which of the slot's first `cells` cells each of the stream's entries does not see: bool [longest, cells]."""
    entries = np.minimum(np.arange(longest), stream.count - 1)
    hidden: NDArray[np.bool_] = np.arange(cells) > stream.base + entries[:, None]
    if stream.visible is not None:
        hidden[:, stream.base : stream.end] = ~stream.visible[entries]
    return hidden
