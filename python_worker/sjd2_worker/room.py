"""How much memory there is, and how much an image takes of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch

from .adapters.base import Adapter

BRANCHES = 2  # of an image, with guidance
WINDOW = 96  # drafts of a pass, where nobody says otherwise


def free_memory(device: torch.device, gpus: int = 1) -> int:
    """Bytes that are free on the device, or on so many GPUs together."""
    if device.type == "cuda" and gpus > 1:
        return sum(torch.cuda.mem_get_info(gpu)[0] for gpu in range(min(gpus, torch.cuda.device_count())))
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except OSError:  # no Linux: what there is at all
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """To the GPU, where one is used, what torch holds and nobody needs."""
    if torch.cuda.is_initialized():
        # after a recording that broke off, older versions of torch refuse: then it stays
        with suppress(RuntimeError):
            torch.cuda.synchronize()
            torch.cuda.empty_cache()


def slot_bytes(adapter: Adapter, dtype: torch.dtype, window: int = WINDOW) -> dict[str, int]:
    """What one branch of an image takes: of the cache, and while a pass lasts. A pass's activations come besides."""
    card = adapter.card
    return {
        "cache": adapter.cache.bytes(dtype),
        "logits": (window + 1) * card["image"]["count"] * 4,
        "latents": window * card["width"] * 4 // 2,  # which both branches share
    }


def fitting_slots(wanted: int, adapter: Adapter, device: torch.device, dtype: torch.dtype) -> int:
    """As many slots as are wanted, or as fit into what is free; 0: not one."""
    return min(wanted, free_memory(device) // sum(slot_bytes(adapter, dtype).values()))
