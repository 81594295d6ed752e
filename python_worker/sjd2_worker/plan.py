"""What decoding with a checkpoint takes, before anything is loaded: `python -m sjd2_worker.plan --help`.

The adapter is made on torch's meta device, where tensors have shapes and no contents: the figures are those of the very
code that will load the checkpoint. Of a hub's model that is not in the cache, no weights are downloaded.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import torch
from torch import Tensor, nn

from .__main__ import family_options, model_arguments, positive
from .adapters.base import Adapter, Embeddings
from .errors import StartupError
from .hub import headers
from .loading import choose, make_room, open_adapter, warnings_of
from .room import BRANCHES, WINDOW, free_memory, slot_bytes

GIB = 2**30


def plan(adapter: Adapter, dtype: torch.dtype, window: int, images: int) -> dict[str, int]:
    """Bytes, by what they are for: `images` at once, each with `window` drafts in a pass, guided."""
    each = slot_bytes(adapter, dtype, window)
    return {
        "weights": sum(_weights(adapter).values()),
        **{what: images * BRANCHES * size for what, size in each.items()},
    }


def verdict(taken: dict[str, int], images: int, memory: int) -> str | None:
    """None where it fits into so many bytes, else what would."""
    each = (sum(taken.values()) - taken["weights"]) // images
    if sum(taken.values()) <= memory:
        return None
    if taken["weights"] + each <= memory:
        return f"{(memory - taken['weights']) // each} images at once would fit: --images-at-once."
    size = f"{(taken['weights'] + each) / GIB:.2f} GiB"
    return f"One image takes {size}: use a smaller --dtype or --size, --quantize, or more memory."


def _weights(adapter: Adapter) -> dict[int, int]:
    """Bytes of each tensor that the adapter holds, in modules and embeddings too; a view of another takes none."""
    tensors: list[Tensor] = []
    for value in vars(adapter).values():
        if isinstance(value, nn.Module):
            tensors += [*value.parameters(), *value.buffers()]
        elif isinstance(value, Embeddings):
            tensors += vars(value).values()
        elif isinstance(value, Tensor):
            tensors.append(value)
    return {id(tensor): tensor.nbytes for tensor in tensors if not tensor._is_view()}


def plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Which checkpoint, and how much will be decoded at once on what."""
    model_arguments(parser)
    parser.add_argument("--window", type=positive, default=WINDOW, help="drafts in a pass (default: 96)")
    parser.add_argument("--images", type=positive, default=8, help="images decoded at once (default: 8)")
    parser.add_argument("--memory", type=float, metavar="GIB", help="of the device (default: what is free here)")


def report(adapter: Adapter, device: torch.device, dtype: torch.dtype, said: argparse.Namespace) -> dict[str, Any]:
    """What is printed of an adapter on the meta device that will run on `device`: bytes, and what would fit.

    Raises `StartupError` where prompts cannot be as long as they are wanted.
    """
    make_room(adapter, said.prompt_cells)
    taken = plan(adapter, dtype, said.window, said.images)
    memory = int(said.memory * GIB) if said.memory else free_memory(device, said.gpus or 1)
    kind = str(dtype).removeprefix("torch.")
    remedy = verdict(taken, said.images, memory)
    found = {"name": adapter.card["name"], "dtype": kind, **taken, "memory": memory}
    return {**found, "remedy": remedy, "warnings": warnings_of(adapter, said.device)}


def main() -> int:
    """Prints one JSON object; exit code 1 with the worker's error line where there is no such checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m sjd2_worker.plan", description=__doc__)
    plan_arguments(parser)
    said = parser.parse_args()
    try:
        device, dtype = choose(said.device, said.dtype)
        with headers(said.model) as folder:
            adapter = open_adapter(folder, said.adapter, torch.device("meta"), dtype, family_options(said))
        found = report(adapter, device, dtype, said)
    except StartupError as error:
        print(error.line(), file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
