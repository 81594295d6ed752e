"""Forwards of a shape that has come before, replayed as one: CUDA graphs.

A large model's pass is a thousand small kernels, and calling them one by one from Python may take longer than they run.
A graph is all of them in one call. It computes with the very tensors that it was recorded with, so what a pass brings
is copied into these first.
"""

from __future__ import annotations

import gc
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakSet

import torch
from torch import Tensor

from .adapters.base import Entries
from .errors import ran_out_of_memory
from .room import give_back
from .slots import Placement

SHAPES = 128  # that are remembered, recorded or not; the one that was not used for the longest time is forgotten
TOLERANCE = 0.02  # how far a replay may be from what it stands for, of the largest logit

T = TypeVar("T")
Forward = Callable[[Entries, Placement], Tensor]  # to logits, [R, count]
Replay = Callable[[], Tensor]  # its result is valid until the next one of any recording
Record = Callable[[Callable[[], Tensor]], Replay]  # runs what it is given, at least once, and returns what repeats it


def cuda() -> Record:
    """Records CUDA graphs, in one pool of memory and with one place for their results."""
    stream, pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()
    alive: WeakSet[torch.cuda.CUDAGraph] = WeakSet()
    results: list[Tensor] = []
    gc.collect()
    gc.freeze()  # before 2.9 torch collects at each recording, which takes 0.2 s with all that is imported by now

    def recorded(run: Callable[[], object]) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        # another thread reads requests meanwhile
        with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            run()
        return graph

    def record(run: Callable[[], Tensor]) -> Replay:
        nonlocal pool
        before = torch.cuda.current_stream()
        try:
            # What is made at a first call, such as this stream's workspaces, must be there before. And what waits for
            # the device is found here: within a recording it would leave torch's allocator in disorder.
            stream.wait_stream(before)
            with torch.cuda.stream(stream):
                torch.cuda.set_sync_debug_mode("error")
                try:
                    rows, codes = (made := run()).shape
                finally:
                    torch.cuda.set_sync_debug_mode("default")
                    before.wait_stream(stream)
            if not results or len(results[0]) < rows:
                results[:] = [made.new_empty(2 * rows, codes)]
            result = results[0][:rows]
            del made
            if not alive:  # with the last graph its pool is given back, and the handle must not be used again
                pool = torch.cuda.graph_pool_handle()
            graph = recorded(lambda: result.copy_(run()))
            alive.add(graph)
        finally:
            torch.cuda.set_stream(before)

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay

    return record


@dataclass
class _Recording:
    entries: Entries
    placement: Placement
    replay: Replay
    proven: bool = False

    def of(self, entries: Entries, placement: Placement) -> Tensor:
        pairs = [
            *zip(vars(self.entries).values(), vars(entries).values(), strict=True),
            *zip(self.placement.tensors, placement.tensors, strict=True),
        ]
        for mine, new in pairs:
            mine.copy_(new)
        return self.replay()


class Graphs:
    """A forward that is recorded when a shape comes for the second time, and replayed from then on; without `record`,
    one that is called.

    A recording's first replay is held to what the forward gives. Where it differs, or none can be made, that is said on
    standard error, and nothing is recorded any more: passes then take longer, and are as right.
    """

    def __init__(self, forward: Forward, record: Record | None) -> None:
        self._forward = forward
        self._record = record
        self._known: OrderedDict[Hashable, _Recording | None] = OrderedDict()

    @property
    def recording(self) -> bool:
        return self._record is not None

    def __call__(self, entries: Entries, placement: Placement) -> Tensor:
        if self._record is None:
            return self._forward(entries, placement)
        shape = (tuple(tensor.shape for tensor in vars(entries).values()), placement.shape)
        recording = self._known.get(shape)
        if recording is None:
            logits = self.with_room(lambda: self._forward(entries, placement))
            if len(logits):  # a prompt's forward has no rows, and its shape seldom comes again
                again = shape in self._known
                self._known[shape] = self._recorded(self._record, entries, placement) if again else None
                self._known.move_to_end(shape)
                self._forget(SHAPES)
            return logits
        self._known.move_to_end(shape)
        replayed = recording.of(entries, placement)
        if recording.proven:
            return replayed
        # after the replay, which was to write the cells that the call writes again
        replayed = replayed.clone()
        del recording  # it is to go, too, where memory runs out
        logits = self.with_room(lambda: self._forward(entries, placement))
        away = (replayed - logits).abs().max() / logits.abs().max()
        if not away <= TOLERANCE:
            self._stop(f"a replay was {away:.2g} of the largest logit away from what it stands for")
        elif kept := self._known.get(shape):
            kept.proven = True
        return logits

    def forget(self) -> None:
        """Recordings hold the memory that they were made with: for whoever allocates that anew."""
        self._forget(0)

    def with_room(self, compute: Callable[[], T]) -> T:
        """What `compute` gives: again without the recordings, where these leave it no memory."""
        try:
            return compute()
        except RuntimeError as error:
            if not (ran_out_of_memory(error) and any(self._known.values())):
                raise
        # here and not above, where the error holds what the attempt had made
        self._forget(0)
        return compute()

    def _recorded(self, record: Record, entries: Entries, placement: Placement) -> _Recording | None:
        """It keeps the tensors of this pass."""
        try:
            return _Recording(entries, placement, record(lambda: self._forward(entries, placement)))
        except RuntimeError as error:
            reason = str(error).split("\n")[0]
        self._stop(reason)
        return None

    def _stop(self, reason: str) -> None:
        self._record = None
        self._forget(0)
        print(f"CUDA graphs are not used: {reason}.", file=sys.stderr, flush=True)

    def _forget(self, most: int) -> None:
        """All but so many shapes."""
        while len(self._known) > most:
            self._known.popitem(last=False)
        if not most:
            give_back()
