"""A forward request, read and checked as a whole before any cell is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from .errors import RequestError, bad_message
from .protocol import Array, Head, finish, take

LATENT, ANCHOR = -1, -2
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Limits:
    """What a forward request may ask for."""

    slots: int
    cells: int
    entries: int  # over all branches of all lanes
    vocabulary: int
    length: int  # positions of an image
    width: int  # of an embedding


@dataclass(frozen=True)
class Lanes:
    """The lanes and their tensors: E entries, M of them noisy, R rows."""

    lanes: list[Head]  # Lane of the schema
    firsts: list[int]  # each lane's first entry
    vocabulary: int  # ids from here on name vectors
    vectors: list[Head]  # Vectors of the schema: which prompts the ids behind the vocabulary are of
    tokens: Indices  # [E]: ids, LATENT or ANCHOR
    positions: Indices  # [E]
    rows: Indices  # [R]: entries, counted over all lanes
    guidance: NDArray[np.float32]  # [R]: of the row's lane, 1 where it has one branch
    latents: NDArray[np.float32]  # [M, width]
    timesteps: NDArray[np.float32]  # [M]
    visible: list[NDArray[np.bool_] | None]  # each lane: who sees what, [entries, before + entries]; None: a chain


def read_lanes(head: Head, tensors: dict[str, Array], limits: Limits) -> Lanes:
    """Raises `bad-message`, `bad-slot`, `bad-token` or `too-large`."""
    lanes: list[Head] = head["lanes"]
    vocabulary, vectors = limits.vocabulary, head.get("vectors", [])
    limits = replace(limits, vocabulary=vocabulary + sum(own["count"] for own in vectors))
    _check_lanes(lanes, limits)
    _check_branches(lanes, limits)
    entries, rows = ([lane[name] for lane in lanes] for name in ("entries", "rows"))
    *firsts, total = accumulate(entries, initial=0)
    tokens, positions = (_take(tensors, name, total) for name in ("tokens", "positions"))
    wanted = _take(tensors, "rows", sum(rows))
    if ((wanted < 0) | (wanted >= np.repeat(entries, rows))).any():
        raise bad_message("A row names an entry that its lane does not have.")
    latents = take(tensors, "latents", ["f32", "f16"], 2).astype(np.float32, copy=False)
    timesteps = take(tensors, "timesteps", ["f32"], 1)
    _check_tokens(tokens, limits)
    _check_latents(tokens, latents, timesteps, limits)
    _check_positions(positions, np.repeat([_longest_prompt(lane) for lane in lanes], entries), limits)
    visible = _visibility(lanes, take(tensors, "mask", ["u8"], 1) if "mask" in tensors else None)
    finish(tensors)
    return Lanes(
        lanes=lanes,
        firsts=firsts,
        vocabulary=vocabulary,
        vectors=vectors,
        tokens=tokens,
        positions=positions,
        rows=wanted + np.repeat(firsts, rows),
        guidance=np.repeat(np.array([lane.get("guidance", 1) for lane in lanes], np.float32), rows),
        latents=latents,
        timesteps=timesteps,
        visible=visible,
    )


def _check_lanes(lanes: list[Head], limits: Limits) -> None:
    total = sum(lane["entries"] * len(lane["branches"]) for lane in lanes)
    if total > limits.entries:
        message = f"The pass has {total} entries over all branches, the worker takes {limits.entries}."
        raise RequestError("too-large", message, "Send the lanes in several passes, each within hello's maxEntries.")
    for lane in lanes:
        guidance = lane.get("guidance")
        if len(lane["branches"]) == 2 and (guidance is None or not math.isfinite(guidance)):
            raise bad_message(f"A lane of two branches needs a finite guidance; it has {guidance}.")
        _check_before(lane)
        if lane["rows"] > lane["entries"]:
            raise bad_message(f"A lane wants {lane['rows']} rows of {lane['entries']} entries.")


def _check_before(lane: Head) -> None:
    before, least = lane.get("before", 0), min(branch["base"] for branch in lane["branches"])
    if before > least or (before and lane["visibility"] != "mask"):
        raise bad_message(
            f"A lane's bitmap says of {before} cells before the pass, of {least} there are, and its visibility is "
            f"{lane['visibility']}; only a mask can say of some, and no more than each branch's base."
        )


def _check_branches(lanes: list[Head], limits: Limits) -> None:
    ends: dict[int, int] = {}  # of the slots named so far: the cell behind the last lane's entries
    for lane in lanes:
        own: dict[int, int] = {}
        for branch in lane["branches"]:
            slot, base = branch["slot"], branch["base"]
            if slot >= limits.slots:
                message = f"There is no slot {slot}; there are {limits.slots}, counted from 0."
                raise RequestError("bad-slot", message, "Decode fewer images at once, or start with more --slots.")
            if slot in own or (slot in ends and (base != ends[slot] or lane.get("keep"))):
                remedy = "Give each branch a slot of its own, or go on where the lane before ends, and keep nothing."
                raise RequestError("bad-slot", f"Slot {slot} is named twice.", remedy)
            if max(base + lane["entries"], branch["prompt"]) > limits.cells:
                message = f"Slot {slot} has {limits.cells} cells, too few for base {base} and {lane['entries']} entries"
                message += f", or for a prompt of {branch['prompt']}."
                raise RequestError("bad-slot", message, "Plan fewer entries; an image and its prompt always fit.")
            if branch["anchor"] >= limits.vocabulary:
                raise _bad_token(f"Anchor {branch['anchor']} lies outside the vocabulary of {limits.vocabulary} ids.")
            own[slot] = base + lane["entries"]
        ends |= own
        _check_keep(lane, limits)


def _check_keep(lane: Head, limits: Limits) -> None:
    keep = lane.get("keep", [])
    bases = [branch["base"] for branch in lane["branches"]]
    ascending = all(before < after for before, after in pairwise(keep))
    shifts = [base - bases[0] for base in bases]
    inside = not keep or (keep[0] + min(shifts) >= 0 and keep[-1] + max(shifts) < limits.cells)
    if not (ascending and inside and len(keep) <= min(bases)):
        raise bad_message(f"keep {keep} is not an ascending list of cells that can end at the bases {bases}.")


def _take(tensors: dict[str, Array], name: str, count: int) -> Indices:
    tensor = take(tensors, name, ["i32"], 1)
    if len(tensor) != count:
        raise bad_message(f"Tensor {name} has {len(tensor)} values, the lanes say {count}.")
    return tensor.astype(np.int64)


def _check_tokens(tokens: Indices, limits: Limits) -> None:
    if tokens.min() < ANCHOR:
        raise _bad_token(f"Token {tokens.min()} is neither an id nor {LATENT} (a latent) nor {ANCHOR} (the anchor).")
    if tokens.max() >= limits.vocabulary:
        raise _bad_token(f"Token {tokens.max()} lies outside the vocabulary of {limits.vocabulary} ids.")


def _bad_token(message: str) -> RequestError:
    return RequestError("bad-token", message, "Send ids of this model's card: prompt and image by the same checkpoint.")


def _check_latents(tokens: Indices, latents: Array, timesteps: Array, limits: Limits) -> None:
    count = np.count_nonzero(tokens == LATENT)
    if latents.shape != (count, limits.width) or timesteps.shape != (count,):
        found = f"latents {list(latents.shape)} and timesteps {list(timesteps.shape)}"
        raise bad_message(f"{count} tokens are -1, so latents should be [{count}, {limits.width}]; there are {found}.")
    if not (np.isfinite(latents).all() and ((timesteps >= 0) & (timesteps <= 1)).all()):
        raise bad_message("A latent is not finite, or a timestep does not lie on [0, 1].")


def _longest_prompt(lane: Head) -> int:
    return max(branch["prompt"] for branch in lane["branches"])


def _check_positions(positions: Indices, prompts: Indices, limits: Limits) -> None:
    outside = np.flatnonzero((positions < -prompts) | (positions >= limits.length))
    if outside.size:
        position, prompt = positions[outside[0]], prompts[outside[0]]
        raise bad_message(f"Position {position} lies outside {-prompt} … {limits.length - 1}.")


def _visibility(lanes: list[Head], mask: Array | None) -> list[NDArray[np.bool_] | None]:
    """Each lane's [entries, before + entries], None for a chain. An entry always sees itself."""
    counts = [lane["entries"] if lane["visibility"] == "mask" else 0 for lane in lanes]
    widths = [lane.get("before", 0) + count for lane, count in zip(lanes, counts, strict=True)]
    sizes = [count * math.ceil(width / 8) for count, width in zip(counts, widths, strict=True)]
    bytes_ = 0 if mask is None else mask.size
    if sum(sizes) != bytes_:
        raise bad_message(f"The lanes' masks take {sum(sizes)} bytes, tensor mask has {bytes_}.")
    visible: list[NDArray[np.bool_] | None] = []
    if mask is None:
        return [None] * len(lanes)
    for count, width, bits in zip(counts, widths, np.split(mask, np.cumsum(sizes)[:-1]), strict=True):
        seen = np.unpackbits(bits.reshape(count, -1), axis=1, count=width, bitorder="little") if count else None
        visible.append(None if seen is None else seen.astype(bool) | np.eye(count, width, width - count, dtype=bool))
    return visible
