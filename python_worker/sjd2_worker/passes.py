"""From a forward request to the arrays of one pass: everything is checked here, before any cell is touched.

A *stream* is one branch of a lane: the lane's entries running through one slot. The streams' entries are packed one
after the other, in the order of their slots, so that neighbouring slots are attended to in one go without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RequestError, bad_message
from .protocol import Array, Head, finish, take

LATENT, ANCHOR = -1, -2
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Limits:
    """What a pass may use."""

    slots: int
    cells: int
    entries: int  # over all streams
    vocabulary: int
    length: int  # positions of an image
    width: int  # of an embedding


@dataclass(frozen=True)
class Stream:
    """Entries `first … first + count - 1` of the pass, written to cells `base …` of `slot`."""

    slot: int
    base: int
    first: int
    count: int
    visible: NDArray[np.bool_] | None  # [count, count]: who sees whom; None is a chain


@dataclass(frozen=True)
class Pass:
    """One forward, packed. N entries, M of them noisy, R rows wanted, of which G are guided."""

    streams: list[Stream]  # by slot
    tokens: Indices  # [N], 0 where the entry is noisy
    positions: Indices  # [N]
    places: Indices  # [N]: positions counted from the prompt's first token
    noisy: Indices  # [M] entries
    latents: NDArray[np.float32]  # [M, width]
    timesteps: NDArray[np.float32]  # [M]
    rows: Indices  # [R] entries of the first branches
    guided: Indices  # [G] places in `rows`
    unconditional: Indices  # [G] entries of the second branches
    guidance: NDArray[np.float32]  # [G]
    kept: Indices  # [K] cells, counted over all slots, that are copied …
    kept_to: Indices  # [K] … to these


def read_pass(head: Head, tensors: dict[str, Array], limits: Limits) -> Pass:
    """Raises `bad-message`, `bad-slot`, `bad-token` or `too-large`."""
    lanes: list[Head] = head["lanes"]
    tokens = take(tensors, "tokens", ["i32"], 1)
    positions = take(tensors, "positions", ["i32"], 1)
    rows = take(tensors, "rows", ["i32"], 1)
    latents = take(tensors, "latents", ["f32", "f16"], 2).astype(np.float32)
    timesteps = take(tensors, "timesteps", ["f32"], 1)
    mask = take(tensors, "mask", ["u8"], 1) if "mask" in tensors else np.empty(0, np.uint8)
    finish(tensors)
    counts, row_counts = (np.array([lane[name] for lane in lanes]) for name in ("entries", "rows"))
    firsts = np.cumsum(counts) - counts
    _check_sizes(lanes, counts, row_counts, tokens, positions, rows, limits)
    _check_tokens(tokens, latents, timesteps, limits)
    row_entries = rows + np.repeat(firsts, row_counts)
    _check_rows(rows, np.repeat(counts, row_counts))
    visible = _visibility(lanes, mask)

    branches = sorted(
        ((branch, lane, number) for lane, said in enumerate(lanes) for number, branch in enumerate(said["branches"])),
        key=lambda chosen: chosen[0]["slot"],
    )
    streams: list[Stream] = []
    # [2, flat entries]: where each branch's copy of a flat entry stands in the pass
    packed = np.full((2, len(tokens)), -1)
    first = 0
    for branch, lane, number in branches:
        count = lanes[lane]["entries"]
        streams.append(Stream(branch["slot"], branch["base"], first, count, visible[lane]))
        packed[number, firsts[lane] : firsts[lane] + count] = np.arange(first, first + count)
        first += count
    _check_slots(streams, limits)
    flat = np.concatenate([np.arange(firsts[lane], firsts[lane] + counts[lane]) for _, lane, _ in branches])
    stream_counts = [stream.count for stream in streams]
    anchors, prompts = (np.repeat([b[n] for b, _, _ in branches], stream_counts) for n in ("anchor", "prompt"))

    ids, places = tokens[flat].astype(np.int64), positions[flat].astype(np.int64)
    _check_places(places, prompts, limits)
    _check_range("Anchor", anchors[ids == ANCHOR], limits.vocabulary)
    noisy = np.flatnonzero(ids == LATENT)
    latent = (np.cumsum(tokens == LATENT) - 1)[flat[noisy]]
    ids = np.where(ids == ANCHOR, anchors, np.maximum(ids, 0))
    guided = np.flatnonzero(packed[1, row_entries] >= 0)
    scales = np.repeat([lane.get("guidance", 1.0) for lane in lanes], row_counts)
    kept, kept_to = _keep(lanes, limits)
    return Pass(
        streams=streams,
        tokens=ids,
        positions=places,
        places=places + prompts,
        noisy=noisy,
        latents=latents[latent],
        timesteps=timesteps[latent],
        rows=packed[0, row_entries],
        guided=guided,
        unconditional=packed[1, row_entries[guided]],
        guidance=scales[guided].astype(np.float32),
        kept=kept,
        kept_to=kept_to,
    )


def _check_sizes(
    lanes: list[Head], counts: Indices, row_counts: Indices, tokens: Array, positions: Array, rows: Array, limits: Limits
) -> None:
    for name, tensor, wanted in (("tokens", tokens, counts), ("positions", positions, counts), ("rows", rows, row_counts)):
        if len(tensor) != wanted.sum():
            raise bad_message(f"Tensor {name} has {len(tensor)} values, the lanes say {wanted.sum()}.")
    total = int(sum(lane["entries"] * len(lane["branches"]) for lane in lanes))
    if total > limits.entries:
        message = f"The pass has {total} entries over all branches, the worker takes {limits.entries}."
        raise RequestError("too-large", message, "Send the lanes in several passes, each within maxEntries of hello.")
    for lane in lanes:
        scale = lane.get("guidance")
        if len(lane["branches"]) == 2 and (scale is None or not np.isfinite(scale)):
            raise bad_message(f"A lane of two branches needs a finite guidance; it has {scale}.")


def _check_tokens(tokens: Array, latents: Array, timesteps: Array, limits: Limits) -> None:
    if tokens.size and tokens.min() < ANCHOR:
        raise _bad_token(f"Token {tokens.min()} is neither an id nor -1 (a latent) nor -2 (the anchor).")
    _check_range("Token", tokens, limits.vocabulary)
    count = np.count_nonzero(tokens == LATENT)
    if latents.shape != (count, limits.width) or timesteps.shape != (count,):
        found = f"latents {list(latents.shape)} and timesteps {list(timesteps.shape)}"
        raise bad_message(f"{count} tokens are -1, so latents should be [{count}, {limits.width}]; there are {found}.")
    if not (np.isfinite(latents).all() and ((timesteps >= 0) & (timesteps <= 1)).all()):
        raise bad_message("A latent is not finite, or a timestep does not lie on [0, 1].")


def _check_range(what: str, ids: Array, vocabulary: int) -> None:
    if ids.size and ids.max() >= vocabulary:
        raise _bad_token(f"{what} {ids.max()} lies outside the vocabulary of {vocabulary} ids.")


def _bad_token(message: str) -> RequestError:
    return RequestError("bad-token", message, "Send ids of this model's card, from the same checkpoint.")


def _check_rows(rows: Array, counts: Array) -> None:
    if rows.size and (rows.min() < 0 or (rows >= counts).any()):
        raise bad_message("A row names an entry that its lane does not have.")


def _check_places(positions: Indices, prompts: Indices, limits: Limits) -> None:
    wrong = np.flatnonzero((positions < -prompts) | (positions >= limits.length))
    if wrong.size:
        at = wrong[0]
        raise bad_message(f"Position {positions[at]} lies outside {-prompts[at]} … {limits.length - 1}.")


def _check_slots(streams: list[Stream], limits: Limits) -> None:
    for stream, before in zip(streams, [None, *streams], strict=False):
        if before and before.slot == stream.slot:
            raise RequestError("bad-slot", f"Slot {stream.slot} is named twice.", "Give each branch a slot of its own.")
        if stream.slot >= limits.slots:
            message = f"There is no slot {stream.slot}; there are {limits.slots}, counted from 0."
            raise RequestError("bad-slot", message, "Use fewer images at once, or start the worker with more --slots.")
        if stream.base + stream.count > limits.cells:
            cells = f"base {stream.base} and {stream.count} entries"
            message = f"Slot {stream.slot} has {limits.cells} cells; {cells} do not fit."
            raise RequestError("bad-slot", message, "Plan fewer entries; an image's prompt and tokens always fit.")


def _visibility(lanes: list[Head], mask: Array) -> list[NDArray[np.bool_] | None]:
    """Each lane's [entries, entries], None for a chain. An entry always sees itself."""
    visible: list[NDArray[np.bool_] | None] = []
    used = 0
    for lane in lanes:
        if lane["visibility"] == "chain":
            visible.append(None)
            continue
        count = lane["entries"]
        size = count * -(-count // 8)
        bits = mask[used : used + size]
        used += size
        if bits.size < size:
            break
        seen = np.unpackbits(bits.reshape(count, -1), axis=1, count=count, bitorder="little").astype(bool)
        visible.append(seen | np.eye(count, dtype=bool))
    if used != mask.size:
        raise bad_message(f"The lanes' masks take {used} bytes, tensor mask has {mask.size}.")
    return visible


def _keep(lanes: list[Head], limits: Limits) -> tuple[Indices, Indices]:
    """Cells to copy and where to, over all slots. Counted in the first branch's slot; shifted in the second's."""
    pairs: list[tuple[Indices, Indices]] = []
    for lane in lanes:
        kept = np.array(lane.get("keep", []), np.int64)
        for branch in lane["branches"] if kept.size else []:
            cells = kept + (branch["base"] - lane["branches"][0]["base"])
            targets = np.arange(branch["base"] - kept.size, branch["base"])
            if targets[0] < 0 or cells[0] < 0 or cells[-1] >= limits.cells or (np.diff(cells) <= 0).any():
                raise bad_message(f"keep {kept.tolist()} is not an ascending list of cells that can end at the base.")
            slot = branch["slot"] * limits.cells
            pairs.append((cells + slot, targets + slot))
    return tuple(np.concatenate([np.empty(0, np.int64), *side]) for side in zip(*pairs)) if pairs else _nothing()  # type: ignore[return-value]


def _nothing() -> tuple[Any, Any]:
    return np.empty(0, np.int64), np.empty(0, np.int64)
