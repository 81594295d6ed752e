"""Attention over the slots, held to plain attention stream by stream, whatever is batched together and padded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sjd2_worker.adapters.base import CacheShape
from sjd2_worker.passes import Copies, Stream
from sjd2_worker.slots import Slots

from .helpers import close

SHAPE = CacheShape(layers=2, cells=24, heads=2, head_width=4)
SLOTS = 6
CPU = torch.device("cpu")


def _filled(generator: torch.Generator) -> Slots:
    slots = Slots(SHAPE, SLOTS, CPU, torch.float32)
    for cache in (slots._keys, slots._values):
        cache.normal_(generator=generator)
    return slots


@st.composite
def _streams(draw: st.DrawFn) -> list[Stream]:
    """Some alike in all but what they see."""
    streams: list[Stream] = []
    first = 0
    counts, bases = st.integers(1, 9), st.integers(0, SHAPE.cells - 9)
    if draw(st.booleans()):
        counts, bases = st.just(draw(counts)), st.just(draw(bases))
    for slot in sorted(draw(st.sets(st.integers(0, SLOTS - 1), min_size=1))):
        count, base = draw(counts), draw(bases)
        seed, before = draw(st.none() | st.integers(0, 99)), draw(st.just(0) | st.integers(0, base))
        seen = np.random.default_rng(seed).random((count, before + count)) < 0.5
        visible = None if seed is None else seen | np.eye(count, before + count, before, dtype=bool)
        streams.append(Stream(slot, base, first, count, visible))
        first += count
    return streams


def _plain(stream: Stream, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q [T, heads, w]; k, v [heads, cells, w] with the stream's own entries written -> [T, heads, w]."""
    seen = torch.ones(stream.count, stream.end, dtype=torch.bool)
    own = np.tri(stream.count, dtype=bool) if stream.visible is None else stream.visible
    seen[:, stream.end - own.shape[1] :] = torch.from_numpy(own)
    k, v = (x[:, : stream.end].repeat_interleave(len(q[0]) // len(x), 0) for x in (k, v))
    return scaled_dot_product_attention(q.transpose(0, 1), k, v, attn_mask=seen).transpose(0, 1)


ALIKE = [Stream(n, 3, 2 * n, 2, seen) for n, seen in enumerate([None, np.eye(2, dtype=bool), np.ones((2, 2), bool)])]


@example(streams=ALIKE, seed=0, groups=1, step=1)
@given(streams=_streams(), seed=st.integers(0, 99), groups=st.sampled_from([1, 2]), step=st.sampled_from([1, 7]))
@settings(max_examples=50, deadline=None)
def test_attends_as_plain_attention_does(streams: list[Stream], seed: int, groups: int, step: int) -> None:
    """With `groups` queries per key (grouped-query attention where there are two), reading cells in steps."""
    generator = torch.Generator().manual_seed(seed)
    slots = _filled(generator)
    total = sum(stream.count for stream in streams)
    q = torch.randn(1, total, SHAPE.heads * groups, SHAPE.head_width, generator=generator)
    k, v = torch.randn(2, 1, total, SHAPE.heads, SHAPE.head_width, generator=generator)
    expected = [cache[1].clone() for cache in (slots._keys, slots._values)]
    found = slots.attention(slots.place(streams, step))(1, q, k, v)[0]
    for stream in streams:
        mine = slice(stream.first, stream.first + stream.count)
        for cache, new in zip(expected, (k, v), strict=True):
            cache[stream.slot, :, stream.base : stream.end] = new[0, mine].transpose(0, 1)
        wanted = _plain(stream, q[0, mine], expected[0][stream.slot], expected[1][stream.slot])
        close(found[mine].numpy(), wanted.numpy())
    for cache, wanted in zip((slots._keys, slots._values), expected, strict=True):
        assert torch.equal(cache[1], wanted)


def test_copies_read_before_they_write() -> None:
    slots = _filled(torch.Generator().manual_seed(0))
    before = slots._values.clone()
    slots.copy(Copies(*(np.array(x) for x in ([1, 1, 1, 4], [3, 4, 6, 2], [2, 3, 4, 1]))))
    wanted = before.clone()
    wanted[:, 1, :, [2, 3, 4]] = before[:, 1, :, [3, 4, 6]]
    wanted[:, 4, :, 1] = before[:, 4, :, 2]
    assert torch.equal(slots._values, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_takes_the_arithmetic_size(dtype: torch.dtype) -> None:
    assert Slots(SHAPE, SLOTS, CPU, dtype).bytes == 2 * 2 * SLOTS * 24 * 2 * 4 * dtype.itemsize
