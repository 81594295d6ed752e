"""From lanes to the arrays of one pass.

A *stream* is one branch of a lane: the lane's entries running through one slot. The streams' entries are packed one
after the other, in the order of their slots and, in one slot, of the lanes: nothing is padded, and neighbouring slots
can be attended to in one go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .lanes import ANCHOR, LATENT, Indices, Lanes
from .protocol import Head

_NONE: Indices = np.empty(0, np.int64)


@dataclass(frozen=True)
class Stream:
    """Entries `first … first + count - 1` of the pass, written to cells `base …` of `slot`."""

    slot: int
    base: int
    first: int
    count: int
    visible: NDArray[np.bool_] | None  # [count, before + count]: who sees what; None is a chain

    @property
    def end(self) -> int:
        """The cells in use after the pass."""
        return self.base + self.count

    @property
    def before(self) -> int:
        """How many of the cells below `base` are not seen by all, or may not be."""
        return 0 if self.visible is None else self.visible.shape[1] - self.count


@dataclass(frozen=True)
class Copies:
    """Cells to copy within their slots before the pass, [K] each."""

    slots: Indices
    sources: Indices
    targets: Indices


@dataclass(frozen=True)
class Pass:
    """One forward, packed: N entries, M of them noisy, V given as vectors; R rows wanted, G of them guided."""

    streams: list[Stream]  # by slot
    copies: Copies
    tokens: Indices  # [N]: any id where the entry is noisy or given
    positions: Indices  # [N]: counted from the first image token
    places: Indices  # [N]: counted from the prompt's first token
    noisy: Indices  # [M]: entries
    latents: NDArray[np.float32]  # [M, width]
    timesteps: NDArray[np.float32]  # [M]
    given: Indices  # [V]: entries
    vectors: Indices  # [V]: which vector of the prompts each is, counted over all of these
    prompts: list[Head]  # Vectors of the schema
    rows: Indices  # [R]: entries of the lanes' first branches
    guided: Indices  # [G]: which rows have a second branch …
    unconditional: Indices  # [G]: … and which entries of it belong to them
    guidance: NDArray[np.float32]  # [G]


def pack(lanes: Lanes) -> Pass:
    """Lays the streams out; each lane's entries occur once for each of its branches."""
    chosen = [
        (branch, lane, number)
        for lane, said in enumerate(lanes.lanes)
        for number, branch in enumerate(said["branches"])
    ]
    chosen.sort(key=lambda one: one[0]["slot"])
    streams: list[Stream] = []
    sources: list[Indices] = []  # which of the lanes' entries each is
    packed = np.full((2, len(lanes.tokens)), -1)  # where each branch's copy of a lane's entry stands in the pass
    first = 0
    for branch, lane, number in chosen:
        start, count = lanes.firsts[lane], lanes.lanes[lane]["entries"]
        streams.append(Stream(branch["slot"], branch["base"], first, count, lanes.visible[lane]))
        packed[number, start : start + count] = np.arange(first, first + count)
        sources.append(np.arange(start, start + count))
        first += count
    source = np.concatenate(sources)
    counts = [stream.count for stream in streams]
    anchors, prompts = (np.repeat([branch[name] for branch, _, _ in chosen], counts) for name in ("anchor", "prompt"))
    tokens, positions = lanes.tokens[source], lanes.positions[source]
    noisy = np.flatnonzero(tokens == LATENT)
    latent = (np.cumsum(lanes.tokens == LATENT) - 1)[source[noisy]]
    ids = np.where(tokens == ANCHOR, anchors, np.maximum(tokens, 0))
    given = np.flatnonzero(ids >= lanes.vocabulary) if lanes.vectors else _NONE
    unconditional = packed[1, lanes.rows]
    guided = np.flatnonzero(unconditional >= 0)
    return Pass(
        streams=streams,
        copies=_copies(lanes),
        tokens=np.where(ids < lanes.vocabulary, ids, 0) if given.size else ids,
        positions=positions,
        places=positions + prompts,
        noisy=noisy,
        latents=lanes.latents[latent],
        timesteps=lanes.timesteps[latent],
        given=given,
        vectors=ids[given] - lanes.vocabulary,
        prompts=lanes.vectors,
        rows=packed[0, lanes.rows],
        guided=guided,
        unconditional=unconditional[guided],
        guidance=lanes.guidance[guided],
    )


def padded(plan: Pass, step: int, cells: int) -> Pass:
    """The same pass, each stream's entries rounded up to a multiple of `step`: passes of few shapes.

    What is added repeats a stream's last entry behind it, in cells whose contents nobody counts on and which no other
    entry sees. A pass that finds no room for that in slots of `cells`, or has two streams in one slot, stays as it is.
    """
    streams = plan.streams
    counts = [round_up(s.count, step) for s in streams]
    needless = counts == [s.count for s in streams]
    crowded = any(s.base + count > cells for s, count in zip(streams, counts, strict=True))
    if needless or crowded or len({s.slot for s in streams}) < len(streams):
        return plan
    firsts = np.cumsum([0, *counts[:-1]])
    chosen = zip(streams, counts, strict=True)
    source = np.concatenate([s.first + np.minimum(np.arange(count), s.count - 1) for s, count in chosen])
    moved = np.concatenate([first + np.arange(s.count) for s, first in zip(streams, firsts, strict=True)])
    # once for all of a lane's streams: those that are alike share a mask
    grown = {id(s.visible): _seen_by_none(s.visible, count) for s, count in zip(streams, counts, strict=True)}
    return replace(
        plan,
        streams=[
            replace(s, first=int(first), count=count, visible=grown[id(s.visible)])
            for s, first, count in zip(streams, firsts, counts, strict=True)
        ],
        tokens=plan.tokens[source],
        positions=plan.positions[source],
        places=plan.places[source],
        noisy=moved[plan.noisy],
        given=moved[plan.given],
        rows=moved[plan.rows],
        unconditional=moved[plan.unconditional],
    )


def _seen_by_none(visible: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_] | None:
    """Who sees what of `count` entries, those that are added of these themselves alone."""
    if visible is None:
        return None
    grown = np.pad(visible, (0, count - len(visible)))
    np.fill_diagonal(grown[:, grown.shape[1] - count :], True)
    return grown


def round_up(count: int, step: int) -> int:
    """To a multiple of `step`."""
    return -(-count // step) * step


def _copies(lanes: Lanes) -> Copies:
    """What the lanes keep. A lane's cells are counted in its first branch's slot, and shift with the second's base."""
    copies: list[tuple[int, int, int]] = []
    for lane in lanes.lanes:
        keep, first = lane.get("keep"), lane["branches"][0]["base"]
        if not keep:
            continue
        for branch in lane["branches"]:
            base = branch["base"]
            targets = range(base - len(keep), base)
            copies += [(branch["slot"], cell + base - first, to) for cell, to in zip(keep, targets, strict=True)]
    return Copies(*np.array(copies, np.int64).T) if copies else Copies(_NONE, _NONE, _NONE)
