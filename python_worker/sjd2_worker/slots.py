"""Key/value slots: cells are allocated once, or by `grow`, and written in place; attention reads them there."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from .adapters.base import Attend, CacheShape
from .passes import Copies, Stream, round_up

WASTE = 1.25  # streams are attended to together while padding adds at most this factor

# cuDNN's attention plans anew for each shape of a pass, which takes longer than many passes
torch.backends.cuda.enable_cudnn_sdp(False)


class Slots:
    """Keys and values of all cells, [layers, slots, heads, cells, head_width] each."""

    def __init__(self, shape: CacheShape, slots: int, device: torch.device, dtype: torch.dtype) -> None:
        size = (shape.layers, slots, shape.heads, shape.cells, shape.head_width)
        # zeros: cells are read that were never written, and nothing times NaN is NaN
        self._keys = torch.zeros(size, device=device, dtype=dtype)
        self._values = torch.zeros(size, device=device, dtype=dtype)

    @property
    def bytes(self) -> int:
        return self._keys.nbytes + self._values.nbytes

    @property
    def cells(self) -> int:
        return self._values.shape[3]

    def grow(self, cells: int) -> None:
        """Makes room behind the cells that there are, which keep what they hold."""
        # one after the other, so that only one is there twice meanwhile; where memory ends at the second, `cells` stays
        self._keys = pad(self._keys, (0, 0, 0, cells - self._keys.shape[3]))
        self._values = pad(self._values, (0, 0, 0, cells - self._values.shape[3]))

    def copy(self, copies: Copies) -> None:
        """In every layer; all sources are read before a target is written."""
        slots, sources, targets = (self._index(x) for x in (copies.slots, copies.sources, copies.targets))
        for cache in (self._keys, self._values):
            cache[:, slots, :, targets] = cache[:, slots, :, sources]

    def clear(self, slots: list[int]) -> None:
        """Of what somebody left, a number that is none would spoil what only hides its cell."""
        for cache in (self._keys, self._values):
            for slot in slots:
                cache[:, slot].zero_()

    def place(self, streams: list[Stream], step: int = 1) -> Placement:
        """Cells are read in multiples of `step`: what there is besides the streams' is hidden."""
        slots = self._index(np.repeat([s.slot for s in streams], [s.count for s in streams]))
        cells = self._index(np.concatenate([np.arange(s.base, s.end) for s in streams]))
        return Placement(slots, cells, [self._batch(group, step) for group in _together(streams)])

    def attention(self, placement: Placement) -> Attend:
        """What the model calls in each layer of a pass."""
        slots, cells, batches = placement.slots, placement.cells, placement.batches
        masks: list[Tensor | None] = []

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = self._keys[layer], self._values[layer]
            keys[slots, :, cells], values[slots, :, cells] = k[0], v[0]
            if not masks:
                masks.extend(batch.mask(self._keys.dtype, q.shape[2] // k.shape[2]) for batch in batches)
            outputs = [batch.attend(q[0], keys, values, mask) for batch, mask in zip(batches, masks, strict=True)]
            return (outputs[0] if len(outputs) == 1 else torch.cat(outputs))[None]

        return attend

    def _batch(self, streams: list[Stream], step: int) -> Batch:
        first, last = streams[0], streams[-1]
        longest, end = max(s.count for s in streams), max(s.end for s in streams)
        cells = min(round_up(end, step), self.cells)
        padding = visible = None
        if any(s.count < longest for s in streams):
            places = [s.first - first.first + _own(s, longest) for s in streams]
            padding = self._index(np.concatenate(places))
        alike = all(s.base == first.base and s.count == first.count and s.visible is first.visible for s in streams)
        shown = streams[:1] if alike else streams
        if any(s.visible is not None for s in shown):
            before = min(round_up(max(s.before for s in shown), step), self.cells)
            visible = self._index(np.stack([_visible(s, longest, before) for s in shown]))
        return Batch(
            entries=slice(first.first, last.first + last.count),
            slots=slice(first.slot, last.slot + 1),
            cells=cells,
            all_seen=longest == 1 and all(s.end == cells and (s.visible is None or s.visible.all()) for s in streams),
            bases=self._index(np.array([s.base for s in shown])),
            own=self._index(np.stack([_own(s, longest) for s in shown])),
            visible=visible,
            padding=padding,
        )

    def _index(self, array: NDArray[np.int64] | NDArray[np.bool_]) -> Tensor:
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


def _own(stream: Stream, longest: int) -> NDArray[np.int64]:
    """Which of the stream's entries stands at each place where it is padded: int64 [longest]."""
    return np.minimum(np.arange(longest), stream.count - 1)


def _visible(stream: Stream, longest: int, before: int) -> NDArray[np.bool_]:
    """Which of the stream's entries, padded, sees what: bool [longest, before + longest]."""
    seen = np.tri(stream.count, dtype=bool) if stream.visible is None else stream.visible
    padded = np.pad(seen[_own(stream, longest)], ((0, 0), (0, longest - stream.count)))
    return np.pad(padded, ((0, 0), (before - stream.before, 0)), constant_values=True)


@dataclass(frozen=True)
class Placement:
    """Where the N entries of a pass are written, and what they see."""

    slots: Tensor  # int64 [N]
    cells: Tensor  # int64 [N]
    batches: list[Batch]

    @property
    def shape(self) -> Hashable:
        """All of it that is not in its tensors, and how large these are."""
        return tuple(batch.shape for batch in self.batches)

    @property
    def tensors(self) -> list[Tensor]:
        return [self.slots, self.cells, *(tensor for batch in self.batches for tensor in batch.tensors)]


@dataclass(frozen=True)
class Batch:
    """B streams in neighbouring slots, attended to at once: T entries and C cells each, padded where shorter."""

    entries: slice  # of the pass
    slots: slice
    cells: int  # C
    all_seen: bool  # every entry sees all C cells
    bases: Tensor  # int64 [B]; of this and the next two one row serves all streams that are alike
    own: Tensor  # int64 [B, T]: which of its stream's entries each is
    visible: Tensor | None  # bool [B, T, before + T]: who sees what; None where all are chains
    padding: Tensor | None  # int64 [B * T]: the batch's entry at each place; None where nothing is padded

    @property
    def shape(self) -> Hashable:
        parts = (self.slots, self.entries)
        bounds = tuple((part.start, part.stop) for part in parts)
        has = self.all_seen, self.visible is None or self.visible.shape, self.padding is None
        return bounds, self.cells, self.own.shape, has

    @property
    def tensors(self) -> list[Tensor]:
        return [tensor for tensor in (self.bases, self.own, self.visible, self.padding) if tensor is not None]

    def mask(self, dtype: torch.dtype, group: int) -> Tensor | None:
        """What is added to the scores, [B or 1, 1, group * T, C]; None where nothing is hidden."""
        if self.all_seen:
            return None
        entries = self.own.shape[1]
        offsets = (torch.arange(self.cells, device=self.bases.device) - self.bases[:, None])[:, None]  # [B, 1, C]
        if self.visible is None:
            hidden = offsets > self.own[..., None]
        else:
            before = self.visible.shape[2] - entries
            within = (offsets + before).clamp(0, before + entries - 1).expand(-1, entries, -1)
            hidden = (offsets >= entries) | ((offsets >= -before) & ~self.visible.gather(2, within))
        mask = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, -torch.inf)[:, None]
        return mask if group == 1 else mask.repeat(1, 1, group, 1)

    def attend(self, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """q [N, heads, head_width] of the whole pass; keys, values of a layer -> [entries, heads, head_width].

        The queries of a group, which share keys, are attended to as further entries: of the kernels that take a mask,
        not all know groups.
        """
        q = q[self.entries]
        padded = q if self.padding is None else q[self.padding]
        streams, heads = self.slots.stop - self.slots.start, keys.shape[1]
        groups = padded.view(streams, -1, heads, q.shape[1] // heads, q.shape[2]).permute(0, 2, 3, 1, 4)
        out = scaled_dot_product_attention(
            groups.flatten(2, 3), keys[self.slots, :, : self.cells], values[self.slots, :, : self.cells], attn_mask=mask
        )
        out = out.view(groups.shape).permute(0, 3, 1, 2, 4).reshape(-1, *q.shape[1:])
        # where a stream is padded, its last entry is computed more than once: any of the equal results may win
        return out if self.padding is None else torch.empty_like(q).index_copy_(0, self.padding, out)
