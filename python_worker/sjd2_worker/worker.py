"""What each operation does: one method per operation, from a checked head and its tensors to a reply."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from . import __version__
from .adapters.base import Adapter, Entries, with_prompt_cells
from .errors import RequestError, StartupError, bad_message, ran_out_of_memory
from .graphs import Graphs, Record
from .lanes import Limits, read_lanes
from .passes import Pass, pack, padded, round_up
from .pixels import to_bytes
from .protocol import DTYPES, VERSION, Array, Head, finish, take
from .room import BRANCHES, fitting_slots, give_back
from .slots import Placement, Slots

MAX_ENTRIES = 16_384
# what entries and cells are rounded up to where forwards of a shape that has come before are replayed
ENTRY_STEP, CELL_STEP = 16, 256
Reply = tuple[Head, dict[str, Array]]  # without op, id and ok; the tensors
Room = Callable[[tuple[int, ...], "np.dtype[np.floating]"], Array]  # where logits of a shape and dtype shall lie


class Worker:
    """A loaded model and its slots. Nothing it holds outlives a request but the slots' cells and the statistics."""

    def __init__(
        self,
        adapter: Adapter,
        slots: int,
        device: torch.device,
        dtype: torch.dtype,
        record: Record | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        """`record` makes replays of forwards (`graphs.py`); None: each is called anew. `warnings`: for the user.

        `adapter.cache` says how many cells a slot has to begin with.
        """
        self._adapter, self._device, self._dtype, self._warnings = adapter, device, dtype, list(warnings)
        self._slots, slots = _allocate(adapter, slots, device, dtype)
        self._graphs = Graphs(self._call, record)
        card = adapter.card
        self._limits = Limits(
            slots, adapter.cache.cells, MAX_ENTRIES, card["vocabulary"], len(card["layout"]), card["width"]
        )
        self._forwards, self._entries, self._seconds = 0, 0, 0.0
        self.operations: dict[str, Callable[[Head, dict[str, Array]], Reply]] = {
            "hello": self._hello,
            "tokenize": self._tokenize,
            "reserve": self._reserve,
            "embeddings": self._embeddings,
            "forward": self._forward,
            "decode": self._decode,
            "stats": self._stats,
            "shutdown": self._shutdown,
        }

    @property
    def slots(self) -> int:
        return self._limits.slots

    def prepare(self, head: Head, tensors: dict[str, Array], room: Room = np.empty) -> Callable[[], Reply]:
        """Reads a request that `protocol.check_request` let through; what is returned runs it. Raises `RequestError`.

        A forward writes its logits where `room` says: straight to where they are read.
        One request may be prepared while another runs: preparing touches neither the device nor the slots.
        """
        if head["op"] == "forward":
            plan = pack(read_lanes(head, tensors, self._limits))
            rounded = padded(plan, self._step(ENTRY_STEP), self._limits.cells)
            return lambda: self._pass(head, rounded, plan.tokens.size, room)
        operation = self.operations[head["op"]]
        return lambda: operation(head, tensors)

    def _hello(self, head: Head, tensors: dict[str, Array]) -> Reply:
        return {
            "protocol": VERSION,
            "worker": __version__,
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else self._device.type,
            "dtype": {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}[self._dtype],
            "slots": self.slots,
            "cells": self._limits.cells,
            "promptCells": self._adapter.prompt_cells,
            "longestPrompt": self._adapter.longest_prompt,
            "maxEntries": self._limits.entries,
            **({"warnings": self._warnings} if self._warnings else {}),
            "model": self._adapter.card,
        }, {}

    def _tokenize(self, head: Head, tensors: dict[str, Array]) -> Reply:
        return {"prompts": [self._read(prompt) for prompt in head["prompts"]]}, {}

    def _read(self, prompt: str) -> Head:
        """A prompt's ids, or why the model cannot be given it: the others are read all the same."""
        try:
            said = self._adapter.read(prompt)
        except RequestError as error:
            return {"refused": {"message": error.message, "remedy": error.remedy}}
        ids = {name: getattr(said, name) for name in ("conditional", "unconditional", "unknown", "cut")}
        return {**ids, "vectors": said.vectors} if said.vectors else ids

    def _reserve(self, head: Head, tensors: dict[str, Array]) -> Reply:
        """Makes the slots larger where prompts are longer than they have room for; what cells hold stays."""
        wanted, now = head["promptCells"], self._adapter.prompt_cells
        if wanted > self._adapter.longest_prompt:
            message = f"Prompts may have {self._adapter.longest_prompt} tokens, {wanted} are asked for."
            raise RequestError("too-large", message, "Leave out the prompts that are longer.")
        if wanted > now:
            roomier = with_prompt_cells(self._adapter.cache, wanted, len(self._adapter.card["layout"]))
            self._graphs.forget()
            try:
                self._slots.grow(roomier.cells)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                give_back()
                message = f"There is no memory for prompts of {wanted} tokens in {self.slots} slots made for {now}."
                remedy = f"Say it from the start, with --prompt-cells {wanted}: then as many slots are made as fit."
                raise RequestError("out-of-memory", message, remedy) from error
            self._adapter.cache = roomier
            self._limits = replace(self._limits, cells=roomier.cells)
        return {"cells": self._limits.cells, "promptCells": self._adapter.prompt_cells}, {}

    def _embeddings(self, head: Head, tensors: dict[str, Array]) -> Reply:
        if head.get("of") == "codebook":
            return {}, {"codebook": _array(self._adapter.codebook().float())}
        return {}, {name: _array(tensor.float()) for name, tensor in vars(self._adapter.embeddings).items()}

    def _forward(self, head: Head, tensors: dict[str, Array]) -> Reply:
        return self.prepare(head, tensors)()

    def _pass(self, head: Head, plan: Pass, entries: int, room: Room) -> Reply:
        vectors = self._vectors(plan)  # before a cell is touched
        began = time.monotonic()
        found = self._logits(plan, vectors)
        logits = room(tuple(found.shape), DTYPES[head["logits"]])
        torch.from_numpy(logits).copy_(found)
        ended = time.monotonic()
        self._forwards += 1
        self._entries += entries
        self._seconds += ended - began
        return {"seconds": ended - began, "clock": {"began": began, "ended": ended}}, {"logits": logits}

    def _vectors(self, plan: Pass) -> Tensor | None:
        """What the given entries are fed, [V, width]: of the request's prompts, made for this pass alone."""
        if not plan.given.size:
            return None
        made = []
        for own in plan.prompts:
            made.append(self._adapter.vectors(own["prompt"]))
            if len(made[-1]) != own["count"]:
                raise bad_message(f"{own['prompt']!r} has {len(made[-1])} vectors, the request says {own['count']}.")
        return torch.cat(made)[self._tensor(plan.vectors)]

    def _logits(self, plan: Pass, vectors: Tensor | None) -> Tensor:
        """Guided logits of the pass's rows, [R, count]."""
        self._slots.clear([stream.slot for stream in plan.streams if stream.base == 0])
        if plan.copies.slots.size:
            self._slots.copy(plan.copies)
        embeddings = self._adapter.embed(self._tensor(plan.tokens))
        if vectors is not None:
            embeddings[self._tensor(plan.given)] = vectors.to(embeddings.dtype)
        if plan.noisy.size:
            noisy = self._adapter.noisy(self._tensor(plan.latents), self._tensor(plan.timesteps))
            embeddings[self._tensor(plan.noisy)] = noisy.to(embeddings.dtype)
        wanted = np.concatenate((plan.rows, plan.unconditional))
        wanted = np.resize(wanted, round_up(wanted.size, self._step(ENTRY_STEP)))
        entries = Entries(embeddings, self._tensor(plan.positions), self._tensor(plan.places), self._tensor(wanted))
        guided, scale = self._tensor(plan.guided), self._tensor(plan.guidance)[:, None]
        found = self._graphs(entries, self._slots.place(plan.streams, self._step(CELL_STEP)))
        logits = self._graphs.with_room(found.float)
        rows = len(plan.rows)
        logits, unconditional = logits[:rows], logits[rows : rows + len(plan.unconditional)]
        if plan.guided.size:
            logits[guided] = unconditional + scale * (logits[guided] - unconditional)
        return logits

    def _step(self, recording: int) -> int:
        """What to round up to."""
        return recording if self._graphs.recording else 1

    def _call(self, entries: Entries, placement: Placement) -> Tensor:
        return self._adapter.forward(entries, self._slots.attention(placement))

    def _decode(self, head: Head, tensors: dict[str, Array]) -> Reply:
        codes = take(tensors, "codes", ["i32"], 2)
        finish(tensors)
        card = self._adapter.card
        tokens = card["grid"]["rows"] * card["grid"]["columns"]
        if codes.shape[1] != tokens:
            raise bad_message(f"Pictures have {tokens} codes each, tensor codes is {list(codes.shape)}.")
        if codes.size and not 0 <= codes.min() <= codes.max() < card["image"]["count"]:
            message = f"An image code lies outside 0 … {card['image']['count'] - 1}."
            raise RequestError("bad-token", message, "Send codes counted from 0, not ids of the vocabulary.")
        found = self._tensor(codes.astype(np.int64))
        drawn = self._graphs.with_room(lambda: self._adapter.decode(found))
        shape = (len(codes), card["picture"]["height"], card["picture"]["width"], 3)
        return {}, {"pictures": _array(to_bytes(drawn, shape))}

    def _stats(self, head: Head, tensors: dict[str, Array]) -> Reply:
        if self._device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self._device)
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {
            "forwards": self._forwards,
            "entries": self._entries,
            "forwardSeconds": self._seconds,
            "cacheBytes": self._slots.bytes,
            "peakBytes": peak,
        }, {}

    def _shutdown(self, head: Head, tensors: dict[str, Array]) -> Reply:
        return {}, {}

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self._device)


def _array(tensor: Tensor) -> Array:
    return tensor.cpu().numpy()


def _allocate(adapter: Adapter, wanted: int, device: torch.device, dtype: torch.dtype) -> tuple[Slots, int]:
    """As many slots as there is memory for, and how many these are: images that find none wait.

    Raises `out-of-memory` where not even one image has room.
    """
    shape, least = adapter.cache, min(wanted, BRANCHES)
    count = fitting_slots(wanted, adapter, device, dtype)
    try:
        if count < least:
            raise MemoryError
        return Slots(shape, count, device, dtype), count
    except (RuntimeError, MemoryError) as error:
        size = max(count, least) * shape.bytes(dtype) / 2**30
        message = f"{max(count, least)} slots of {shape.cells} cells take {size:.2f} GiB, which {device} does not have."
        raise StartupError("out-of-memory", message, "Use a smaller --dtype or --size, or more memory.") from error
