"""Forwards of a shape that has come before, replayed as one: CUDA graphs.

A large model's pass is a thousand small kernels, and calling them one by one from Python may take longer than they run.
A graph is all of them in one call. It computes with the very tensors that it was recorded with, so what a pass brings
is copied into these first.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

import torch
from torch import Tensor

from .adapters.base import Entries
from .errors import ran_out_of_memory
from .slots import Placement

SHAPES = 256  # that are remembered, recorded or not; the one that was not used for the longest time is forgotten
TOLERANCE = 0.02  # how far a replay may be from what it repeats, of the largest logit

Forward = Callable[[Entries, Placement], Tensor]  # to logits, [R, count]
Replay = Callable[[], Tensor]
Record = Callable[[Callable[[], Tensor]], Replay]  # runs what it is given, at least once, and returns what repeats it


def cuda() -> Record:
    """Records CUDA graphs that share one pool of memory: a replay's result is valid until the next one."""
    pool = torch.cuda.graph_pool_handle()

    def record(run: Callable[[], Tensor]) -> Replay:
        # what is made at a first call, such as workspaces, must be there before; and not on the stream that records
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # another thread reads requests meanwhile
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            result = run()

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay

    return record


class _Recorded(NamedTuple):
    entries: Entries
    placement: Placement
    replay: Replay


class Graphs:
    """A forward that is recorded when a shape comes for the second time, and replayed from then on.

    A recording is used only if its first replay gives what the forward gave. Where one does not, or cannot be made,
    that is said on standard error, and nothing is recorded any more: passes then take longer, and are as right.
    """

    def __init__(self, forward: Forward, record: Record) -> None:
        self._forward = forward
        self._record: Record | None = record
        self._known: OrderedDict[Hashable, _Recorded | None] = OrderedDict()

    def __call__(self, entries: Entries, placement: Placement) -> Tensor:
        if self._record is None:
            return self._forward(entries, placement)
        shape = (tuple(tensor.shape for tensor in vars(entries).values()), placement.shape)
        come_before, recorded = shape in self._known, self._known.get(shape)
        if recorded:
            self._known.move_to_end(shape)
            return _replayed(recorded, entries, placement)
        logits = self._forward(entries, placement)
        self._known[shape] = self._recorded(entries, placement, logits) if come_before else None
        self._known.move_to_end(shape)
        if len(self._known) > SHAPES:
            self._known.popitem(last=False)
        return logits

    def _recorded(self, entries: Entries, placement: Placement, wanted: Tensor) -> _Recorded | None:
        """A recording whose replay gives `wanted`; it keeps the tensors of this pass."""
        assert self._record is not None
        try:
            found = _Recorded(entries, placement, self._record(lambda: self._forward(entries, placement)))
            away = (found.replay() - wanted).abs().max() / wanted.abs().max()
        except RuntimeError as error:
            if ran_out_of_memory(error):
                torch.cuda.empty_cache()
            self._stop(str(error).split("\n")[0])
            return None
        if away <= TOLERANCE:
            return found
        self._stop(f"a replay was {away:.2g} of the largest logit away from what it repeats")
        return None

    def _stop(self, reason: str) -> None:
        self._record = None
        self._known.clear()
        print(f"CUDA graphs are not used: {reason}.", file=sys.stderr, flush=True)


def _replayed(recorded: _Recorded, entries: Entries, placement: Placement) -> Tensor:
    pairs = [
        *zip(vars(recorded.entries).values(), vars(entries).values(), strict=True),
        *zip(recorded.placement.tensors, placement.tensors, strict=True),
    ]
    for mine, new in pairs:
        mine.copy_(new)
    return recorded.replay()
